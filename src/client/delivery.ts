import { copyInArena } from '../base/arena.js';
import { copyWords } from '../base/bytes.js';
import type { Leg, Prefix } from '../broker/subscription.js';
import type { Message } from '../message/message.js';
import type { Outbound } from '../net/outbound.js';
import { deliveryPrefix, encodeTail, encodeTailWithoutHeaders } from '../wire/nats/encoder.js';

/**
 * Writes `MSG` or `HMSG` for one receiver: `MSG subject sid ` is kept with the leg, the rest is a piece of the publisher's own
 * bytes. `headers`: whether the receiver understands them; otherwise they are left out.
 */
export function writeMessage(outbound: Outbound, leg: Leg, message: Message, headers: boolean): void {
  if (message.headersStart === message.payloadStart) {
    if (!leg.kept && writeOnce(outbound, leg, message)) return;
    leg.prefix ??= prefixOf('MSG', leg, message);
    writeTail(outbound, leg.prefix, message);
  } else if (headers) {
    leg.headerPrefix ??= prefixOf('HMSG', leg, message);
    writeTail(outbound, leg.headerPrefix, message);
  } else {
    leg.prefix ??= prefixOf('MSG', leg, message);
    outbound.appendPair(leg.prefix, encodeTailWithoutHeaders(message));
  }
  if (!leg.kept) leg.prefix = leg.headerPrefix = null;
}

function writeTail(outbound: Outbound, prefix: Prefix, message: Message): void {
  const { arenaOffset, tailStart, tailEnd } = message;
  if (arenaOffset >= 0 && tailStart >= 0) {
    if (outbound.appendFromArena(prefix, arenaOffset + tailStart, tailEnd - tailStart)) return;
  }
  outbound.appendPair(prefix, message.tail ?? tailOf(message));
}

/** Writes a plain message for a leg that will not be seen again: nothing is made on the way. False when it cannot. */
function writeOnce(outbound: Outbound, leg: Leg, message: Message): boolean {
  const { subjectStart, tailStart, arenaOffset } = message;
  if (tailStart < 0) return false;
  const { sid } = leg.subscription;
  const subjectBytes = message.subjectEnd - subjectStart;
  const tailBytes = message.tailEnd - tailStart;
  const slab = outbound.reserve(MSG_BYTES + subjectBytes + 1 + sid.length + 1 + tailBytes);
  if (slab === null) return false;
  const { bytes, words } = slab;
  let at = slab.used;
  words.setInt32(at, MSG_WORD, true);
  at += MSG_BYTES;
  copyWords(words, at, message.words, subjectStart, subjectBytes);
  at += subjectBytes;
  bytes[at++] = SPACE;
  for (let i = 0; i < sid.length; i++) bytes[at++] = sid[i];
  bytes[at++] = SPACE;
  if (arenaOffset >= 0 && slab.arenaOffset >= 0) {
    copyInArena(slab.arenaOffset + at, arenaOffset + tailStart, tailBytes);
  } else bytes.set(message.tail ?? tailOf(message), at);
  slab.used = at + tailBytes;
  return true;
}

function prefixOf(verb: 'MSG' | 'HMSG', leg: Leg, { bytes, subjectStart, subjectEnd }: Message): Prefix {
  return deliveryPrefix(verb, bytes.subarray(subjectStart, subjectEnd), leg.subscription.sid);
}

function tailOf(message: Message): Uint8Array {
  message.tail =
    message.tailStart >= 0 ? message.bytes.subarray(message.tailStart, message.tailEnd) : encodeTail(message);
  return message.tail;
}

/** `MSG `, little-endian. */
const MSG_WORD = 0x2047534d;
const MSG_BYTES = 4;
const SPACE = 0x20;
