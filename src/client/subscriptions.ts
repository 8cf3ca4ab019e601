import type { Permissions } from '../auth/permissions.js';
import { textOf, utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { type Subscriber, Subscription } from '../broker/subscription.js';
import { isFilterBytes } from '../subject/subject.js';
import { ErrorText, quoteGo, subscriptionViolation, tooManyTokensViolation } from '../wire/nats/errors.js';
import type { ClientContext } from './context.js';

/** Whose subscriptions they are: a session. */
interface Holder extends Subscriber {
  readonly label: string;
  readonly userLabel: string;
  readonly permissions: Permissions | null;
  readonly account: Account;
  readonly membership: { readonly subscriptionsMax: number };
  sendError(text: string): void;
}

const DOT = 0x2e;
/** Some milliseconds of work. */
const FORGOTTEN_PER_TURN = 1_000;

/** What one client listens to: by the names (sids) that it gave. */
export class ClientSubscriptions {
  private readonly holder: Holder;
  private readonly context: ClientContext;
  private readonly bySid = new Map<string, Subscription>();

  constructor(holder: Holder, context: ClientContext) {
    this.holder = holder;
    this.context = context;
  }

  get size(): number {
    return this.bySid.size;
  }

  values(): Iterable<Subscription> {
    return this.bySid.values();
  }

  /** SUB: adds what `tokens` point at, filter, queue and sid. Answers what is wrong with it, or null. */
  add(bytes: Uint8Array, tokens: Int32Array, withQueue: boolean): string | null {
    const filter = bytes.slice(tokens[0], tokens[1]);
    const queue = withQueue ? bytes.slice(tokens[2], tokens[3]) : null;
    const refusal = this.whyNot(filter, queue);
    if (refusal !== null) return refusal;
    const sidAt = withQueue ? 4 : 2;
    const key = keyOf(bytes, tokens[sidAt], tokens[sidAt + 1]);
    // A sid that is in use stays with its first subscription; the second is no mistake, and nothing.
    if (this.bySid.has(key)) return null;
    const sid = bytes.slice(tokens[sidAt], tokens[sidAt + 1]);
    const subscription = new Subscription(this.holder, filter, queue === null ? null : textOf(queue), sid);
    this.bySid.set(key, subscription);
    this.holder.account.subscribe(subscription);
    return null;
  }

  /** UNSUB: ends the subscription with this sid once `max` messages were delivered in all; 0 is at once. */
  limit(bytes: Uint8Array, sidStart: number, sidEnd: number, max: number): void {
    const subscription = this.bySid.get(keyOf(bytes, sidStart, sidEnd));
    if (subscription === undefined) return;
    if (max > subscription.delivered) subscription.deliveredMax = max;
    else this.drop(subscription);
  }

  drop(subscription: Subscription): void {
    if (subscription.closed) return;
    subscription.closed = true;
    this.bySid.delete(keyOf(subscription.sid));
    this.holder.account.unsubscribe(subscription);
  }

  /** The holder is in another account now. */
  moveFrom(before: Account): void {
    for (const subscription of this.bySid.values()) {
      before.unsubscribe(subscription);
      this.holder.account.subscribe(subscription);
    }
  }

  dropAll(): void {
    for (const subscription of [...this.bySid.values()]) this.drop(subscription);
  }

  /** Drops what the present permissions no longer allow, telling the client. */
  dropForbidden(): void {
    const { permissions } = this.holder;
    if (permissions === null) return;
    for (const subscription of [...this.bySid.values()]) {
      const { filter, filterBytes, queue, sid } = subscription;
      if (permissions.subscribeAllowed(filter, queue) !== 'denied') continue;
      this.drop(subscription);
      const violation = subscriptionViolation(filterBytes, queue === null ? null : utf8(queue));
      this.holder.sendError(`${violation} (sid ${quoteGo(sid)})`);
    }
  }

  /** The session is over: nothing is delivered any more. What there was can still be looked at until `clear`. */
  end(): void {
    const all = [...this.bySid.values()];
    for (const subscription of all) subscription.closed = true;
    forget(this.holder.account, all);
  }

  clear(): void {
    this.bySid.clear();
  }

  private whyNot(filter: Uint8Array, queue: Uint8Array | null): string | null {
    const { subscriptionTokensMax } = this.context.limits;
    const { subscriptionsMax } = this.holder.membership;
    const { permissions, label, userLabel } = this.holder;
    const queueText = queue === null ? null : textOf(queue);
    if (permissions !== null && permissions.subscribeAllowed(textOf(filter), queueText) === 'denied') {
      const queueLabel = queue === null ? '' : `, Queue ${quoteGo(queue)}`;
      const what = `${userLabel}Subject ${quoteGo(filter)}${queueLabel}`;
      this.context.logger.error(`${label} - Subscription Violation - ${what}`);
      return subscriptionViolation(filter, queue);
    }
    if (subscriptionTokensMax > 0 && tokensOf(filter) > subscriptionTokensMax) return tooManyTokensViolation(filter);
    if (subscriptionsMax >= 0 && this.bySid.size >= subscriptionsMax) return ErrorText.maximumSubscriptions;
    return isFilterBytes(filter, 0, filter.length) ? null : ErrorText.invalidSubject;
  }
}

/** Takes out subscriptions that are closed. Hundreds of thousands take more than one turn of the event loop: nothing is delivered to them anyway. */
function forget(account: Account, closed: Subscription[]): void {
  const end = Math.max(0, closed.length - FORGOTTEN_PER_TURN);
  while (closed.length > end) account.unsubscribe(closed.pop()!);
  if (closed.length > 0) setImmediate(() => forget(account, closed));
}

/** Sids are bytes: text in which each stands for itself. */
function keyOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

function tokensOf(filter: Uint8Array): number {
  let tokens = 1;
  for (const byte of filter) if (byte === DOT) tokens++;
  return tokens;
}
