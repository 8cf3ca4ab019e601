import { paddedBytes, wordsOf } from '../base/bytes.js';
import { Message, NO_BYTES } from './message.js';

/** Messages that are kept one after the other lie in one piece of memory: to make one for each would cost more than copying them. */
const SHEET_BYTES = 64 * 1024;
/** A message that is longer gets bytes of its own. */
const SHARED_BYTES_MAX = 8 * 1024;

let sheet = NO_BYTES;
let words = wordsOf(sheet);
let used = SHEET_BYTES;

/** The message with bytes that are its own for as long as it is used, as they lie in the line that it came in. */
export function keepMessage(message: Message): Message {
  const { subjectStart, payloadEnd, tailEnd } = message;
  const length = Math.max(payloadEnd, tailEnd) - subjectStart;
  const kept = new Message();
  if (length > SHARED_BYTES_MAX) {
    kept.bytes = paddedBytes(length);
    kept.words = wordsOf(kept.bytes);
    return place(kept, 0, message, length);
  }
  if (used + length > SHEET_BYTES) {
    sheet = paddedBytes(SHEET_BYTES);
    words = wordsOf(sheet);
    used = 0;
  }
  kept.bytes = sheet;
  kept.words = words;
  const at = used;
  // Behind it is room for copies by words.
  used += (length + 7) & -8;
  return place(kept, at, message, length);
}

function place(kept: Message, at: number, message: Message, length: number): Message {
  const shift = at - message.subjectStart;
  kept.bytes.set(message.bytes.subarray(message.subjectStart, message.subjectStart + length), at);
  kept.subjectStart = at;
  kept.subjectEnd = message.subjectEnd + shift;
  kept.subjectHash = message.subjectHash;
  kept.replyStart = message.replyStart + shift;
  kept.replyEnd = message.replyEnd + shift;
  kept.headersStart = message.headersStart + shift;
  kept.payloadStart = message.payloadStart + shift;
  kept.payloadEnd = message.payloadEnd + shift;
  if (message.tailStart >= 0) {
    kept.tailStart = message.tailStart + shift;
    kept.tailEnd = message.tailEnd + shift;
  }
  kept.hops = message.hops;
  return kept;
}
