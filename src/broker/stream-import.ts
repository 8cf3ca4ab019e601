import { textOf, utf8 } from '../base/bytes.js';
import { composeMessage, type Message } from '../message/message.js';
import { filtersOverlap } from '../subject/subject.js';
import { SubjectTransform } from '../subject/transform.js';
import type { Account } from './account.js';
import type { ImportSettings } from './account-settings.js';
import { type Leg, type Publisher, type Subscriber, Subscription, type TracedDelivery } from './subscription.js';

/** Accounts that one message may go through. */
const DEPTH_MAX = 32;
let depth = 0;

/** Brings messages of another account here, perhaps under other subjects. It listens there as any subscriber. */
export class StreamImport implements Subscriber {
  private readonly from: Account;
  private readonly to: Account;
  private readonly rename: ((subject: string) => string) | null;
  private readonly allowTrace: boolean;
  private readonly subscription: Subscription;
  private readonly forget: () => void;

  constructor(from: Account, to: Account, settings: ImportSettings) {
    this.from = from;
    this.to = to;
    this.rename = renameOf(settings);
    this.allowTrace = settings.allowTrace;
    this.subscription = new Subscription(this, utf8(settings.subject), null, utf8('import'), true);
    from.subscribe(this.subscription);
    const here = filterHere(settings);
    this.forget = to.watchInterest(({ filter }, added) => {
      if (filtersOverlap(filter, here)) within(() => from.interestBehind(this.subscription, added));
    });
  }

  end(): void {
    this.subscription.closed = true;
    this.forget();
    this.from.unsubscribe(this.subscription);
  }

  deliver(_leg: Leg, message: Message, publisher: Publisher | null): boolean {
    if (this.subscription.closed || depth >= DEPTH_MAX) return false;
    depth++;
    try {
      return this.to.deliverImported(this.renamed(message), publisher) > 0;
    } finally {
      depth--;
    }
  }

  deliverTraced(_leg: Leg, message: Message, delivery: TracedDelivery): boolean {
    if (this.subscription.closed) return false;
    const hidden = delivery.hidden || !this.allowTrace;
    return within(() => this.to.publishTraced(this.renamed(message), { ...delivery, hidden, imported: true }) > 0);
  }

  deliverTo(address: Message, message: Message): number {
    if (this.subscription.closed) return 0;
    let taken = 0;
    within(() => {
      taken = this.to.deliverTo(this.renamed(address), message);
      return taken > 0;
    });
    return taken;
  }

  hasListener(subject: string): boolean {
    return within(() => this.to.hasListener(this.rename === null ? subject : this.rename(subject)));
  }

  private renamed(message: Message): Message {
    if (this.rename === null) return message;
    const { bytes, subjectStart, subjectEnd } = message;
    return withSubject(message, this.rename(textOf(bytes, subjectStart, subjectEnd)));
  }
}

/** Does what goes on to a further account; false when accounts import from one another in a circle. */
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
