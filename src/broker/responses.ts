import { randomBytes } from 'node:crypto';
import { textOf, utf8 } from '../base/bytes.js';
import type { Clock, Timer } from '../base/clock.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { Abandonment } from './abandonment.js';
import type { Account } from './account.js';
import type { ResponseType } from './account-settings.js';
import type { LatencySample } from './latency.js';
import { REQUESTED } from './part.js';
import { type Leg, type Publisher, type Subscriber, Subscription, type TracedDelivery } from './subscription.js';
import { subjectOf } from './traced-publish.js';

/** A request of another account that waits for its answers. */
export interface AwaitedResponse {
  /** Who asked, and where the answer goes there. */
  account: Account;
  reply: Uint8Array;
  type: ResponseType;
  thresholdMs: number;
  /** What is published of how long the answer takes, or null. */
  latency: LatencySample | null;
  /** The answers that who asked is waited for: an answer may ask back. */
  back: Responses;
}

interface Waiting extends AwaitedResponse {
  untilMs: number;
}

const PREFIX = '_R_.';
/** Requests that may wait in one account; the oldest one goes when there are more. */
const WAITING_MAX = 65_536;
const SWEEP_MS = 1_000;

/** An acknowledgement is asked for by its subject. */
export function isAckSubject(reply: string): boolean {
  return reply.startsWith('$JS.ACK.');
}

/** Answers to requests that came from other accounts: they go to a subject that is made up for each request, and from there back. */
export class Responses implements Subscriber {
  private readonly account: Account;
  private readonly clock: Clock;
  private readonly waiting = new Map<string, Waiting>();
  private readonly subscription = new Subscription(this, utf8(`${PREFIX}*`), null, utf8('responses'), true);
  private sweep: Timer | null = null;
  private sweepAtMs = 0;
  /** The accounts that measured requests came from. */
  private readonly abandonments = new Map<Account, Abandonment>();

  constructor(account: Account, clock: Clock) {
    this.account = account;
    this.clock = clock;
  }

  get size(): number {
    return this.waiting.size;
  }

  /** The subject that the answer is to go to. */
  expect(response: AwaitedResponse): string {
    if (this.waiting.size >= WAITING_MAX) this.take(this.waiting.keys().next().value!);
    // Nobody can guess it, as nobody can guess an inbox.
    const id = randomBytes(12).toString('base64url');
    this.begin(response.thresholdMs);
    this.waiting.set(id, { ...response, untilMs: this.clock.nowMs() + response.thresholdMs });
    if (response.latency !== null) this.abandonmentOf(response.account).watch(textOf(response.reply), id);
    return PREFIX + id;
  }

  /** No answer will come. Nobody took the request, or (`silently`) nobody was to. */
  forget(subject: string, silently: boolean): void {
    const waiting = this.take(subject.slice(PREFIX.length));
    if (!silently) waiting?.latency?.undelivered();
  }

  deliver(_leg: Leg, message: Message, publisher: Publisher | null): boolean {
    const id = idIn(message);
    const waiting = this.answered(id, message);
    if (waiting === undefined) return false;
    waiting.latency?.answered(publisher);
    const { bytes, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    const answer = composeMessage({
      subject: waiting.reply,
      reply: replyEnd > replyStart ? utf8(this.askBack(textOf(bytes, replyStart, replyEnd), waiting)) : null,
      headers: payloadStart > headersStart ? bytes.subarray(headersStart, payloadStart) : null,
      payload: bytes.subarray(payloadStart, payloadEnd),
    });
    const delivered = waiting.account.deliverImported(answer, publisher, REQUESTED);
    // Who asked for many answers listens no more.
    if (delivered === 0) this.take(id);
    return delivered !== 0;
  }

  /** What a stream hands out to who asked for it: it goes where an answer would go, under its own subject. */
  deliverTo(address: Message, message: Message): number {
    const id = idIn(address);
    const waiting = this.answered(id, message);
    if (waiting === undefined) return 0;
    const taken = waiting.account.deliverToPart(addressOf(waiting), message, REQUESTED);
    if (taken === 0) this.take(id);
    return taken;
  }

  isCongested(address: Message): boolean {
    const waiting = this.waiting.get(idIn(address));
    return waiting?.account.isCongested(addressOf(waiting)) ?? false;
  }

  /** The request that an answer belongs to: it waits no longer, or waits anew for the next of many. */
  private answered(id: string, { headersStart, payloadEnd }: Message): Waiting | undefined {
    const waiting = this.waiting.get(id);
    const nowMs = this.clock.nowMs();
    if (waiting === undefined || waiting.untilMs <= nowMs) return undefined;
    if (waiting.type === 'singleton' || payloadEnd === headersStart) this.take(id);
    else waiting.untilMs = nowMs + waiting.thresholdMs;
    return waiting;
  }

  /** Where who asked answers the answer. */
  private askBack(reply: string, { type, thresholdMs, back }: Waiting): string {
    if (isAckSubject(reply)) return reply;
    return back.expect({ account: this.account, reply: utf8(reply), type, thresholdMs, latency: null, back: this });
  }

  /** What becomes of an answer is the business of who asked. */
  deliverTraced(leg: Leg, message: Message, { trace, publisher, hidden }: TracedDelivery): boolean {
    const waiting = this.waiting.get(idIn(message));
    if (waiting === undefined) return false;
    if (!hidden) trace.serviceImport(waiting.account.name, subjectOf(message), textOf(waiting.reply));
    return trace.only || this.deliver(leg, message, publisher);
  }

  end(): void {
    this.waiting.clear();
    this.rest();
  }

  /** Ends a request's wait. */
  private take(id: string): Waiting | undefined {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (waiting?.latency != null) this.abandonments.get(waiting.account)?.unwatch(textOf(waiting.reply), id);
    return waiting;
  }

  private abandonmentOf(account: Account): Abandonment {
    const known = this.abandonments.get(account);
    if (known !== undefined) return known;
    const made = new Abandonment(account, (id) => this.take(id)?.latency?.abandoned());
    this.abandonments.set(account, made);
    return made;
  }

  private begin(thresholdMs: number): void {
    if (this.sweep === null) {
      this.subscription.closed = false;
      this.account.subscribe(this.subscription);
    }
    const atMs = this.clock.nowMs() + Math.min(thresholdMs, SWEEP_MS);
    if (this.sweep !== null && this.sweepAtMs <= atMs) return;
    this.sweep?.cancel();
    this.sweepIn(Math.min(thresholdMs, SWEEP_MS));
  }

  private sweepIn(ms: number): void {
    this.sweepAtMs = this.clock.nowMs() + ms;
    this.sweep = this.clock.after(ms, () => this.onSweep());
  }

  private onSweep(): void {
    const now = this.clock.nowMs();
    let nextMs = SWEEP_MS;
    for (const [id, { untilMs }] of this.waiting) {
      if (untilMs <= now) this.take(id)?.latency?.late();
      else nextMs = Math.min(nextMs, untilMs - now);
    }
    if (this.waiting.size === 0) this.rest();
    else this.sweepIn(nextMs);
  }

  private rest(): void {
    this.sweep?.cancel();
    this.sweep = null;
    for (const abandonment of this.abandonments.values()) abandonment.end();
    this.abandonments.clear();
    this.account.unsubscribe(this.subscription);
  }
}

function addressOf({ reply }: Waiting): Message {
  return composeMessage({ subject: reply, reply: null, headers: null, payload: NO_BYTES });
}

/** The request that is meant by the subject of its answer. */
function idIn({ bytes, subjectStart, subjectEnd }: Message): string {
  return textOf(bytes, subjectStart + PREFIX.length, subjectEnd);
}
