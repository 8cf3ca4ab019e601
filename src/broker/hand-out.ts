import type { DeliveryChain, Giver } from '../host/delivery-chain.js';
import type { Message } from '../message/message.js';
import type { FilteredDelivery } from './delivery.js';
import type { Route } from './route.js';
import { Leg, type Publisher, type Subscription, showTo } from './subscription.js';

/** What `handOut` answers when plugins kept the message from all who were there. */
export const WITHHELD = -1;

/** A message that a stream hands out, who does, and the message whose subject says who listens. */
export interface Handing {
  address: Message;
  message: Message;
  giver: Giver | null;
}

/** The account in which it is done. */
interface HandingAccount {
  readonly random: () => number;
  readonly hasDeliveryPlugins: boolean;
  deliveryChain(subscription: Subscription, message: Message, giver: Giver | null): DeliveryChain | null;
  beginDelivery(publisher: Publisher | null): FilteredDelivery;
  endDelivery(): void;
  drainEmits(): void;
}

/** Gives the message to the receivers of a route, under its own subject. Answers how many took it, or `WITHHELD`. */
export function handOut(account: HandingAccount, route: Route, handing: Handing): number {
  if (account.hasDeliveryPlugins) return handOutThrough(account, route, handing);
  const { legs, groups } = route;
  let withheld = false;
  const wasBusy = route.busy;
  route.busy = true;
  let delivered = 0;
  for (let i = 0; i < legs.length; i++) {
    const taken = give(legs[i], handing);
    if (taken > 0) delivered++;
    else if (taken === WITHHELD) withheld = true;
  }
  for (let i = 0; i < groups.length; i++) {
    const members = groups[i];
    const first = Math.floor(account.random() * members.length);
    for (let j = 0; j < members.length; j++) {
      const taken = give(members[(first + j) % members.length], handing);
      if (taken > 0) delivered++;
      else if (taken === WITHHELD) withheld = true;
      if (taken !== 0) break;
    }
  }
  route.busy = wasBusy;
  return delivered === 0 && withheld ? WITHHELD : delivered;
}

function give(leg: Leg, { address, message }: Handing): number {
  const { subscriber } = leg.subscription;
  if (subscriber.deliverTo !== undefined) return subscriber.deliverTo(address, message);
  return showTo(leg, message, null) ? 1 : 0;
}

/** The same where there are plugins before receivers: which of them run follows from the message's own subject. */
function handOutThrough(account: HandingAccount, route: Route, { address, message, giver }: Handing): number {
  const delivery = account.beginDelivery(null);
  const wasBusy = route.busy;
  route.busy = true;
  let delivered = 0;
  let withheld = false;
  const giveOne = ({ subscription }: Leg): boolean => {
    const chain = account.deliveryChain(subscription, message, giver);
    const seen = chain === null ? message : chain.outcomeOf(message, delivery);
    // What plugins do may lead to another look-up: the leg may be another one's by now.
    const taken = seen === null ? WITHHELD : give(new Leg(subscription), { address, message: seen, giver });
    if (taken > 0) delivered++;
    else if (taken === WITHHELD) withheld = true;
    return taken !== 0;
  };
  for (let i = 0; i < route.legs.length; i++) giveOne(route.legs[i]);
  for (const members of route.groups) {
    const first = Math.floor(account.random() * members.length);
    for (let i = 0; i < members.length; i++) if (giveOne(members[(first + i) % members.length])) break;
  }
  route.busy = wasBusy;
  account.endDelivery();
  account.drainEmits();
  return delivered === 0 && withheld ? WITHHELD : delivered;
}
