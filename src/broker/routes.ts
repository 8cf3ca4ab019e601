import { hasAnyPrefix, textOf, utf8 } from '../base/bytes.js';
import type { AttachmentSet } from '../host/attachment-set.js';
import type { DeliveryChain, Giver } from '../host/delivery-chain.js';
import { hashSubject, type Message } from '../message/message.js';
import { filterMatches, hasWildcard } from '../subject/subject.js';
import { SubjectTrie } from '../subject/trie.js';
import { AnswerRoutes } from './answer-routes.js';
import type { Mapping, Mappings } from './mappings.js';
import { Route } from './route.js';
import { RouteCache } from './route-cache.js';
import { Leg, type Subscription } from './subscription.js';

/** With more cached routes than this, a new wildcard subscription forgets them all instead of looking at each. */
const SCANNED_ROUTES_MAX = 256;
/**
 * The share of look-ups that miss whose route is kept. A subject that is used again and again is soon among them; one that is
 * used once, as the reply subject of a request, mostly costs no memory (bench/micro/route.ts).
 */
const KEPT_SHARE = 1 / 32;

/** An account's interest, and what follows from it for each subject: its route, from the cache or made now. */
export class Routes {
  readonly cache = new RouteCache();
  readonly interest = new SubjectTrie<Subscription>();
  private readonly answers = new AnswerRoutes();
  private readonly attachments: AttachmentSet | null;
  private readonly random: () => number;
  private readonly passing: Passing[] = [newPassing()];
  private readonly found: Subscription[] = [];
  private mappings: Mappings | null = null;
  /** Subjects that had to be matched with every subscription. */
  walks = 0;

  constructor(attachments: AttachmentSet | null, random: () => number) {
    this.attachments = attachments;
    this.random = random;
    attachments?.onChange(() => this.cache.clear());
  }

  /** The route of the message's subject. One that is not kept is valid until the next look-up, or until its delivery ends. */
  lookup(message: Message): Route {
    return this.cache.lookup(message) ?? this.make(message);
  }

  /** The receivers of an answer, whose subject will hardly come again: its route is not kept, if that can be helped. Who else may have to do with it is not said. */
  lookupOnce(message: Message): Route {
    const known = this.answers.find(message) ?? this.cache.lookup(message);
    if (known !== null) return known;
    const route = this.make(message, 0);
    if (!route.kept && !this.interest.endsLiterally && this.random() < KEPT_SHARE) this.answers.keep(message, route);
    return route;
  }

  add(subscription: Subscription): void {
    this.interest.insert(subscription.filterBytes, subscription);
    this.interestChanged(subscription);
  }

  /** Whether it was there. */
  remove(subscription: Subscription): boolean {
    if (!this.interest.remove(subscription.filterBytes, subscription)) return false;
    this.interestChanged(subscription);
    return true;
  }

  /** Null is no mappings. */
  setMappings(mappings: Mappings | null): void {
    if (mappings === null && this.mappings === null) return;
    this.mappings = mappings;
    this.cache.clear();
  }

  /** The mapping for a subject, or null. */
  mappingFor(subject: string): Mapping | null {
    if (this.mappings === null) return null;
    const bytes = utf8(subject);
    return this.mappings.find(bytes, 0, bytes.length);
  }

  /** Whether any subscription matches the subject. */
  hasInterest(subject: string): boolean {
    const bytes = utf8(subject);
    return this.match(bytes, 0, bytes.length).length > 0;
  }

  /** The same for those that do not hand the message on to other accounts. */
  hasReceiver(subject: string): boolean {
    const bytes = utf8(subject);
    return this.match(bytes, 0, bytes.length).some(({ subscriber }) => subscriber.link === undefined);
  }

  /** The queue groups that listen to the subject, each as often as it has members that do. */
  queuesOn(subject: string): string[] {
    const bytes = utf8(subject);
    const queues: string[] = [];
    for (const { queue } of this.match(bytes, 0, bytes.length)) if (queue !== null) queues.push(queue);
    return queues;
  }

  private make(message: Message, keptShare = KEPT_SHARE): Route {
    this.walks++;
    const { bytes, subjectStart, subjectEnd } = message;
    const passing = this.freePassing();
    const keep = passing === null || (keptShare > 0 && this.random() < keptShare);
    const route = keep ? new Route(bytes.slice(subjectStart, subjectEnd), message.subjectHash) : passing.route;
    this.addLegs(route, message, keep ? null : passing.legs);
    route.chain = this.attachments?.chainFor(bytes, subjectStart, subjectEnd) ?? null;
    route.filtered = this.attachments?.anyDelivery === true && this.addDeliveryChains(route, message);
    route.reserved = hasAnyPrefix(bytes, subjectStart, subjectEnd, RESERVED);
    route.mapping = this.mappings?.find(bytes, subjectStart, subjectEnd) ?? null;
    route.special = route.reserved || route.mapping !== null;
    route.permissions = null;
    if (keep) this.cache.insert(route);
    return route;
  }

  private match(bytes: Uint8Array, start: number, end: number): Subscription[] {
    const found = this.found;
    empty(found);
    this.interest.match(bytes, start, end, found);
    return found;
  }

  /** A route that may be used until its delivery ends; null in the depth of deliveries that lead to others. */
  private freePassing(): Passing | null {
    const { passing } = this;
    for (let i = 0; i < passing.length; i++) if (!passing[i].route.busy) return passing[i];
    if (passing.length === PASSING_MAX) return null;
    passing.push(newPassing());
    return passing[passing.length - 1];
  }

  /** `passing`: legs to be used again, of a route that is not kept. */
  private addLegs(route: Route, message: Message, passing: Leg[] | null): void {
    const found = this.match(message.bytes, message.subjectStart, message.subjectEnd);
    const { legs, groups } = route;
    empty(legs);
    empty(groups);
    route.linked = false;
    let imports: Leg[] | null = null;
    for (let i = 0; i < found.length; i++) {
      const leg = passing === null ? new Leg(found[i]) : passingLeg(passing, i, found[i]);
      if (found[i].hidden && found[i].subscriber.link !== undefined) {
        route.linked = true;
        if (found[i].subscriber.link === 'stream') {
          imports ??= [];
          imports.push(leg);
          continue;
        }
      }
      if (leg.subscription.queue === null) legs.push(leg);
      else addToGroup(groups, leg);
    }
    if (imports !== null) addImports(route, message, imports);
  }

  /** Whether plugins run for some of the route's receivers. */
  private addDeliveryChains({ legs, groups }: Route, message: Message): boolean {
    let any = false;
    for (const leg of [...legs, ...groups.flat()]) {
      leg.chain = this.deliveryChain(leg.subscription, message);
      any ||= leg.chain !== null;
    }
    return any;
  }

  /** The plugins between a message and a receiver, or null. */
  deliveryChain(
    { subscriber, filter, queue }: Subscription,
    message: Message,
    giver: Giver | null = null,
  ): DeliveryChain | null {
    const { user } = subscriber;
    if (user === undefined || this.attachments === null) return null;
    const { bytes, subjectStart, subjectEnd } = message;
    return this.attachments.deliveryChainFor(bytes, [subjectStart, subjectEnd], { filter, queue, user, giver });
  }

  /** Forgets the routes on which the subscription is: it was added, or removed, or others listen behind it now. */
  interestChanged(subscription: Subscription): void {
    const { cache } = this;
    this.answers.clear();
    if (!hasWildcard(subscription.filter)) {
      const bytes = subscription.filterBytes;
      cache.forgetSubject(hashSubject(bytes, 0, bytes.length), bytes);
    } else if (cache.size > SCANNED_ROUTES_MAX) cache.clear();
    else if (cache.size > 0) {
      const filter = subscription.filter;
      cache.forget((route) => filterMatches(filter, textOf(route.subject)));
    }
  }
}

/** A route that is not kept, and its legs. */
interface Passing {
  route: Route;
  legs: Leg[];
}

/** A message, the answer to it, and what that may lead to. */
const PASSING_MAX = 3;
/** Legs that are kept for routes that are not. */
const PASSING_LEGS_MAX = 64;

function newPassing(): Passing {
  return { route: new Route(null, 0), legs: [] };
}

function passingLeg(legs: Leg[], index: number, subscription: Subscription): Leg {
  const leg = legs[index];
  if (leg !== undefined) {
    leg.subscription = subscription;
    return leg;
  }
  const made = new Leg(subscription);
  if (index < PASSING_LEGS_MAX) legs[index] = made;
  return made;
}

/** What `length = 0` does, ten times as fast for the few that there are. */
function empty(list: unknown[]): void {
  while (list.length > 0) list.pop();
}

function addToGroup(groups: Leg[][], leg: Leg): void {
  const { queue } = leg.subscription;
  for (const members of groups) {
    if (members[0].subscription.queue !== queue) continue;
    members.push(leg);
    return;
  }
  groups.push([leg]);
}

/**
 * Accounts that import the subject as a stream: a queue group has its members in all of them, and one of all gets the message. Each
 * import comes after the groups, when it is known in which of them somebody on its far side was chosen.
 */
function addImports({ groups }: Route, { bytes, subjectStart, subjectEnd }: Message, imports: readonly Leg[]): void {
  const subject = textOf(bytes, subjectStart, subjectEnd);
  for (const { subscription } of imports)
    for (const member of subscription.subscriber.membersBehind!(subject)) addToGroup(groups, new Leg(member));
  for (const leg of imports) groups.push([leg]);
}

const RESERVED = ['_GR_.', '$GR.', '$NRG.'].map(utf8);
