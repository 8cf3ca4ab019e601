import { randomBytes } from 'node:crypto';
import { textOf, utf8 } from '../base/bytes.js';
import type { Clock, Timer } from '../base/clock.js';
import { composeMessage, type Message } from '../message/message.js';
import type { Account } from './account.js';
import type { ResponseType } from './account-settings.js';
import { type Leg, type Publisher, type Subscriber, Subscription, type TracedDelivery } from './subscription.js';
import { subjectOf } from './traced-publish.js';

/** A request of another account that waits for its answers. */
export interface AwaitedResponse {
  /** Who asked, and where the answer goes there. */
  account: Account;
  reply: Uint8Array;
  type: ResponseType;
  thresholdMs: number;
  /** Told of the first answer and who gave it. */
  answered: ((responder: Publisher | null) => void) | null;
}

interface Waiting extends AwaitedResponse {
  untilMs: number;
}

const PREFIX = '_R_.';
/** Requests that may wait in one account; the oldest one goes when there are more. */
const WAITING_MAX = 65_536;
const SWEEP_MS = 1_000;

/** Answers to requests that came from other accounts: they go to a subject that is made up for each request, and from there back. */
export class Responses implements Subscriber {
  private readonly account: Account;
  private readonly clock: Clock;
  private readonly waiting = new Map<string, Waiting>();
  private readonly subscription = new Subscription(this, utf8(`${PREFIX}*`), null, utf8('responses'), true);
  private sweep: Timer | null = null;

  constructor(account: Account, clock: Clock) {
    this.account = account;
    this.clock = clock;
  }

  get size(): number {
    return this.waiting.size;
  }

  /** The subject that the answer is to go to. */
  expect(response: AwaitedResponse): string {
    if (this.waiting.size === 0) this.begin();
    if (this.waiting.size >= WAITING_MAX) this.waiting.delete(this.waiting.keys().next().value!);
    // Nobody can guess it, as nobody can guess an inbox.
    const id = randomBytes(12).toString('base64url');
    this.waiting.set(id, { ...response, untilMs: this.clock.nowMs() + response.thresholdMs });
    return PREFIX + id;
  }

  /** Nobody took the request: no answer will come. */
  forget(subject: string): void {
    this.waiting.delete(subject.slice(PREFIX.length));
  }

  deliver(_leg: Leg, message: Message, publisher: Publisher | null): boolean {
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    const id = textOf(bytes, subjectStart + PREFIX.length, subjectEnd);
    const waiting = this.waiting.get(id);
    if (waiting === undefined) return false;
    const isLast = waiting.type === 'singleton' || payloadEnd === headersStart;
    if (isLast) this.waiting.delete(id);
    else waiting.untilMs = this.clock.nowMs() + waiting.thresholdMs;
    waiting.answered?.(publisher);
    waiting.answered = null;
    const answer = composeMessage({
      subject: waiting.reply,
      reply: replyEnd > replyStart ? bytes.subarray(replyStart, replyEnd) : null,
      headers: payloadStart > headersStart ? bytes.subarray(headersStart, payloadStart) : null,
      payload: bytes.subarray(payloadStart, payloadEnd),
    });
    return waiting.account.deliverImported(answer, publisher) > 0;
  }

  /** What becomes of an answer is the business of who asked. */
  deliverTraced(leg: Leg, message: Message, { trace, publisher, hidden }: TracedDelivery): boolean {
    const waiting = this.waiting.get(subjectOf(message).slice(PREFIX.length));
    if (waiting === undefined) return false;
    if (!hidden) trace.serviceImport(waiting.account.name, subjectOf(message), textOf(waiting.reply));
    return trace.only || this.deliver(leg, message, publisher);
  }

  end(): void {
    this.waiting.clear();
    this.rest();
  }

  private begin(): void {
    if (this.sweep !== null) return;
    this.subscription.closed = false;
    this.account.subscribe(this.subscription);
    this.sweep = this.clock.after(SWEEP_MS, () => this.onSweep());
  }

  private onSweep(): void {
    const now = this.clock.nowMs();
    for (const [id, { untilMs }] of this.waiting) if (untilMs <= now) this.waiting.delete(id);
    if (this.waiting.size === 0) this.rest();
    else this.sweep = this.clock.after(SWEEP_MS, () => this.onSweep());
  }

  private rest(): void {
    this.sweep?.cancel();
    this.sweep = null;
    this.account.unsubscribe(this.subscription);
  }
}
