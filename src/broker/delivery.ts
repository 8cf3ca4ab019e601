import { rangesEqual } from '../base/bytes.js';
import type { Delivery } from '../host/delivery-chain.js';
import type { Message } from '../message/message.js';
import { type Leg, type Publisher, showTo } from './subscription.js';

/** A plugin rejected the message and the publisher was told; otherwise publishing answers the number of receivers. */
export const PUBLISH_CONSUMED = -1;

/** A message on its way to receivers that have plugins before them. */
export interface FilteredDelivery extends Delivery {
  readonly publisher: Publisher | null;
}

/** What plugins drop on the way counts as delivered: the receiver is there, it does not want this one. */
export function deliverThrough(leg: Leg, message: Message, delivery: FilteredDelivery): boolean {
  const { chain } = leg;
  const seen = chain === null ? message : chain.outcomeOf(message, delivery);
  return seen === null || showTo(leg, seen, delivery.publisher);
}

export function sameSubject(one: Message, other: Message): boolean {
  const length = one.subjectEnd - one.subjectStart;
  if (one.subjectHash !== other.subjectHash || other.subjectEnd - other.subjectStart !== length) return false;
  return rangesEqual(one.bytes, one.subjectStart, other.bytes, other.subjectStart, length);
}
