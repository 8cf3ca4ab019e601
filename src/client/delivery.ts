import type { Leg } from '../broker/subscription.js';
import type { Message } from '../message/message.js';
import type { Outbound } from '../net/outbound.js';
import { deliveryPrefix, encodeTail, encodeTailWithoutHeaders } from '../wire/nats/encoder.js';

/** Tails up to this many bytes are copied by a loop: making a view of them costs more (bench/micro/outbound.ts). */
const LOOP_BYTES_MAX = 64;

/**
 * Writes `MSG` or `HMSG` for one receiver: `MSG subject sid ` is kept with the leg, the rest is a piece of the publisher's own
 * bytes. `headers`: whether the receiver understands them; otherwise they are left out.
 */
export function writeMessage(outbound: Outbound, leg: Leg, message: Message, headers: boolean): void {
  if (message.headersStart === message.payloadStart) {
    const tailBytes = message.tailEnd - message.tailStart;
    const prefix = leg.prefix ?? prefixOf(leg);
    if (message.tailStart >= 0 && tailBytes <= LOOP_BYTES_MAX) {
      outbound.appendRange(prefix, message.bytes, message.tailStart, tailBytes);
    } else outbound.appendPair(prefix, message.tail ?? tailOf(message));
  } else if (headers) {
    leg.headerPrefix ??= deliveryPrefix('HMSG', leg.subject, leg.subscription.sid);
    outbound.appendPair(leg.headerPrefix, message.tail ?? tailOf(message));
  } else outbound.appendPair(leg.prefix ?? prefixOf(leg), encodeTailWithoutHeaders(message));
}

function prefixOf(leg: Leg): Uint8Array {
  const prefix = deliveryPrefix('MSG', leg.subject, leg.subscription.sid);
  // Kept from the second message on: a subject that is seen once should leave little behind.
  if (leg.used) leg.prefix = prefix;
  leg.used = true;
  return prefix;
}

function tailOf(message: Message): Uint8Array {
  message.tail =
    message.tailStart >= 0 ? message.bytes.subarray(message.tailStart, message.tailEnd) : encodeTail(message);
  return message.tail;
}
