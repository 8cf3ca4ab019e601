import { copyInArena } from '../base/arena.js';
import { copyWords } from '../base/bytes.js';
import type { Leg } from '../broker/subscription.js';
import type { Message } from '../message/message.js';
import type { Outbound } from '../net/outbound.js';
import { deliveryPrefix, encodeTail, encodeTailWithoutHeaders } from '../wire/nats/encoder.js';

/**
 * Writes `MSG` or `HMSG` for one receiver straight into what is gathered for it: the subject and everything behind the sid are pieces of the publisher's
 * own bytes, which the processor's cache holds; a line that was kept with each subject would have to come from memory (bench: 10,000 subjects).
 * `headers`: whether the receiver understands them; otherwise they are left out.
 */
export function writeMessage(outbound: Outbound, leg: Leg, message: Message, headers: boolean): void {
  const withHeaders = message.payloadStart > message.headersStart;
  if (withHeaders && !headers) {
    writeParts(outbound, leg, message, encodeTailWithoutHeaders(message));
    return;
  }
  const { subjectStart, tailStart, arenaOffset } = message;
  const { sid } = leg.subscription;
  const subjectBytes = message.subjectEnd - subjectStart;
  const tailBytes = tailStart >= 0 ? message.tailEnd - tailStart : (message.tail ?? tailOf(message)).length;
  const slab = outbound.reserve(VERB_BYTES_MAX + subjectBytes + 1 + sid.length + 1 + tailBytes);
  if (slab === null) {
    writeParts(outbound, leg, message, message.tail ?? tailOf(message), withHeaders);
    return;
  }
  const { bytes, words } = slab;
  let at = slab.used;
  if (withHeaders) bytes[at++] = LETTER_H;
  words.setInt32(at, MSG_WORD, true);
  at += 4;
  copyWords(words, at, message.words, subjectStart, subjectBytes);
  at += subjectBytes;
  bytes[at++] = SPACE;
  for (let i = 0; i < sid.length; i++) bytes[at++] = sid[i];
  bytes[at++] = SPACE;
  if (tailStart >= 0 && arenaOffset >= 0 && slab.arenaOffset >= 0) {
    copyInArena(slab.arenaOffset + at, arenaOffset + tailStart, tailBytes);
  } else bytes.set(message.tail ?? tailOf(message), at);
  slab.used = at + tailBytes;
}

/** Adds the line in pieces, for what is not gathered: so many bytes go out by reference. */
function writeParts(outbound: Outbound, leg: Leg, message: Message, tail: Uint8Array, withHeaders = false): void {
  const subject = message.bytes.subarray(message.subjectStart, message.subjectEnd);
  outbound.append(deliveryPrefix(withHeaders ? 'HMSG' : 'MSG', subject, leg.subscription.sid));
  outbound.append(tail);
}

function tailOf(message: Message): Uint8Array {
  message.tail =
    message.tailStart >= 0 ? message.bytes.subarray(message.tailStart, message.tailEnd) : encodeTail(message);
  return message.tail;
}

/** `MSG `, little-endian. */
const MSG_WORD = 0x2047534d;
const VERB_BYTES_MAX = 5;
const LETTER_H = 0x48;
const SPACE = 0x20;
