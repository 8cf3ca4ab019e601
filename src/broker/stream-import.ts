import { textOf, utf8 } from '../base/bytes.js';
import { composeMessage, type Message } from '../message/message.js';
import { filtersOverlap } from '../subject/subject.js';
import { SubjectTransform } from '../subject/transform.js';
import type { Account } from './account.js';
import type { ImportSettings } from './account-settings.js';
import { importedPart } from './part.js';
import {
  type Leg,
  type Part,
  type Publisher,
  type Subscriber,
  Subscription,
  type TracedDelivery,
} from './subscription.js';

/** Accounts that one message may go through. */
const DEPTH_MAX = 32;
let depth = 0;

/**
 * Brings messages of another account here, perhaps under other subjects. It listens there as any subscriber. Members of queue groups
 * here are members there as well (`GroupBehind`): a group is one, in however many accounts its members are. What came goes no further:
 * not to accounts that import from here, nor to services of others.
 */
export class StreamImport implements Subscriber {
  readonly link = 'stream';
  private readonly from: Account;
  private readonly to: Account;
  private readonly rename: ((subject: string) => string) | null;
  private readonly allowTrace: boolean;
  private readonly subscription: Subscription;
  private readonly forget: () => void;
  /** Subscriptions here to what is imported that are of queue groups. */
  private queued = 0;
  /** Groups that a message goes to here, together with those that are in none, once all groups have chosen. */
  private readonly chosen: { message: Message; queue: string }[] = [];

  constructor(from: Account, to: Account, settings: ImportSettings) {
    this.from = from;
    this.to = to;
    this.rename = renameOf(settings);
    this.allowTrace = settings.allowTrace;
    this.subscription = new Subscription(this, utf8(settings.subject), null, utf8('import'), true);
    const here = filterHere(settings);
    to.forEachSubscription(({ filter, queue }) => {
      if (queue !== null && filtersOverlap(filter, here)) this.queued++;
    });
    this.forget = to.watchInterest(({ subscriber, filter, queue }, added) => {
      if (subscriber.link === undefined && filtersOverlap(filter, here)) this.onInterest(queue, added);
    });
    from.subscribe(this.subscription);
  }

  end(): void {
    this.subscription.closed = true;
    this.forget();
    this.from.unsubscribe(this.subscription);
  }

  deliver(_leg: Leg, message: Message, publisher: Publisher | null): boolean {
    const part = importedPart(true, this.takeChosen(message));
    return this.bring(this.renamed(message), publisher, part);
  }

  deliverTraced(_leg: Leg, message: Message, delivery: TracedDelivery): boolean {
    const part = importedPart(true, this.takeChosen(message));
    return this.bringTraced(this.renamed(message), delivery, part);
  }

  deliverTo(address: Message, message: Message): number {
    return this.handOn(address, message, importedPart(true, []));
  }

  membersBehind(subject: string): readonly Subscription[] {
    if (this.queued === 0) return [];
    const members = new Map<string, Subscription>();
    return this.to.queuesOn(this.subjectHere(subject)).map((queue) => {
      const known = members.get(queue);
      if (known !== undefined) return known;
      const { filterBytes, sid } = this.subscription;
      const made = new Subscription(new GroupBehind(this, queue), filterBytes, queue, sid, true);
      members.set(queue, made);
      return made;
    });
  }

  hasListener(subject: string): boolean {
    return this.to.hasReceiver(this.subjectHere(subject));
  }

  /** To one of a group here; when plugins here see the message first, with the rest. */
  deliverToGroup(queue: string, message: Message, publisher: Publisher | null): boolean {
    if (this.subscription.closed) return false;
    const renamed = this.renamed(message);
    if (this.to.comesInOne(renamed, publisher)) return this.choose(queue, message);
    return this.bring(renamed, publisher, importedPart(false, [queue]));
  }

  deliverToGroupTraced(queue: string, message: Message, delivery: TracedDelivery): boolean {
    if (this.subscription.closed) return false;
    const renamed = this.renamed(message);
    if (this.to.comesInOne(renamed, delivery.publisher)) return this.choose(queue, message);
    return this.bringTraced(renamed, delivery, importedPart(false, [queue]));
  }

  handOn(address: Message, message: Message, part: Part): number {
    if (this.subscription.closed) return 0;
    let taken = 0;
    within(() => {
      taken = this.to.deliverToPart(this.renamed(address), message, part);
      return taken > 0;
    });
    return taken;
  }

  /** The message under its subject here. What waits for plugins here, or was rejected by them, was taken all the same. */
  private bring(message: Message, publisher: Publisher | null, part: Part): boolean {
    if (this.subscription.closed || depth >= DEPTH_MAX) return false;
    depth++;
    try {
      return this.to.deliverImported(message, publisher, part) !== 0;
    } finally {
      depth--;
    }
  }

  private bringTraced(message: Message, delivery: TracedDelivery, part: Part): boolean {
    if (this.subscription.closed) return false;
    const hidden = delivery.hidden || !this.allowTrace;
    return within(() => this.to.publishTraced(message, { ...delivery, hidden, part, imported: true }) !== 0);
  }

  private choose(queue: string, message: Message): boolean {
    this.chosen.push({ message, queue });
    return true;
  }

  /** The groups that were chosen for a message. */
  private takeChosen(message: Message): readonly string[] {
    const { chosen } = this;
    if (chosen.length === 0) return NO_GROUPS;
    const mine = chosen.filter((one) => one.message === message).map(({ queue }) => queue);
    const others = chosen.filter((one) => one.message !== message);
    chosen.splice(0, chosen.length, ...others);
    return mine;
  }

  private onInterest(queue: string | null, added: boolean): void {
    if (queue !== null) {
      this.queued += added ? 1 : -1;
      this.from.receiversChanged(this.subscription);
    }
    this.from.interestBehind(this.subscription, added);
  }

  private subjectHere(subject: string): string {
    return this.rename === null ? subject : this.rename(subject);
  }

  private renamed(message: Message): Message {
    if (this.rename === null) return message;
    const { bytes, subjectStart, subjectEnd } = message;
    return withSubject(message, this.rename(textOf(bytes, subjectStart, subjectEnd)));
  }
}

/** A queue group of an account that imports a stream, as a member of the group of the same name where the stream comes from. */
class GroupBehind implements Subscriber {
  readonly link = 'stream';
  private readonly owner: StreamImport;
  private readonly queue: string;

  constructor(owner: StreamImport, queue: string) {
    this.owner = owner;
    this.queue = queue;
  }

  deliver(_leg: Leg, message: Message, publisher: Publisher | null): boolean {
    return this.owner.deliverToGroup(this.queue, message, publisher);
  }

  deliverTraced(_leg: Leg, message: Message, delivery: TracedDelivery): boolean {
    return this.owner.deliverToGroupTraced(this.queue, message, delivery);
  }

  deliverTo(address: Message, message: Message): number {
    return this.owner.handOn(address, message, importedPart(false, [this.queue]));
  }
}

const NO_GROUPS: readonly string[] = [];

/** Does what goes on to another account; false when what they do leads from one to the other in a circle. */
function within(work: () => boolean): boolean {
  if (depth >= DEPTH_MAX) return false;
  depth++;
  try {
    return work();
  } finally {
    depth--;
  }
}

/** The message under another subject. */
export function withSubject(message: Message, subject: string): Message {
  const { bytes, replyStart, replyEnd, headersStart, payloadStart, payloadEnd, hops } = message;
  const part = (start: number, end: number) => (end > start ? bytes.subarray(start, end) : null);
  return composeMessage(
    {
      subject: utf8(subject),
      reply: part(replyStart, replyEnd),
      headers: part(headersStart, payloadStart),
      payload: bytes.subarray(payloadStart, payloadEnd),
    },
    hops,
  );
}

/** What the imported subjects match in the account that imports them. */
function filterHere({ subject, to, prefix }: ImportSettings): string {
  if (prefix !== '') return `${prefix}.${subject}`;
  return to === '' ? subject : to.replace(/\$\d+|\{\{.*?\}\}/g, '*');
}

function renameOf({ subject, to, prefix }: ImportSettings): ((subject: string) => string) | null {
  if (prefix !== '') return (name) => `${prefix}.${name}`;
  if (to === '' || to === subject) return null;
  const transform = new SubjectTransform(subject, to);
  return (name) => transform.apply(name);
}
