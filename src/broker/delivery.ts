import type { Delivery } from '../host/delivery-chain.js';
import type { Publisher } from './subscription.js';

/** A plugin rejected the message and the publisher was told; otherwise publishing answers the number of receivers. */
export const PUBLISH_CONSUMED = -1;

/** A message on its way to receivers that have plugins before them. */
export interface FilteredDelivery extends Delivery {
  readonly publisher: Publisher | null;
}
