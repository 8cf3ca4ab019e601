import { utf8 } from '../base/bytes.js';
import type { Failure } from '../base/failure.js';
import { describe } from '../base/failure.js';
import { type Leg, type Subscriber, Subscription, type TracedDelivery } from '../broker/subscription.js';
import type { Message } from '../message/message.js';
import { LogFilter } from '../storage/log-filter.js';
import {
  type Cursor,
  type LogDamage,
  type LogListener,
  type MessageLog,
  type PurgeOptions,
  StoredMessage,
} from '../storage/message-log.js';
import type { Consumer } from './consumer.js';
import type { ConsumerOwner } from './consumer-owner.js';
import { DedupeWindow } from './dedupe.js';
import { Expiry } from './expiry.js';
import { HEADER, readHeaders } from './headers.js';
import type { Inflow, Taken, Taker } from './inflow.js';
import { Intake } from './intake.js';
import { Mirror } from './mirror.js';
import type { Origin } from './origin.js';
import { Schedules } from './schedules.js';
import { SourceMarks, type StoredMarks } from './source-marks.js';
import { shortHash } from './source-subjects.js';
import { Sources } from './sources.js';
import type { StreamConfig } from './stream-config.js';
import type { StreamStore } from './stream-store.js';
import type { Surroundings } from './surroundings.js';
import { PART_MESSAGES, sweep, sweepLimits } from './sweep.js';
import { timeText } from './time.js';
import { takeTraced } from './traced-intake.js';

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
export class Stream implements Subscriber, LogListener, ConsumerOwner, Origin, Taker {
  config: StreamConfig;
  readonly createdMs: number;
  readonly identity: string;
  readonly surroundings: Surroundings;
  readonly store: StreamStore;
  readonly consumers = new Map<string, Consumer>();
  readonly dedupe: DedupeWindow;
  log!: MessageLog;
  closed = false;
  /** Where it takes messages of other streams from, if it does. */
  inflow: Inflow | null = null;
  /** How far its sources were taken, once it has some. */
  private marks: SourceMarks | null = null;
  /** Streams that take messages from here. */
  readonly followers = new Set<() => void>();
  readonly expiry: Expiry;
  readonly schedules: Schedules;
  private readonly intake: Intake;
  /** Limits were changed, and messages beyond them go, a part in each turn of the event loop. */
  private sweeps = 0;
  /** Where it is looked for messages that nobody waits for any more. */
  private unneeded: Cursor | null = null;
  private inflowConfig = '';
  private subscriptions: Subscription[] = [];

  private constructor({ config, createdMs, surroundings, store }: StreamParts) {
    this.config = config;
    this.createdMs = createdMs;
    this.identity = shortHash(timeText(createdMs));
    this.surroundings = surroundings;
    this.store = store;
    this.dedupe = new DedupeWindow((config.duplicate_window ?? 0) / 1e6);
    this.expiry = new Expiry(this);
    this.schedules = new Schedules(this);
    this.intake = new Intake(this);
  }

  /** Opens the log and brings back what it remembers; takes messages once `listen` was called. */
  static async open(parts: StreamParts): Promise<Stream> {
    const stream = new Stream(parts);
    stream.log = await parts.store.openLog(stream, parts.config);
    const { first_seq = 0 } = parts.config;
    if (first_seq > 1 && stream.log.state.lastSequence === 0) stream.log.skipTo(first_seq);
    if ((parts.config.sources?.length ?? 0) > 0) stream.rememberSources(await parts.store.readMarks());
    stream.applyConfig();
    stream.recall();
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

  /** Goes on with another configuration, which was checked. Resolves when what is beyond its limits is gone. */
  async configure(config: StreamConfig): Promise<void> {
    const before = this.config;
    this.config = config;
    this.deafen();
    this.listen();
    this.dedupe.setWindow((config.duplicate_window ?? 0) / 1e6, this.nowMs);
    this.applyConfig();
    this.dropUnneeded();
    await this.sweep(before.max_msgs_per_subject);
  }

  /** Goes on with what an earlier process began: removing what is beyond lowered limits. */
  async resumeSweep(): Promise<void> {
    await this.sweep(-1);
  }

  private async sweep(perSubjectBefore: number): Promise<void> {
    this.sweeps++;
    try {
      await sweepLimits(this, perSubjectBefore);
    } finally {
      this.sweeps--;
    }
    if (this.sweeps === 0 && !this.closed) await this.store.endSweep();
  }

  get sweeping(): boolean {
    return this.sweeps > 0;
  }

  private applyConfig(): void {
    this.intake.configure();
    this.expiry.configure();
    this.configureInflow();
  }

  private configureInflow(): void {
    const { mirror, sources = [] } = this.config;
    const wanted = JSON.stringify([mirror, sources]);
    if (wanted === this.inflowConfig) return;
    this.inflowConfig = wanted;
    this.inflow?.close();
    this.inflow = mirror === undefined ? null : new Mirror(this, mirror);
    if (sources.length > 0) this.inflow = new Sources(this, sources, this.marks ?? this.rememberSources(null));
  }

  private rememberSources(stored: StoredMarks | null): SourceMarks {
    const { log, store } = this;
    const marks = new SourceMarks(log, stored, () => store.touchMarks());
    store.watchMarks(() => marks.state());
    this.marks = marks;
    return marks;
  }

  findOrigin(name: string): Origin | undefined {
    return this.surroundings.findOrigin(name);
  }

  takeMirrored(taken: Taken, subject: Uint8Array | null): boolean {
    return this.intake.takeMirrored(taken, subject);
  }

  takeSourced(taken: Taken, subject: Uint8Array | null, source: string): boolean {
    return this.intake.takeSourced(taken, subject, source);
  }

  /** Ids of the last messages, and messages with a time to live: what is not written down beside the log. */
  recall(): void {
    const { log, config } = this;
    const windowMs = (config.duplicate_window ?? 0) / 1e6;
    const found = new StoredMessage();
    let from = log.sequenceAtTime({ timeMs: Math.floor(this.nowMs - windowMs), timeNs: 0 });
    if (config.allow_msg_ttl || config.allow_msg_schedules) from = log.state.firstSequence;
    for (; log.next(from, null, found); from = found.sequence + 1) {
      const headers = readHeaders(found.message);
      const id = headers?.get(HEADER.msgId) ?? '';
      if (id !== '') this.dedupe.add(id, found.sequence, found.timeMs);
      this.dedupe.lastId = id;
      if (config.allow_msg_ttl) this.expiry.remember(found, headers);
      if (config.allow_msg_schedules && headers?.has(HEADER.schedule))
        this.schedules.add(found.sequence, headers, found.timeMs);
    }
  }

  // ---- messages in ----

  deliver(_leg: Leg, message: Message): boolean {
    if (this.closed) return false;
    this.intake.take(message);
    return true;
  }

  deliverTraced(_leg: Leg, message: Message, delivery: TracedDelivery): boolean {
    return !this.closed && takeTraced(this, this.intake, { message, delivery });
  }

  takeScheduled(message: Message): boolean {
    return this.closed || this.intake.takeScheduled(message);
  }

  purgeSubject(subject: Uint8Array): void {
    this.purge({ filter: LogFilter.literal(subject) });
  }

  /** Stores a message of the server's own. */
  appendOwn(message: Message): void {
    if (!this.closed) this.intake.place(message, readHeaders(message));
  }

  // ---- what the log tells ----

  onCommit(sequence: number): void {
    if (this.closed) return;
    this.intake.onCommit(sequence);
    for (const consumer of this.consumers.values()) consumer.wake();
    for (const follower of this.followers) follower();
    this.inflow?.onCommit();
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

  onRemoved(sequence: number, message: Message): void {
    for (const consumer of this.consumers.values()) consumer.onRemoved(sequence, message);
    this.expiry.onRemoved(sequence, message);
    this.schedules.onRemoved(sequence);
  }

  // ---- what consumers tell ----

  onDone(name: string, sequence: number): void {
    const { retention } = this.config;
    if (retention === 'workqueue') this.log.remove(sequence);
    else if (retention === 'interest' && !this.isNeeded(sequence, name)) this.log.remove(sequence);
  }

  onTaken(sequence: number): void {
    this.onDone('', sequence);
  }

  onChanged(name: string): void {
    this.store.touch(name);
  }

  onUnused(name: string): void {
    const consumer = this.consumers.get(name);
    if (consumer === undefined) return;
    const { logger } = this.surroundings;
    this.deleteConsumer(consumer).catch((error) => {
      const of = `${JSON.stringify(name)} of stream ${JSON.stringify(this.name)}`;
      logger.error(`Consumer ${of} was not removed: ${describe(error)}`);
    });
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
  dropUnneeded(): void {
    if (this.config.retention !== 'interest') return;
    const isUnderWay = this.unneeded !== null;
    this.unneeded = { from: this.log.state.firstSequence };
    if (!isUnderWay) this.dropSome();
  }

  private dropSome(): void {
    const found = new StoredMessage();
    const cursor = this.unneeded;
    for (let looked = 0; looked < PART_MESSAGES; looked++) {
      if (cursor === null || this.closed || !this.log.next(cursor.from, null, found)) {
        this.unneeded = null;
        return;
      }
      cursor.from = found.sequence + 1;
      if (!this.isNeeded(found.sequence, '')) this.log.remove(found.sequence);
    }
    setImmediate(() => this.dropSome());
  }

  // ---- what requests want ----

  /** The same as `purge`, a part in each turn of the event loop; what is stored meanwhile stays. */
  async purgeInTurns(options: PurgeOptions): Promise<number> {
    const { filter = null, keep = 0, before = Number.MAX_SAFE_INTEGER } = options;
    // What goes may be all that tells where they were.
    await this.store.flushMarks();
    const isAll = filter === null && keep === 0 && before > this.log.state.lastSequence;
    if (isAll) {
      const purged = this.purge({});
      // Whoever purges up to a sequence that is still to come wants the next message to have it.
      if (before < Number.MAX_SAFE_INTEGER) this.log.skipTo(before);
      return purged;
    }
    const purged = await sweep(this, options);
    if (filter === null) this.tellPurged();
    return purged;
  }

  /** Removes messages, few of them or all; returns how many. */
  purge(options: PurgeOptions): number {
    const purged = this.log.purge(options);
    if (options.filter === undefined || options.filter === null) this.tellPurged();
    return purged;
  }

  private tellPurged(): void {
    for (const consumer of this.consumers.values()) consumer.onPurged();
    if (this.log.state.messages > 0) return;
    this.expiry.onPurged();
    this.schedules.onPurged();
  }

  addConsumer(consumer: Consumer): void {
    this.consumers.set(consumer.name, consumer);
  }

  async deleteConsumer(consumer: Consumer): Promise<void> {
    this.dropConsumer(consumer);
    await this.store.removeConsumer(consumer.name);
    this.adviseConsumer(consumer.name, 'DELETED', 'delete');
  }

  /** Goes on without a consumer; nothing of what was written down changes. */
  dropConsumer(consumer: Consumer): void {
    this.consumers.delete(consumer.name);
    consumer.close('409 Consumer Deleted');
    this.dropUnneeded();
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
    this.inflow?.close();
    this.expiry.close();
    this.schedules.close();
    this.intake.close();
    for (const consumer of this.consumers.values())
      consumer.close(ending === 'deleted' ? '409 Consumer Deleted' : '409 Server Shutdown');
    if (ending === 'deleted') {
      await this.store.forget();
      await this.log.delete();
      await this.store.delete();
    } else {
      await this.store.flushMarks();
      await this.log.close();
      await this.store.close();
    }
  }

  get nowMs(): number {
    return this.surroundings.clock.nowMs();
  }
}
