import { textOf, utf8 } from '../base/bytes.js';
import type { AttachmentSet } from '../host/attachment-set.js';
import { type Chain, ChainOutcome } from '../host/chain.js';
import { ChainRun } from '../host/chain-run.js';
import type { DeliveryChain, Giver } from '../host/delivery-chain.js';
import type { EmitQueue } from '../host/emit-queue.js';
import { composeRejection } from '../host/rejection.js';
import type { PluginTurn } from '../host/turn.js';
import { keepMessage } from '../message/kept.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { type AccountLimits, type AccountSettings, NO_LIMITS } from './account-settings.js';
import { deliverThrough, type FilteredDelivery, PUBLISH_CONSUMED, sameSubject } from './delivery.js';
import { handOut } from './hand-out.js';
import { HeldMessage, laneOf, type Origin } from './held-message.js';
import { Lane } from './lane.js';
import { Mappings } from './mappings.js';
import { partOf, REQUESTED } from './part.js';
import type { Route } from './route.js';
import { Routes } from './routes.js';
import type { Leg, Part, Publisher, Subscription, TracedDelivery } from './subscription.js';
import { TracedPublish } from './traced-publish.js';

/** What plugins do in an account: where chains come from and where what they emit waits. */
export interface AccountPlugins {
  readonly attachments: AttachmentSet;
  readonly emits: EmitQueue;
  readonly turn: PluginTurn;
}

/** What is known about an account's interest, for monitoring. */
export interface InterestStats {
  subscriptions: number;
  /** Subscriptions ever made and ended. */
  inserts: number;
  removes: number;
  /** Subjects that were not in the cache and had to be matched with every subscription. */
  walks: number;
  cachedRoutes: number;
  /** Receivers of the cached routes: one of each queue group. */
  fanoutMax: number;
  fanoutMean: number;
}

/** Told of a subscription that was made (`added`) or ended. */
type InterestWatcher = (subscription: Subscription, added: boolean) => void;

/** A room of subjects of its own: interest, routes and plugins. Messages leave it only by what another account imports. */
export class Account {
  readonly name: string;
  private readonly watchers = new Set<InterestWatcher>();
  private readonly routes: Routes;
  private readonly plugins: AccountPlugins | null;
  readonly random: () => number;
  private draining = false;
  /** Of the house's own messages: what plugins emitted, what comes from other accounts. */
  private ownLane: Lane | null = null;
  /** Messages that went through plugins of receivers, and how many of them are on their way. */
  private deliveries = 0;
  private underWay = 0;
  limits: AccountLimits = NO_LIMITS;
  /** Connections that are in it. */
  clients = 0;
  /** What it has is still being brought back, its streams; null as a rule. Who comes in waits for it, also into an account that imports from this one. */
  opening: Promise<void> | null = null;
  /** What people call it, where its name is a key. */
  label = '';
  private inserts = 0;
  private removes = 0;
  private hidden = 0;

  constructor(name: string, plugins: AccountPlugins | null, random: () => number) {
    this.name = name;
    this.plugins = plugins;
    this.random = random;
    this.routes = new Routes(plugins?.attachments ?? null, random);
    plugins?.emits.onWake(() => this.drainEmits());
  }

  /** A smaller cache of routes, from now on. */
  keepFewRoutes(): void {
    this.routes.cache.keepFew();
  }

  /** Subscriptions at present. */
  get subscriptions(): number {
    return this.routes.interest.size - this.hidden;
  }

  interestStats(): InterestStats {
    const { inserts, removes, subscriptions } = this;
    const { walks, cache } = this.routes;
    let fanoutMax = 0;
    let receivers = 0;
    cache.forEach(({ legs, groups }) => {
      const fanout = legs.length + groups.length;
      fanoutMax = Math.max(fanoutMax, fanout);
      receivers += fanout;
    });
    const cachedRoutes = cache.size;
    const fanoutMean = cachedRoutes === 0 ? 0 : receivers / cachedRoutes;
    return { subscriptions, inserts, removes, walks, cachedRoutes, fanoutMax, fanoutMean };
  }

  forEachSubscription(visit: (subscription: Subscription) => void): void {
    this.routes.interest.forEach(visit);
  }

  subscribe(subscription: Subscription): void {
    this.routes.add(subscription);
    if (subscription.hidden) this.hidden++;
    else this.inserts++;
    for (const watcher of this.watchers) watcher(subscription, true);
  }

  unsubscribe(subscription: Subscription): void {
    if (!this.routes.remove(subscription)) return;
    if (subscription.hidden) this.hidden--;
    else this.removes++;
    for (const watcher of this.watchers) watcher(subscription, false);
  }

  /** Calls `watcher` for every subscription that comes or goes, until what it answers is called. */
  watchInterest(watcher: InterestWatcher): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Whether any subscription matches the subject. */
  hasInterest(subject: string): boolean {
    return this.routes.hasInterest(subject);
  }

  /** The same for those that do not hand the message on to other accounts. */
  hasReceiver(subject: string): boolean {
    return this.routes.hasReceiver(subject);
  }

  /** The queue groups that listen to the subject, each as often as it has members that do. */
  queuesOn(subject: string): string[] {
    return this.routes.queuesOn(subject);
  }

  /** Tells who watches that somebody came, or went, behind a subscription that only hands messages on. */
  interestBehind(subscription: Subscription, added: boolean): void {
    for (const watcher of this.watchers) watcher(subscription, added);
  }

  /** Others listen now behind a subscription that only hands messages on. */
  receiversChanged(subscription: Subscription): void {
    this.routes.interestChanged(subscription);
  }

  /** The route of the message's subject, valid until the next one is asked for. */
  routeOf(message: Message): Route {
    return this.routes.lookup(message);
  }

  /** Publishes one of the house's own messages: plugins, then delivery. Answers as `publishOn`. */
  publish(message: Message): number {
    return this.publishOn(this.routeOf(message), message, null);
  }

  /**
   * Plugins, then delivery, of a message whose route and permission were looked up. Answers how many receivers took it, or
   * `PUBLISH_CONSUMED`.
   */
  publishOn(route: Route, message: Message, publisher: Publisher | null): number {
    if (route.chain !== null) return this.publishThroughChain(route, message, publisher);
    return this.deliver(route, message, publisher);
  }

  /** Publishes what another account asks of a service here. */
  publishRequest(message: Message): number {
    const route = partOf(this.routeOf(message), REQUESTED);
    if (route.chain !== null) return this.publishThroughChain(route, message, null, REQUESTED);
    return this.deliver(route, message, null);
  }

  /** Publishes behind the messages in the publisher's lane. What comes of it is told by `onSettled`. */
  publishBehind(route: Route, message: Message, publisher: Publisher): number {
    return this.hold(route, message, { publisher, imported: false, part: null });
  }

  /** As `publishOn`, a step at a time: the trace is told each of them. */
  publishTraced(message: Message, delivery: TracedDelivery): number {
    return new TracedPublish(this, delivery).run(message);
  }

  /** Plugins had their share of this turn of the event loop: whoever sends them more reads no further and waits for `nextTurn`. */
  get shouldRest(): boolean {
    return this.plugins?.turn.spent === true;
  }

  /** They had so much more than their share that what was read already waits as well. */
  get mustRest(): boolean {
    return this.plugins?.turn.overdrawn === true;
  }

  nextTurn(run: () => void): void {
    this.plugins?.turn.later(run);
  }

  /** Publishes past the plugins: what the house itself has to say. */
  publishDirect(message: Message): number {
    return this.deliverPlain(this.routeOf(message), message, null);
  }

  /** The same for an answer, on a reply subject that was made for it. */
  answer(message: Message): number {
    return this.deliverPlain(this.routes.lookupOnce(message), message, null);
  }

  /**
   * Delivers to whoever listens on the subject of `address`, and shows them the message under its own subject: how a stream hands out
   * what it stored. Answers how many took it, or `WITHHELD`. The message's bytes are its maker's as ever; `address` may be kept and used again.
   */
  deliverTo(address: Message, message: Message, giver: Giver | null = null): number {
    return handOut(this, this.routeOf(address), { address, message, giver });
  }

  /** The same for what comes by an import. */
  deliverToPart(address: Message, message: Message, part: Part): number {
    return handOut(this, partOf(this.routeOf(address), part), { address, message, giver: null });
  }

  get hasDeliveryPlugins(): boolean {
    return this.plugins?.attachments.anyDelivery === true;
  }

  /** The plugins between a message and a receiver, or null. */
  deliveryChain(subscription: Subscription, message: Message, giver: Giver | null): DeliveryChain | null {
    return this.routes.deliveryChain(subscription, message, giver);
  }

  /** Delivers what comes from another account, through the plugins here; its publisher there hears nothing of what they decide. */
  deliverImported(message: Message, publisher: Publisher | null, part: Part): number {
    const route = partOf(this.routeOf(message), part);
    if (route.chain?.beside || publisher?.lane?.hasImports) {
      return this.hold(route, message, { publisher, imported: true, part });
    }
    if (route.chain === null) return this.deliver(route, message, publisher);
    return this.publishThroughChain(route, message, null, part);
  }

  /** Whether what comes from another account has plugins here, or waits behind what has: then all of it comes at once, for all who get it. */
  comesInOne(message: Message, publisher: Publisher | null): boolean {
    return publisher?.lane?.hasImports === true || (this.plugins !== null && this.routeOf(message).chain !== null);
  }

  /** Takes limits and mappings on. */
  configure({ limits, mappings }: AccountSettings): void {
    this.limits = limits;
    this.routes.setMappings(mappings.length === 0 ? null : new Mappings(mappings, this.random));
  }

  /** Where a message to this subject goes; null is nowhere. */
  mappedSubject(subject: string): string | null {
    const mapping = this.routes.mappingFor(subject);
    return mapping === null ? subject : mapping.pick(subject);
  }

  /** Whether anybody listens on the subject of `address`. */
  hasInterestIn(address: Message): boolean {
    const { legs, groups } = this.routeOf(address);
    const receivers = [...legs, ...groups.flat()].map((leg) => leg.subscription.subscriber);
    if (receivers.length === 0) return false;
    const subject = textOf(address.bytes, address.subjectStart, address.subjectEnd);
    return receivers.some((receiver) => receiver.hasListener === undefined || receiver.hasListener(subject));
  }

  /** The same for a subject, when it is asked for now and then. */
  hasListener(subject: string): boolean {
    return this.hasInterestIn(
      composeMessage({ subject: utf8(subject), reply: null, headers: null, payload: NO_BYTES }),
    );
  }

  /** Whether so much waits for a client that listens on the subject of `address` that it should be given more only when it has read. */
  isCongested(address: Message): boolean {
    const { legs, groups } = this.routeOf(address);
    return [...legs, ...groups.flat()].some(
      ({ subscription: { subscriber } }) => subscriber.outbound?.congested || subscriber.isCongested?.(address),
    );
  }

  /** Whether the publisher may publish on this route; the last answer is kept with the route. */
  permits(route: Route, message: Message, publisher: Publisher): boolean {
    if (route.reserved) return false;
    const permissions = publisher.permissions;
    if (permissions === null) return true;
    if (route.permissions !== permissions) {
      route.permissions = permissions;
      route.permitted = permissions.publishAllowed(message.bytes, message.subjectStart, message.subjectEnd);
    }
    return route.permitted || publisher.mayRespond(message);
  }

  private deliver(route: Route, message: Message, publisher: Publisher | null): number {
    if (route.filtered) return this.deliverFiltered(route, message, publisher);
    return this.deliverPlain(route, message, publisher);
  }

  private deliverPlain(route: Route, message: Message, publisher: Publisher | null): number {
    if (route.kept) return this.deliverAll(route, message, publisher);
    route.busy = true;
    const delivered = this.deliverAll(route, message, publisher);
    route.busy = false;
    return delivered;
  }

  private deliverAll({ legs, groups }: Route, message: Message, publisher: Publisher | null): number {
    let delivered = 0;
    for (let i = 0; i < legs.length; i++) {
      const leg = legs[i];
      if (leg.subscription.subscriber.deliver(leg, message, publisher)) delivered++;
    }
    for (let i = 0; i < groups.length; i++) if (this.deliverToOne(groups[i], message, publisher)) delivered++;
    return delivered;
  }

  /** As `deliverAll`, through the plugins that some of the receivers have before them. */
  private deliverFiltered(route: Route, message: Message, publisher: Publisher | null): number {
    const { legs, groups } = route;
    const delivery = this.beginDelivery(publisher);
    const wasBusy = route.busy;
    route.busy = true;
    let delivered = 0;
    for (let i = 0; i < legs.length; i++) if (deliverThrough(legs[i], message, delivery)) delivered++;
    for (let i = 0; i < groups.length; i++) if (this.deliverToOneThrough(groups[i], message, delivery)) delivered++;
    route.busy = wasBusy;
    this.endDelivery();
    this.drainEmits();
    return delivered;
  }

  beginDelivery(publisher: Publisher | null): FilteredDelivery {
    return { publisher, number: ++this.deliveries, nested: this.underWay++ > 0 };
  }

  endDelivery(): void {
    this.underWay--;
  }

  private deliverToOneThrough(members: Leg[], message: Message, delivery: FilteredDelivery): boolean {
    const first = Math.floor(this.random() * members.length);
    for (let i = 0; i < members.length; i++) {
      if (deliverThrough(members[(first + i) % members.length], message, delivery)) return true;
    }
    return false;
  }

  /** A random member, or the next one that takes it. */
  private deliverToOne(members: Leg[], message: Message, publisher: Publisher | null): boolean {
    const first = Math.floor(this.random() * members.length);
    for (let i = 0; i < members.length; i++) {
      const leg = members[(first + i) % members.length];
      if (leg.subscription.subscriber.deliver(leg, message, publisher)) return true;
    }
    return false;
  }

  private publishThroughChain(
    route: Route,
    message: Message,
    publisher: Publisher | null,
    part: Part | null = null,
  ): number {
    const chain = route.chain!;
    if (chain.beside) return this.hold(route, message, { publisher, imported: false, part });
    let delivered = PUBLISH_CONSUMED;
    switch (chain.run(message)) {
      case ChainOutcome.pass:
        delivered = this.deliver(route, message, publisher);
        break;
      case ChainOutcome.replace:
        delivered = this.deliverReplaced(chain, message, { publisher, part });
        break;
      case ChainOutcome.reject:
        this.reject(message, publisher, chain.rejectCode, chain.rejectText);
        break;
      default:
        delivered = 0; // drop: as if nobody had subscribed.
    }
    this.drainEmits();
    return delivered;
  }

  private deliverReplaced(chain: Chain, message: Message, { publisher, part }: Omit<Origin, 'imported'>): number {
    // Delivering may lead to messages that run through the same chain.
    const { replaced } = chain;
    const delivered = this.deliverIfPermitted(message, replaced, { publisher, part });
    chain.release(replaced);
    return delivered;
  }

  /** Keeps a message until its plugins beside the event loop have answered, and those of the same publisher before it are on their way. */
  private hold({ chain }: Route, message: Message, origin: Origin): number {
    const lane = this.laneFor(origin.publisher);
    if (chain?.beside && lane.isOverfull) return this.settleHeld(message, origin, ChainRun.refused(chain, message));
    lane.add(new HeldMessage(this, keepMessage(message), origin));
    return PUBLISH_CONSUMED;
  }

  /** Where messages of a publisher wait. */
  laneFor(publisher: Publisher | null): Lane {
    if (publisher !== null) return laneOf(publisher);
    this.ownLane ??= new Lane(() => {
      this.ownLane = null;
      this.drainEmits();
    });
    return this.ownLane;
  }

  /** The plugins that a message goes through, as things are. */
  chainOf(message: Message): Chain | null {
    return this.routeOf(message).chain;
  }

  /** It is a held message's turn: `run` is what its plugins came to, null when those that it has are not beside the event loop. */
  settleHeld(message: Message, { publisher, imported, part }: Origin, run: ChainRun | null): number {
    const found = this.routeOf(message);
    const route = part === null ? found : partOf(found, part);
    const sender = imported ? null : publisher;
    if (run === null) {
      return route.chain === null
        ? this.deliver(route, message, publisher)
        : this.publishThroughChain(route, message, sender, part);
    }
    let delivered = PUBLISH_CONSUMED;
    if (run.outcome === ChainOutcome.pass) delivered = this.deliver(route, message, sender);
    else if (run.outcome === ChainOutcome.replace)
      delivered = this.deliverIfPermitted(message, run.frame, { publisher: sender, part });
    else if (run.outcome === ChainOutcome.reject) this.reject(message, sender, run.rejectCode, run.rejectText);
    else delivered = 0;
    run.release();
    this.drainEmits();
    return delivered;
  }

  /** A plugin may not send a publisher's message where the publisher may not send it. Elsewhere all receivers get it. */
  private deliverIfPermitted(
    message: Message,
    replaced: Message,
    { publisher, part }: Omit<Origin, 'imported'>,
  ): number {
    const route = this.routeOf(replaced);
    if (sameSubject(message, replaced)) {
      return this.deliver(part === null ? route : partOf(route, part), replaced, publisher);
    }
    if (publisher === null || this.permits(route, replaced, publisher)) return this.deliver(route, replaced, publisher);
    this.reject(message, publisher, 403, 'the publisher may not publish to the subject that a plugin chose');
    return PUBLISH_CONSUMED;
  }

  /** Tells the publisher that a plugin refused its message. */
  reject(message: Message, publisher: Publisher | null, code: number, text: string): void {
    if (message.replyEnd > message.replyStart) {
      const reply = message.bytes.slice(message.replyStart, message.replyEnd);
      this.publishDirect(composeRejection(reply, code, text));
      return;
    }
    publisher?.onRejected(message, code, text);
  }

  /** Publishes what plugins emitted, after the message that led to it; emits of emits follow in turn. */
  drainEmits(): void {
    const emits = this.plugins?.emits;
    if (emits === undefined || this.draining || emits.length === 0) return;
    this.draining = true;
    try {
      while (!this.shouldRest) {
        // What waits for a worker goes first; the rest goes on behind it.
        if (this.ownLane?.isFull) return;
        const entry = emits.shift();
        if (entry === undefined) return;
        if (entry.direct) this.publishDirect(entry.message);
        else if (this.ownLane === null) this.publish(entry.message);
        else this.hold(this.routeOf(entry.message), entry.message, { publisher: null, imported: false, part: null });
      }
      this.nextTurn(() => this.drainEmits());
    } finally {
      this.draining = false;
    }
  }
}
