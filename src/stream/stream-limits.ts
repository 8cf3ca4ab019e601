import { textOf } from '../base/bytes.js';
import type { Message } from '../message/message.js';
import type { MessageLog } from '../storage/message-log.js';
import type { StreamConfig } from './stream-config.js';

/** What is stored before a message, and not in the log yet. */
interface Ahead {
  messages: number;
  bytes: number;
  ofSubject: number;
}

const NOTHING_AHEAD: Readonly<Ahead> = { messages: 0, bytes: 0, ofSubject: 0 };

/** Why a stream that refuses new messages when it is full has no room for this one, or null. */
export function whyFull(
  config: Readonly<StreamConfig>,
  log: MessageLog,
  message: Message,
  ahead = NOTHING_AHEAD,
): string | null {
  if (config.discard !== 'new') return null;
  const { max_msgs, max_bytes, max_msgs_per_subject, discard_new_per_subject } = config;
  // A key-value bucket as a rule: a subject's messages make room for each other.
  if (max_msgs <= 0 && max_bytes <= 0 && !discard_new_per_subject) return null;
  const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
  const ofSubject =
    max_msgs_per_subject > 0
      ? (log.subject(bytes.subarray(subjectStart, subjectEnd))?.messages ?? 0) + ahead.ofSubject
      : 0;
  const subjectFull = max_msgs_per_subject > 0 && ofSubject >= max_msgs_per_subject;
  if (subjectFull && discard_new_per_subject) return 'maximum messages per subject exceeded';
  // One that takes the place of another of its subject needs no more room.
  const replaces = subjectFull && !discard_new_per_subject;
  if (max_msgs > 0 && log.state.messages + ahead.messages >= max_msgs && !replaces) return 'maximum messages exceeded';
  const size = log.sizeOf(subjectEnd - subjectStart, payloadStart - headersStart, payloadEnd - payloadStart);
  return max_bytes > 0 && log.state.bytes + ahead.bytes + size > max_bytes && !replaces
    ? 'maximum bytes exceeded'
    : null;
}

/** The same for messages that are stored together. */
export function whyBatchFull(
  config: Readonly<StreamConfig>,
  log: MessageLog,
  messages: readonly Message[],
): string | null {
  if (config.discard !== 'new') return null;
  const perSubjectMax = config.max_msgs_per_subject;
  const bySubject = new Map<string, number>();
  const ahead = { ...NOTHING_AHEAD };
  for (const message of messages) {
    const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
    const subject = textOf(bytes, subjectStart, subjectEnd);
    ahead.ofSubject = bySubject.get(subject) ?? 0;
    const full = whyFull(config, log, message, ahead);
    if (full !== null) return full;
    bySubject.set(subject, ahead.ofSubject + 1);
    const there = log.subject(bytes.subarray(subjectStart, subjectEnd))?.messages ?? 0;
    if (perSubjectMax > 0 && there + ahead.ofSubject >= perSubjectMax) continue;
    ahead.messages++;
    ahead.bytes += log.sizeOf(subjectEnd - subjectStart, payloadStart - headersStart, payloadEnd - payloadStart);
  }
  return null;
}
