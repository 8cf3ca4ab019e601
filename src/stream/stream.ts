import { utf8 } from '../base/bytes.js';
import type { Failure } from '../base/failure.js';
import { type Leg, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message } from '../message/message.js';
import { LogFilter } from '../storage/log-filter.js';
import {
  type LogDamage,
  type LogListener,
  type MessageLog,
  type PurgeOptions,
  REFUSED,
  StoredMessage,
} from '../storage/message-log.js';
import { SubjectTransform } from '../subject/transform.js';
import { judge, type Verdict } from './admission.js';
import { errorJson } from './api-error.js';
import type { Consumer } from './consumer.js';
import type { ConsumerOwner } from './consumer-owner.js';
import { DedupeWindow } from './dedupe.js';
import { Expiry } from './expiry.js';
import { HEADER, type Headers, readHeaders } from './headers.js';
import type { Inflow } from './inflow.js';
import { PubAcks } from './pub-acks.js';
import { Republisher } from './republisher.js';
import type { StreamConfig } from './stream-config.js';
import { whyFull } from './stream-limits.js';
import type { StreamStore } from './stream-store.js';
import type { Surroundings } from './surroundings.js';

/** What a stream is made with. */
export interface StreamParts {
  config: StreamConfig;
  createdMs: number;
  surroundings: Surroundings;
  store: StreamStore;
}

/** Why a stream, or a consumer of it, ends. */
type Ending = 'deleted' | 'shutdown';

/**
 * Messages of some subjects, kept.
 *
 * ```text
 * broker → deliver → transform → judge → log.append → limits
 *                                   ↓ (commit)
 *                       acknowledgements, republish, consumers
 * ```
 */
export class Stream implements Subscriber, LogListener, ConsumerOwner {
  config: StreamConfig;
  readonly createdMs: number;
  readonly surroundings: Surroundings;
  readonly store: StreamStore;
  readonly consumers = new Map<string, Consumer>();
  readonly dedupe: DedupeWindow;
  log!: MessageLog;
  closed = false;
  /** Where it takes messages of other streams from, if it does. */
  inflow: Inflow | null = null;
  private readonly acks: PubAcks;
  private readonly expiry: Expiry;
  private republisher: Republisher | null = null;
  private transform: SubjectTransform | null = null;
  private subscriptions: Subscription[] = [];

  private constructor({ config, createdMs, surroundings, store }: StreamParts) {
    this.config = config;
    this.createdMs = createdMs;
    this.surroundings = surroundings;
    this.store = store;
    this.dedupe = new DedupeWindow((config.duplicate_window ?? 0) / 1e6);
    this.acks = new PubAcks(surroundings.broker, config.name, surroundings.domain);
    this.expiry = new Expiry(this);
  }

  /** Opens the log and brings back what it remembers; takes messages once `listen` was called. */
  static async open(parts: StreamParts): Promise<Stream> {
    const stream = new Stream(parts);
    stream.log = await parts.store.openLog(stream, parts.config);
    const { first_seq = 0 } = parts.config;
    if (first_seq > 1 && stream.log.state.lastSequence === 0) stream.log.skipTo(first_seq);
    stream.applyConfig();
    stream.remember();
    return stream;
  }

  get name(): string {
    return this.config.name;
  }

  /** Takes messages from now on. */
  listen(): void {
    const { broker } = this.surroundings;
    this.subscriptions = (this.config.subjects ?? []).map(
      (subject) => new Subscription(this, utf8(subject), null, utf8(this.name)),
    );
    for (const subscription of this.subscriptions) broker.subscribe(subscription);
  }

  private deafen(): void {
    for (const subscription of this.subscriptions) this.surroundings.broker.unsubscribe(subscription);
    this.subscriptions = [];
  }

  /** Goes on with another configuration, which was checked. */
  configure(config: StreamConfig): void {
    this.config = config;
    this.deafen();
    this.listen();
    this.dedupe.setWindow((config.duplicate_window ?? 0) / 1e6, this.nowMs);
    this.applyConfig();
    if (config.max_msgs_per_subject > 0) this.log.trimSubjects(config.max_msgs_per_subject);
    this.trim();
    if (config.retention !== 'limits') this.dropUnneeded();
  }

  private applyConfig(): void {
    const { subject_transform, republish } = this.config;
    const { src = '', dest = '' } = subject_transform ?? {};
    this.transform = subject_transform === undefined ? null : new SubjectTransform(src, dest);
    this.republisher = republish === undefined ? null : new Republisher(this, republish);
    this.expiry.configure();
  }

  /** Ids of the last messages, and messages with a time to live: what is not written down beside the log. */
  private remember(): void {
    const { log, config } = this;
    const windowMs = (config.duplicate_window ?? 0) / 1e6;
    const found = new StoredMessage();
    let from = log.sequenceAtTime({ timeMs: Math.floor(this.nowMs - windowMs), timeNs: 0 });
    if (config.allow_msg_ttl) from = log.state.firstSequence;
    for (; log.next(from, null, found); from = found.sequence + 1) {
      const headers = readHeaders(found.message);
      const id = headers?.get(HEADER.msgId) ?? '';
      if (id !== '') this.dedupe.add(id, found.sequence, found.timeMs);
      this.dedupe.lastId = id;
      if (config.allow_msg_ttl) this.expiry.remember(found, headers);
    }
  }

  // ---- messages in ----

  deliver(_leg: Leg, message: Message): boolean {
    if (this.closed) return false;
    this.publish(this.transformed(message));
    return true;
  }

  private transformed(message: Message): Message {
    if (this.transform === null) return message;
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    const subject = this.transform.match(
      Buffer.from(bytes.buffer, bytes.byteOffset + subjectStart, subjectEnd - subjectStart).toString(),
    );
    if (subject === null) return message;
    return composeMessage({
      subject: utf8(subject),
      reply: bytes.subarray(replyStart, replyEnd),
      headers: bytes.subarray(headersStart, payloadStart),
      payload: bytes.subarray(payloadStart, payloadEnd),
    });
  }

  /** Stores a message of the server's own. */
  appendOwn(message: Message): void {
    if (!this.closed) this.publish(message);
  }

  private publish(message: Message): void {
    const headers = message.payloadStart > message.headersStart ? readHeaders(message) : null;
    const verdict = judge(this, message, headers);
    if (verdict.error !== null) this.refuse(message, verdict.error);
    else if (verdict.duplicateOf > 0) this.acknowledge(message, verdict.duplicateOf, ',"duplicate": true');
    else if (this.config.retention === 'interest' && !this.isWanted(message)) this.skip(message, verdict);
    else this.storeMessage(message, verdict, headers);
  }

  private storeMessage(message: Message, verdict: Readonly<Verdict>, headers: Headers | null): void {
    if (this.surroundings.isExhausted(this.config.storage)) {
      this.refuse(message, errorJson('insufficientResources'));
      return;
    }
    const full = whyFull(this.config, this.log, message);
    if (full !== null) {
      this.refuse(message, errorJson('streamStoreFailed', { err: full }));
      return;
    }
    const lastOfSubject = this.republisher?.lastOfSubject(message) ?? 0;
    const timeMs = this.nowMs;
    const sequence = this.log.append(message, { timeMs, timeNs: 0 });
    if (sequence < 0) {
      this.refuse(message, this.refusalOf(sequence));
      return;
    }
    this.republisher?.onAppended(sequence, lastOfSubject);
    this.dedupe.lastId = verdict.msgId;
    if (verdict.msgId !== '') this.dedupe.add(verdict.msgId, sequence, timeMs);
    for (const consumer of this.consumers.values()) consumer.onAppended(sequence, message);
    if (headers !== null) this.afterHeaders(message, verdict, sequence);
    this.applyLimits(message);
    this.expiry.onAppended(timeMs);
    this.acknowledge(message, sequence, '');
  }

  private afterHeaders(message: Message, { rollup, ttlSeconds }: Readonly<Verdict>, sequence: number): void {
    if (ttlSeconds !== 0) this.expiry.add(sequence, ttlSeconds, this.nowMs);
    if (rollup === '') return;
    const { bytes, subjectStart, subjectEnd } = message;
    const filter = rollup === 'all' ? null : LogFilter.literal(bytes.slice(subjectStart, subjectEnd));
    this.purge({ filter, keep: 1 });
  }

  private applyLimits(message: Message): void {
    const { max_msgs_per_subject: perSubject } = this.config;
    if (perSubject > 0)
      this.log.trimSubject(message.bytes.subarray(message.subjectStart, message.subjectEnd), perSubject);
    this.trim();
  }

  private trim(): void {
    const { max_msgs, max_bytes } = this.config;
    const { state } = this.log;
    if (max_msgs > 0 && state.messages > max_msgs) this.log.trimMessages(max_msgs);
    if (max_bytes > 0 && state.bytes > max_bytes) this.log.trimBytes(max_bytes);
  }

  /** A message that nobody waits for takes a sequence and no room. */
  private skip(message: Message, { msgId }: Readonly<Verdict>): void {
    const sequence = this.log.state.lastSequence + 1;
    this.log.skipTo(sequence + 1);
    this.dedupe.lastId = msgId;
    if (msgId !== '') this.dedupe.add(msgId, sequence, this.nowMs);
    if (!this.config.no_ack) this.acks.answer(message, sequence, '');
  }

  private isWanted({ bytes, subjectStart, subjectEnd }: Message): boolean {
    for (const { feed } of this.consumers.values())
      if (feed.filter === null || feed.filter.matches(bytes, subjectStart, subjectEnd)) return true;
    return false;
  }

  private refusalOf(refused: number) {
    if (refused === REFUSED.BUSY) return errorJson('streamTooManyRequests');
    if (refused === REFUSED.TOO_LARGE) return errorJson('streamStoreFailed', { err: 'message to large' });
    return errorJson('streamStoreFailed', { err: this.log.trouble?.message ?? 'store is closed' });
  }

  private refuse(message: Message, error: ReturnType<typeof errorJson>): void {
    if (!this.config.no_ack) this.acks.refuse(message, error);
  }

  private acknowledge(message: Message, sequence: number, rest: string): void {
    if (this.config.no_ack) return;
    if (sequence <= this.log.committedSequence) this.acks.answer(message, sequence, rest);
    else this.acks.add(message, sequence, rest);
  }

  // ---- what the log tells ----

  onCommit(sequence: number): void {
    if (this.closed) return;
    this.acks.onCommit(sequence);
    this.republisher?.onCommit(sequence);
    for (const consumer of this.consumers.values()) consumer.wake();
  }

  onTrouble(trouble: Failure | null): void {
    const { logger } = this.surroundings;
    if (trouble !== null) logger.error(`Stream ${JSON.stringify(this.name)} cannot write: ${trouble.message}`);
    else logger.info(`Stream ${JSON.stringify(this.name)} writes again`);
  }

  onDamage({ file, offset, bytes, firstSequence, lastSequence }: LogDamage): void {
    this.surroundings.logger.error(
      `Stream ${JSON.stringify(this.config.name)}: ${bytes} bytes at ${offset} of ${file} are unreadable, ` +
        `messages ${firstSequence} to ${lastSequence} are lost`,
    );
  }

  onRemoved(sequence: number, subject: Uint8Array): void {
    for (const consumer of this.consumers.values()) consumer.onRemoved(sequence, subject);
    this.expiry.onRemoved(sequence, subject);
  }

  // ---- what consumers tell ----

  onDone(name: string, sequence: number): void {
    const { retention } = this.config;
    if (retention === 'workqueue') this.log.remove(sequence);
    else if (retention === 'interest' && !this.isNeeded(sequence, name)) this.log.remove(sequence);
  }

  onChanged(name: string): void {
    this.store.touch(name);
  }

  onUnused(name: string): void {
    const consumer = this.consumers.get(name);
    if (consumer !== undefined) void this.deleteConsumer(consumer);
  }

  /** Whether a consumer other than the named one is not done with a message that it is to get. */
  private isNeeded(sequence: number, name: string): boolean {
    let found: StoredMessage | null = null;
    for (const consumer of this.consumers.values()) {
      if (consumer.name === name || consumer.ledger.isDone(sequence)) continue;
      const { filter } = consumer.feed;
      if (filter === null) return true;
      found ??= new StoredMessage();
      if (!this.log.read(sequence, found)) return false;
      const { bytes, subjectStart, subjectEnd } = found.message;
      if (filter.matches(bytes, subjectStart, subjectEnd)) return true;
    }
    return false;
  }

  /** With interest as what keeps messages: removes those that no consumer is to get. */
  private dropUnneeded(): void {
    if (this.config.retention !== 'interest') return;
    const found = new StoredMessage();
    for (let from = this.log.state.firstSequence; this.log.next(from, null, found); from = found.sequence + 1)
      if (!this.isNeeded(found.sequence, '')) this.log.remove(found.sequence);
  }

  // ---- what requests want ----

  /** Removes messages; returns how many. */
  purge(options: PurgeOptions): number {
    const purged = this.log.purge(options);
    if (options.filter === undefined || options.filter === null)
      for (const consumer of this.consumers.values()) consumer.onPurged();
    return purged;
  }

  addConsumer(consumer: Consumer): void {
    this.consumers.set(consumer.name, consumer);
    consumer.wake();
  }

  async deleteConsumer(consumer: Consumer): Promise<void> {
    this.consumers.delete(consumer.name);
    consumer.close('409 Consumer Deleted');
    this.dropUnneeded();
    await this.store.removeConsumer(consumer.name);
    this.adviseConsumer(consumer.name, 'DELETED', 'delete');
  }

  adviseConsumer(consumer: string, event: string, action: string): void {
    const { surroundings, name } = this;
    surroundings.advise(`CONSUMER.${event}.${name}.${consumer}`, 'consumer_action', { stream: name, consumer, action });
  }

  /** Stops taking and giving. What is in the log stays there unless the stream was deleted. */
  async close(ending: Ending): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.deafen();
    this.expiry.close();
    for (const consumer of this.consumers.values())
      consumer.close(ending === 'deleted' ? '409 Consumer Deleted' : '409 Server Shutdown');
    if (ending === 'deleted') await this.log.delete();
    else await this.log.close();
    if (ending === 'deleted') await this.store.delete();
    else await this.store.close();
  }

  get nowMs(): number {
    return this.surroundings.clock.nowMs();
  }
}
