import type { Permissions } from '../auth/permissions.js';
import { textOf } from '../base/bytes.js';
import type { DeliveryChain } from '../host/delivery-chain.js';
import type { Message } from '../message/message.js';
import { hasWildcard } from '../subject/subject.js';
import type { TrieValue } from '../subject/trie.js';
import type { Lane } from './lane.js';
import type { MessageTrace } from './message-trace.js';

/** Whoever takes messages: a client session, a system listener; later a stream, a peer. */
export interface Subscriber {
  /** The user whose client it is, empty for a nameless one; undefined for the house's own, whose messages no plugin sees. */
  readonly user?: string;
  /** What waits to be sent to a client. */
  readonly outbound?: { readonly congested: boolean };
  /**
   * Takes one message, whose subject the subscription matches, or says false: it is closed, or does not want this one. The message and its
   * bytes are valid until the call returns. `publisher` is null for the house's own messages.
   */
  deliver(leg: Leg, message: Message, publisher: Publisher | null): boolean;
  /** As `deliver`, of a message that is shown under a subject which need not match: a stream or a plugin gives it. */
  deliverShown?(leg: Leg, message: Message, publisher: Publisher | null): boolean;
  /** As `deliver`, of a traced message: says in the trace what became of it, and takes nothing when only the trace is wanted. */
  deliverTraced?(leg: Leg, message: Message, delivery: TracedDelivery): boolean;
  /** For one that only hands messages on to another account: as what that imports them. */
  readonly link?: 'stream' | 'service';
  /** For a stream's import: a member here for each member of a queue group there that listens to what is published here on `subject`. */
  membersBehind?(subject: string): readonly Subscription[];
  /** For one that only hands messages on: whether somebody listens on its far side to what is published here on `subject`. */
  hasListener?(subject: string): boolean;
  /** For one that only hands messages on: as `Account.isCongested`. */
  isCongested?(address: Message): boolean;
  /** For one that only hands messages on: as `Account.deliverTo`. */
  deliverTo?(address: Message, message: Message): number;
}

/** Whoever gives messages to the broker. */
export interface Publisher {
  /** What it may publish; null is everything. */
  readonly permissions: Permissions | null;
  /** Whether a message to this reply subject answers one that it was sent (`allow_responses`). */
  mayRespond(message: Message): boolean;
  /** A plugin refused its message. Only called within `publish`, when the message had no reply subject to answer to. */
  onRejected(message: Message, code: number, text: string): void;
  /** Its messages that wait for plugins beside the event loop, and those behind them; null when none do. */
  lane?: Lane | null;
  /** What became of a message that had to wait: how many receivers took it, or `PUBLISH_CONSUMED`. */
  onSettled?(message: Message, receivers: number): void;
  /** Who it is, as another account is told: all of it, or (not `detailed`) only its account. */
  requestInfo?(detailed: boolean): object;
  /** What it may do, as it is told itself. */
  userInfo?(): object;
}

/** Which receivers of a subject a message reaches that came into the account by an import. */
export interface Part {
  /** Whether those that are in no queue group are among them. */
  plain: boolean;
  /** The queue groups that are; null is all. */
  groups: readonly string[] | null;
  /** Whether it may go on to other accounts' services. */
  services: boolean;
}

/** What goes with a traced message from account to account. */
export interface TracedDelivery {
  readonly trace: MessageTrace;
  readonly publisher: Publisher | null;
  /** Whether the account imports the message as part of a stream. */
  readonly imported: boolean;
  /** Which receivers it may reach; null is all. */
  readonly part: Part | null;
  /** Whether the import does not allow to be traced: the message goes on, and the trace does not say where. */
  readonly hidden: boolean;
  /** Why the receiver gets nothing of it, or null. */
  readonly withheld: string | null;
}

/** One subject filter of one subscriber. */
export class Subscription implements TrieValue {
  readonly subscriber: Subscriber;
  /** The filter as text; bytes that are not UTF-8 are lost in it, `filterBytes` is what counts. */
  readonly filter: string;
  readonly filterBytes: Uint8Array;
  readonly queue: string | null;
  /** The subscriber's own name for it. */
  readonly sid: Uint8Array;
  trieSlot = 0;
  /** Messages delivered so far, and how many may be in all; 0 is no limit. */
  delivered = 0;
  deliveredMax = 0;
  closed = false;
  /** Whether it matches more than one subject. */
  readonly isWide: boolean;
  /** The house's own: nobody counts it. */
  readonly hidden: boolean;

  constructor(subscriber: Subscriber, filter: Uint8Array, queue: string | null, sid: Uint8Array, hidden = false) {
    this.subscriber = subscriber;
    this.filter = textOf(filter);
    this.filterBytes = filter;
    this.queue = queue;
    this.sid = sid;
    this.isWide = hasWildcard(this.filter);
    this.hidden = hidden;
  }
}

/** One subscription as a route reaches it. */
export class Leg {
  subscription: Subscription;
  /** Plugins between the message and this receiver, or null. */
  chain: DeliveryChain | null = null;

  constructor(subscription: Subscription) {
    this.subscription = subscription;
  }
}

/** Gives a message that is shown under a subject which need not be the one that led to the receiver. */
export function showTo(leg: Leg, message: Message, publisher: Publisher | null): boolean {
  const { subscriber } = leg.subscription;
  return subscriber.deliverShown === undefined
    ? subscriber.deliver(leg, message, publisher)
    : subscriber.deliverShown(leg, message, publisher);
}

export function copyOf({ subscription, chain }: Leg): Leg {
  const copy = new Leg(subscription);
  copy.chain = chain;
  return copy;
}
