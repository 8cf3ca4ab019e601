import type { Message } from '../message/message.js';
import type { MessageLog } from '../storage/message-log.js';
import type { StreamConfig } from './stream-config.js';

/** Why a stream that refuses new messages when it is full has no room for this one, or null. */
export function whyFull(config: Readonly<StreamConfig>, log: MessageLog, message: Message): string | null {
  if (config.discard !== 'new') return null;
  const { max_msgs, max_bytes, max_msgs_per_subject, discard_new_per_subject } = config;
  const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
  const ofSubject =
    max_msgs_per_subject > 0 ? (log.subject(bytes.subarray(subjectStart, subjectEnd))?.messages ?? 0) : 0;
  const subjectFull = max_msgs_per_subject > 0 && ofSubject >= max_msgs_per_subject;
  if (subjectFull && discard_new_per_subject) return 'maximum messages per subject exceeded';
  // One that takes the place of another of its subject needs no more room.
  const replaces = subjectFull && !discard_new_per_subject;
  if (max_msgs > 0 && log.state.messages >= max_msgs && !replaces) return 'maximum messages exceeded';
  const size = log.sizeOf(subjectEnd - subjectStart, payloadStart - headersStart, payloadEnd - payloadStart);
  return max_bytes > 0 && log.state.bytes + size > max_bytes && !replaces ? 'maximum bytes exceeded' : null;
}
