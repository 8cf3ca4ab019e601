import { textOf } from '../base/bytes.js';
import { type Chain, ChainOutcome } from '../host/chain.js';
import { ChainRun } from '../host/chain-run.js';
import { ChainWatch } from '../host/chain-watch.js';
import { keepMessage } from '../message/kept.js';
import type { Message } from '../message/message.js';
import { type FilteredDelivery, PUBLISH_CONSUMED, sameSubject } from './delivery.js';
import { HeldMessage, type Origin, type Publishing } from './held-message.js';
import type { Lane } from './lane.js';
import type { MessageTrace } from './message-trace.js';
import { partOf } from './part.js';
import type { Route } from './route.js';
import { copyOf, type Leg, type Publisher, type TracedDelivery } from './subscription.js';

/** The account that the message is published in. */
interface TracedAccount {
  readonly name: string;
  readonly random: () => number;
  routeOf(message: Message): Route;
  permits(route: Route, message: Message, publisher: Publisher): boolean;
  chainOf(message: Message): Chain | null;
  laneFor(publisher: Publisher | null): Lane;
  reject(message: Message, publisher: Publisher | null, code: number, text: string): void;
  beginDelivery(publisher: Publisher | null): FilteredDelivery;
  endDelivery(): void;
  drainEmits(): void;
}

/** The message as it comes from a client of the account. */
export function tracedFrom(trace: MessageTrace, publisher: Publisher | null): TracedDelivery {
  return { trace, publisher, imported: false, part: null, hidden: false, withheld: null };
}

/** What plugins made of a message. */
interface Heard {
  readonly outcome: number;
  /** After `replace`. */
  readonly made: Message;
  /** After `reject`. */
  readonly rejectCode: number;
  readonly rejectText: string;
}

/**
 * Publishes as `Account` does, a step at a time, and notes each of them: a message that has to wait for plugins beside the event loop, or behind
 * others that do, waits in the same lane. Nothing is delivered when only the trace is wanted.
 */
export class TracedPublish implements Publishing {
  private readonly account: TracedAccount;
  readonly trace: MessageTrace;
  readonly watch: ChainWatch;
  private readonly delivery: TracedDelivery;
  /** What plugins of receivers would make of the message, when only the trace is wanted. */
  private readonly rehearsed = new Map<Chain, Message | null>();

  constructor(account: TracedAccount, delivery: TracedDelivery) {
    this.account = account;
    this.trace = delivery.trace;
    this.delivery = delivery;
    this.watch = new ChainWatch(this.trace.clock);
  }

  /** Answers as `publishOn`. */
  run(message: Message): number {
    const delivered = this.waits(message) ? this.hold(message) : this.goOn(message);
    this.account.drainEmits();
    return delivered;
  }

  /** Copies of plugins are asked when it is the message's turn. */
  chainOf(message: Message): Chain | null {
    return this.trace.only ? null : this.account.chainOf(message);
  }

  settleHeld(message: Message, _: Origin, run: ChainRun | null): number {
    const delivered = run === null ? this.goOn(message) : this.goOnFrom(run, message);
    this.account.drainEmits();
    return delivered;
  }

  private waits(message: Message): boolean {
    const { publisher, imported, part } = this.delivery;
    const lane = publisher?.lane ?? null;
    // What its client sent before waits too.
    if (lane !== null && part === null) return true;
    if (this.trace.only) return false;
    return (imported && lane?.hasImports === true) || this.account.chainOf(message)?.beside === true;
  }

  private hold(message: Message): number {
    const { account, delivery, trace } = this;
    const lane = account.laneFor(delivery.publisher);
    const chain = this.chainOf(message);
    if (chain?.beside && lane.isOverfull) return this.goOnFrom(ChainRun.refused(chain, message, this.watch), message);
    trace.begin();
    lane.add(new HeldMessage(this, keepMessage(message), delivery));
    return PUBLISH_CONSUMED;
  }

  private goOn(message: Message): number {
    const route = this.routeOf(message);
    const { chain } = route;
    if (chain === null) return this.deliver(route, message);
    // It came to plugins there while it waited.
    if (chain.beside && !this.trace.only) return this.hold(message);
    const running = this.trace.only ? chain.rehearsal() : chain;
    const outcome = this.watched(running, message);
    const { replaced, rejectCode, rejectText } = running;
    const delivered = this.deliverHeard(message, { outcome, made: replaced, rejectCode, rejectText });
    if (outcome === ChainOutcome.replace) running.release(replaced);
    return delivered;
  }

  private goOnFrom(run: ChainRun, message: Message): number {
    const { outcome, frame, rejectCode, rejectText } = run;
    this.notePlugins();
    const delivered = this.deliverHeard(message, { outcome, made: frame, rejectCode, rejectText });
    run.release();
    return delivered;
  }

  private routeOf(message: Message): Route {
    const route = this.account.routeOf(message);
    return this.delivery.part === null ? route : partOf(route, this.delivery.part);
  }

  private deliverHeard(message: Message, { outcome, made, rejectCode, rejectText }: Heard): number {
    switch (outcome) {
      case ChainOutcome.pass:
        return this.deliver(this.routeOf(message), message);
      case ChainOutcome.replace:
        return this.deliverReplaced(message, made);
      case ChainOutcome.reject:
        this.refused(`Rejected by a plugin: ${rejectCode} ${rejectText}`);
        if (!this.trace.only) this.reject(message, rejectCode, rejectText);
        return PUBLISH_CONSUMED;
      default:
        this.refused('Dropped by a plugin');
        return 0;
    }
  }

  private deliverReplaced(message: Message, made: Message): number {
    const { account } = this;
    const { publisher, imported } = this.delivery;
    const route = sameSubject(message, made) ? this.routeOf(made) : account.routeOf(made);
    if (publisher === null || imported || account.permits(route, made, publisher)) return this.deliver(route, made);
    this.refused(NOT_PERMITTED);
    if (!this.trace.only) this.reject(message, 403, NOT_PERMITTED);
    return PUBLISH_CONSUMED;
  }

  /** The publisher of another account hears nothing of what is decided here. */
  private reject(message: Message, code: number, text: string): void {
    this.account.reject(message, this.delivery.imported ? null : this.delivery.publisher, code, text);
  }

  private watched(chain: Chain, message: Message): number {
    chain.watch = this.watch;
    const outcome = chain.run(message);
    chain.watch = null;
    this.notePlugins();
    return outcome;
  }

  /** What becomes of it in another account is not the ingress's error. */
  private refused(why: string): void {
    if (this.account.name === this.trace.account) this.trace.refused(why);
  }

  private notePlugins(): void {
    if (this.delivery.hidden) this.watch.take();
    for (const call of this.watch.take()) this.trace.plugin(this.account.name, call);
  }

  private deliver({ legs, groups }: Route, message: Message): number {
    const filtered = this.account.beginDelivery(this.delivery.publisher);
    // The route may be gone, or be another one's, after the first of them.
    const ones = legs.map(copyOf);
    const choices = groups.map((members) => members.map(copyOf));
    let delivered = 0;
    for (const leg of ones) if (this.deliverOne(leg, message, filtered)) delivered++;
    for (const members of choices) if (this.deliverToOne(members, message, filtered)) delivered++;
    this.account.endDelivery();
    return delivered;
  }

  private deliverToOne(members: readonly Leg[], message: Message, filtered: FilteredDelivery): boolean {
    const first = Math.floor(this.account.random() * members.length);
    return members.some((_, i) => this.deliverOne(members[(first + i) % members.length], message, filtered));
  }

  private deliverOne(leg: Leg, message: Message, filtered: FilteredDelivery): boolean {
    const seen = this.seenBy(leg, message, filtered);
    const { subscriber } = leg.subscription;
    if (seen === null) {
      subscriber.deliverTraced?.(leg, message, { ...this.delivery, withheld: KEPT_BACK });
      return true;
    }
    if (subscriber.deliverTraced !== undefined) return subscriber.deliverTraced(leg, seen, this.delivery);
    // The house's own: what they are asked would be done.
    return this.trace.only || subscriber.deliver(leg, seen, this.delivery.publisher);
  }

  /** What the plugins before the receiver leave of the message, or null. */
  private seenBy({ chain }: Leg, message: Message, filtered: FilteredDelivery): Message | null {
    if (chain === null) return message;
    if (this.trace.only) return this.rehearse(chain.chain, message);
    chain.chain.watch = this.watch;
    const seen = chain.outcomeOf(message, filtered);
    chain.chain.watch = null;
    this.notePlugins();
    return seen;
  }

  private rehearse(chain: Chain, message: Message): Message | null {
    const known = this.rehearsed.get(chain);
    if (known !== undefined) return known;
    const rehearsal = chain.rehearsal();
    const outcome = this.watched(rehearsal, message);
    const replaced = outcome === ChainOutcome.replace ? rehearsal.replaced : null;
    const seen = outcome === ChainOutcome.pass ? message : replaced;
    this.rehearsed.set(chain, seen);
    return seen;
  }
}

const NOT_PERMITTED = 'the publisher may not publish to the subject that a plugin chose';

const KEPT_BACK = 'Not delivered because a plugin dropped it for this receiver';

/** The subject of a message, as text. */
export function subjectOf({ bytes, subjectStart, subjectEnd }: Message): string {
  return textOf(bytes, subjectStart, subjectEnd);
}
