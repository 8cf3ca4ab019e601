import { rangesEqual, textOf, utf8 } from '../base/bytes.js';
import { parseJson } from '../base/json.js';
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

const DOT = 0x2e;
const ZERO = 0x30;
/** Where the tokens of the subject at hand end. */
const ends = new Int32Array(16);
/** Names are mostly those of the acknowledgement before. */
let lastBytes: Uint8Array = new Uint8Array(0);
let lastAddress: { stream: string; consumer: string } = { stream: '', consumer: '' };

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>`, or null. */
export function readAckAddress({ bytes, subjectStart, subjectEnd }: Message): AckAddress | null {
  let tokens = 0;
  for (let i = subjectStart; i < subjectEnd && tokens < ends.length; i++) if (bytes[i] === DOT) ends[tokens++] = i;
  if (tokens < ends.length) ends[tokens++] = subjectEnd;
  if (tokens < 9) return null;
  // The longer form has domain and account's hash in front of the stream.
  const at = tokens >= 11 ? 4 : 2;
  const deliveries = numberBetween(bytes, ends[at + 1] + 1, ends[at + 2]);
  const streamSequence = numberBetween(bytes, ends[at + 2] + 1, ends[at + 3]);
  const consumerSequence = numberBetween(bytes, ends[at + 3] + 1, ends[at + 4]);
  if (!(deliveries >= 0 && streamSequence > 0 && consumerSequence > 0)) return null;
  const { stream, consumer } = namesAt(bytes, ends[at - 1] + 1, ends[at], ends[at + 1]);
  return { stream, consumer, deliveries, streamSequence, consumerSequence };
}

function namesAt(bytes: Uint8Array, start: number, middle: number, end: number): typeof lastAddress {
  if (lastBytes.length === end - start && rangesEqual(lastBytes, 0, bytes, start, end - start)) return lastAddress;
  lastBytes = bytes.slice(start, end);
  lastAddress = { stream: textOf(bytes, start, middle), consumer: textOf(bytes, middle + 1, end) };
  return lastAddress;
}

/** The digits as a number; NaN when there is anything else, or nothing. */
function numberBetween(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > 15) return Number.NaN;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

const ACK: AckVerb = { kind: 'ack' };
const ACK_BYTES = utf8('+ACK');

/** What the payload of an acknowledgement says; null when it is none. */
export function readAckVerb({ bytes, payloadStart, payloadEnd }: Message): AckVerb | null {
  const length = payloadEnd - payloadStart;
  if (length === 0 || (length === 4 && rangesEqual(bytes, payloadStart, ACK_BYTES, 0, 4))) return ACK;
  const said = textOf(bytes, payloadStart, payloadEnd);
  if (said === '+OK') return ACK;
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
    const { delay } = parseJson(said) as { delay?: unknown };
    return typeof delay === 'number' && delay > 0 ? delay / 1e6 : 0;
  } catch {
    return 0;
  }
}
