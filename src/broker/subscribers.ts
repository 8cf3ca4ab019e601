import { filterCovers, isLiteralSubject } from '../subject/subject.js';
import type { Account } from './account.js';
import type { Subscription } from './subscription.js';

/** Whose subscriptions are counted. */
interface SubscribersQuery {
  /** A literal subject, or a filter: then subscriptions to a part of it count. */
  subject: string;
  /** Only those of this queue group; null is all. */
  queue: string | null;
}

/** How many subscriptions of clients a message would find, or how many lie within a filter. */
export function countSubscribers(account: Account, { subject, queue }: SubscribersQuery): number {
  const counts = isLiteralSubject(subject)
    ? ({ filter }: Subscription) => filterCovers(filter, subject)
    : ({ filter }: Subscription) => filterCovers(subject, filter);
  let count = 0;
  account.forEachSubscription((subscription) => {
    if (subscription.subscriber.user === undefined) return;
    if ((queue === null || subscription.queue === queue) && counts(subscription)) count++;
  });
  return count;
}
