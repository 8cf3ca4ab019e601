import { textOf } from '../base/bytes.js';
import type { Message } from '../message/message.js';
import { parseDuration } from './time.js';

/** Whose acknowledgement it is, and of what. */
export interface AckAddress {
  stream: string;
  consumer: string;
  deliveries: number;
  streamSequence: number;
  consumerSequence: number;
}

export type AckVerb =
  | { kind: 'ack' | 'progress' }
  | { kind: 'nak'; delayMs: number }
  | { kind: 'next'; request: string }
  | { kind: 'term'; reason: string };

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>`, or null. */
export function readAckAddress({ bytes, subjectStart, subjectEnd }: Message): AckAddress | null {
  const tokens = textOf(bytes, subjectStart, subjectEnd).split('.');
  if (tokens.length < 9) return null;
  // The longer form has domain and account's hash in front of the stream.
  const at = tokens.length >= 11 ? 4 : 2;
  const [deliveries, streamSequence, consumerSequence] = tokens.slice(at + 2, at + 5).map(Number);
  if (!(deliveries >= 0 && streamSequence > 0 && consumerSequence > 0)) return null;
  return { stream: tokens[at], consumer: tokens[at + 1], deliveries, streamSequence, consumerSequence };
}

/** What the payload of an acknowledgement says; null when it is none. */
export function readAckVerb({ bytes, payloadStart, payloadEnd }: Message): AckVerb | null {
  if (payloadEnd === payloadStart) return { kind: 'ack' };
  const said = textOf(bytes, payloadStart, payloadEnd);
  if (said === '+ACK' || said === '+OK') return { kind: 'ack' };
  if (said.startsWith('-NAK')) return { kind: 'nak', delayMs: delayOf(said.slice(4).trim()) };
  if (said === '+WPI') return { kind: 'progress' };
  if (said.startsWith('+NXT')) return { kind: 'next', request: said.slice(4).trim() };
  if (said.startsWith('+TERM')) return { kind: 'term', reason: said.slice(5).trim() };
  return null;
}

/** `{"delay": ns}` or a duration such as `10s`, in ms; what is neither is no delay. */
function delayOf(said: string): number {
  if (said === '') return 0;
  if (!said.startsWith('{')) return Math.max(0, parseDuration(said) ?? 0);
  try {
    const { delay } = JSON.parse(said) as { delay?: unknown };
    return typeof delay === 'number' && delay > 0 ? delay / 1e6 : 0;
  } catch {
    return 0;
  }
}
