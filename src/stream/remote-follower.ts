import { textOf, utf8 } from '../base/bytes.js';
import { type Leg, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { Alarm } from './alarm.js';
import { type ApiErrorJson, errorJson } from './api-error.js';
import { ERRORS } from './error-table.js';
import { HEADER, type Headers, headerBlock, readHeaders } from './headers.js';
import type { Hand, Reader, SourceInfo, Start, Taker } from './inflow.js';
import { type Delivered, deliveredOf, RemoteRequest, readAnswer } from './remote-request.js';
import { SourceSubjects } from './source-subjects.js';
import type { SourceConfig } from './stream-config.js';

/** How long an answer may take. */
const ANSWER_MS = 10_000;
/** Without a message or a heartbeat for so long it is asked anew; heartbeats come each second. */
const SILENCE_MS = 10_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

/**
 * Takes the messages of a stream that is reached by subjects only: of another account, whose API and deliveries are imported, or by the
 * name of a consumer that was made for it. A push consumer there sends them here; its flow control is answered when they are durable.
 *
 * ```text
 * away ──ask──► asking ──answer──► following ──gap, silence, no room──► away, and again after a while
 * ```
 */
export class RemoteFollower implements Reader, Subscriber {
  readonly source: SourceConfig;
  /** The next sequence to take; 0: where the configuration says. */
  private position: number;
  /** Which stream of this name it is a position in; '' when that was not told yet. */
  private identity: string;
  /** Older servers do not tell identities. */
  private asksIdentity: boolean;
  private readonly taker: Taker;
  private readonly hand: Hand;
  private readonly kind: 'mirror' | 'source';
  private readonly subjects: SourceSubjects;
  private readonly request: RemoteRequest;
  private readonly alarm: Alarm;
  private state: 'away' | 'asking' | 'following' = 'away';
  private subscriptions: Subscription[] = [];
  /** The consumer's own count of what came. */
  private consumerSequence = 0;
  /** Messages that came before the answer, and are older than what is wanted. */
  private passedOver = 0;
  private lag = 0;
  private activeMs = 0;
  private retryMs = RETRY_MS_MIN;
  private error: ApiErrorJson | null = null;
  private flow: FlowRequest | null = null;
  private closed = false;

  constructor(taker: Taker, source: SourceConfig, { position, identity, hand, kind }: Start) {
    this.taker = taker;
    this.source = source;
    this.position = position;
    this.identity = identity;
    this.asksIdentity = kind === 'source';
    this.hand = hand;
    this.kind = kind;
    this.subjects = new SourceSubjects(source);
    this.request = new RemoteRequest(taker, source);
    this.alarm = new Alarm(taker.surroundings.clock, () => this.onAlarm());
  }

  /** Looks whether the other stream can be reached. */
  lookAgain(): void {
    if (this.state === 'away' && !this.closed) this.ask();
  }

  /** Messages became durable where they were taken to. */
  onCommit(): void {
    this.answerFlow();
  }

  info(): SourceInfo {
    const { name, external, filter_subject, subject_transforms } = this.source;
    const active = this.activeMs === 0 ? -1 : (this.taker.nowMs - this.activeMs) * 1e6;
    const error = this.error ?? undefined;
    return { name, external, lag: this.lag, active, error, filter_subject, subject_transforms };
  }

  close(): void {
    this.closed = true;
    this.leave();
  }

  deliver({ subscription }: Leg, message: Message): boolean {
    if (subscription.closed) return false;
    const { bytes, headersStart, payloadStart, payloadEnd, replyStart, replyEnd } = message;
    if (subscription === this.subscriptions[1])
      this.onAnswer(textOf(bytes, payloadStart, payloadEnd), readHeaders(message));
    else if (payloadEnd === payloadStart && startsWith(bytes, headersStart, CONTROL)) this.onControl(message);
    else {
      const delivered = deliveredOf(textOf(bytes, replyStart, replyEnd));
      if (delivered !== null) this.onMessage(message, delivered);
    }
    return true;
  }

  // ---- asking ----

  private ask(): void {
    this.leave();
    const { broker, newId } = this.request;
    const target = this.request.deliverSubject();
    const reply = `$JS.S.R.${newId(16)}`;
    this.subscriptions = [target, reply].map((filter) => new Subscription(this, utf8(filter), null, utf8('s'), true));
    for (const subscription of this.subscriptions) broker.subscribe(subscription);
    this.state = 'asking';
    this.consumerSequence = 0;
    this.passedOver = 0;
    this.alarm.set(this.taker.nowMs + ANSWER_MS);
    const { subject, payload } = this.request.compose(this.position, target);
    const headers = this.asksIdentity ? askIdentity(this.identity) : null;
    const receivers = broker.publishDirect(
      composeMessage({ subject: utf8(subject), reply: utf8(reply), headers, payload: utf8(payload) }),
    );
    if (receivers === 0) this.fail(`nothing answers to ${subject}`);
  }

  private onAnswer(text: string, headers: Headers | null): void {
    if (this.state !== 'asking') return;
    const answer = readAnswer(text);
    if (typeof answer === 'string') this.fail(answer);
    else if ('error' in answer && this.asksIdentity && answer.error.err_code === ANOTHER) this.startOver();
    else if ('error' in answer && this.asksIdentity && TOO_NEW.includes(answer.error.err_code)) {
      this.asksIdentity = false;
      this.ask();
    } else if ('error' in answer) this.fail('', answer.error);
    else if (this.source.consumer !== undefined && answer.ackPolicy !== 'flow_control')
      this.fail('', errorJson(`${this.kind}ConsumerRequiresAckFc`));
    else {
      this.follow(headers?.get(HEADER.streamIdentity) ?? '');
    }
  }

  private follow(identity: string): void {
    const isAnother = this.identity !== '' && identity !== '' && identity !== this.identity;
    this.state = 'following';
    this.error = null;
    this.retryMs = RETRY_MS_MIN;
    this.heard();
    if (isAnother) {
      this.warnOfAnother();
      this.position = 0;
    }
    if (identity !== '') this.identity = identity;
    // What came before the answer was taken for old: it is asked for once more.
    if (isAnother && this.passedOver > 0) this.again();
    else this.answerFlow();
  }

  /** The stream was deleted, and another one has its name. */
  private startOver(): void {
    this.warnOfAnother();
    this.position = 0;
    this.identity = '';
    this.ask();
  }

  private warnOfAnother(): void {
    const { logger, broker } = this.taker.surroundings;
    logger.warn(
      `Stream ${JSON.stringify(`${broker.name} > ${this.taker.config.name}`)}: its source ${JSON.stringify(this.source.name)} was made anew`,
    );
  }

  private onAlarm(): void {
    if (this.state === 'asking') this.fail('no answer came');
    else this.ask();
  }

  private fail(why: string, error: ApiErrorJson = errorJson(`${this.kind}ConsumerSetupFailed`, { err: why })): void {
    const { logger, broker } = this.taker.surroundings;
    if (this.error?.description !== error.description)
      logger.warn(
        `Stream ${JSON.stringify(`${broker.name} > ${this.taker.config.name}`)} cannot take messages of ` +
          `${JSON.stringify(this.source.name)}: ${error.description}`,
      );
    this.error = error;
    this.again();
  }

  /** Stops, and asks anew after a while. */
  private again(): void {
    this.leave();
    this.alarm.set(this.taker.nowMs + this.retryMs);
    this.retryMs = Math.min(RETRY_MS_MAX, this.retryMs * 2);
  }

  private leave(): void {
    this.alarm.cancel();
    this.state = 'away';
    this.flow = null;
    for (const subscription of this.subscriptions) {
      subscription.closed = true;
      this.request.broker.unsubscribe(subscription);
    }
    this.subscriptions = [];
  }

  private heard(): void {
    this.alarm.cancel();
    this.alarm.set(this.taker.nowMs + SILENCE_MS);
  }

  // ---- following ----

  private onMessage(message: Message, delivered: Delivered): void {
    const { consumerSequence, sequence, pending } = delivered;
    // The first ones may come before the answer; what the consumer sent before it was told to start over is behind, or far ahead.
    if (consumerSequence !== this.consumerSequence + 1) {
      if (this.state === 'following' && consumerSequence > this.consumerSequence) this.again();
      return;
    }
    if (this.state === 'following') this.heard();
    this.activeMs = this.taker.nowMs;
    this.lag = pending;
    if (sequence >= this.position) {
      if (!this.hand({ message, ...delivered }, this.subjects.of(message), this.identity)) {
        this.again();
        return;
      }
      this.position = sequence + 1;
      this.retryMs = RETRY_MS_MIN;
    } else if (this.state === 'asking') this.passedOver++;
    this.consumerSequence = consumerSequence;
  }

  /** A heartbeat, or a request for an answer. */
  private onControl(message: Message): void {
    const { bytes, replyStart, replyEnd } = message;
    if (this.state === 'following') this.heard();
    this.activeMs = this.taker.nowMs;
    let reply = textOf(bytes, replyStart, replyEnd);
    if (reply === '') {
      const headers = readHeaders(message);
      const last = Number(headers?.get(HEADER.lastConsumer) ?? 0);
      if (this.state === 'following' && last > 0 && last !== this.consumerSequence) {
        this.again();
        return;
      }
      reply = headers?.get(HEADER.consumerStalled) ?? '';
    }
    if (reply === '') return;
    const { consumerSequence, position } = this;
    this.flow = { reply, sequence: this.taker.log.state.lastSequence, consumerSequence, position };
    this.answerFlow();
  }

  private answerFlow(): void {
    const { flow, request } = this;
    // Before the answer it is not known which stream asks.
    if (flow === null || this.state !== 'following' || flow.sequence > this.taker.log.committedSequence) return;
    this.flow = null;
    const headers = headerBlock([
      [HEADER.lastConsumer, flow.consumerSequence],
      [HEADER.lastStream, Math.max(0, flow.position - 1)],
    ]);
    request.broker.publishDirect(
      composeMessage({ subject: utf8(flow.reply), reply: null, headers, payload: NO_BYTES }),
    );
  }
}

/** A flow control request: it is answered with what was taken until then, once everything up to a sequence here is durable. */
interface FlowRequest {
  reply: string;
  sequence: number;
  consumerSequence: number;
  position: number;
}

const CONTROL = utf8('NATS/1.0 100');
const [ANOTHER] = ERRORS.consumerStreamIdentityMismatch;
const TOO_NEW: readonly number[] = [ERRORS.requiredApiLevel[0], ERRORS.invalidJson[0]];
/** Since this level identities are told. */
const IDENTITY_LEVEL = 5;

function askIdentity(identity: string): Uint8Array {
  return headerBlock([
    [HEADER.requiredApiLevel, IDENTITY_LEVEL],
    [HEADER.streamIdentity, identity],
  ]);
}

function startsWith(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}
