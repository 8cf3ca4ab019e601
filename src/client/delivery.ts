import { wordsOf } from '../base/bytes.js';
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
    writeTail(outbound, leg.prefix ?? prefixOf(leg), message);
  } else if (headers) {
    leg.headerPrefix ??= newPrefix('HMSG', leg);
    writeTail(outbound, leg.headerPrefix, message);
  } else outbound.appendPair(leg.prefix ?? prefixOf(leg), encodeTailWithoutHeaders(message));
}

function writeTail(outbound: Outbound, prefix: Prefix, message: Message): void {
  const { arenaOffset, tailStart, tailEnd } = message;
  if (arenaOffset >= 0 && tailStart >= 0) {
    if (outbound.appendFromArena(prefix, arenaOffset + tailStart, tailEnd - tailStart)) return;
  }
  outbound.appendPair(prefix, message.tail ?? tailOf(message));
}

function prefixOf(leg: Leg): Prefix {
  const prefix = newPrefix('MSG', leg);
  // Kept from the second message on: a subject that is seen once should leave little behind.
  if (leg.used) leg.prefix = prefix;
  leg.used = true;
  return prefix;
}

function newPrefix(verb: 'MSG' | 'HMSG', leg: Leg): Prefix {
  const bytes = deliveryPrefix(verb, leg.subject, leg.subscription.sid);
  return { length: bytes.length, words: wordsOf(bytes) };
}

function tailOf(message: Message): Uint8Array {
  message.tail =
    message.tailStart >= 0 ? message.bytes.subarray(message.tailStart, message.tailEnd) : encodeTail(message);
  return message.tail;
}
