import { LogFilter } from '../storage/log-filter.js';
import { StoredMessage } from '../storage/message-log.js';
import type { Hand, Reader, SourceInfo, Start, Taker } from './inflow.js';
import type { Origin } from './origin.js';
import { SourceSubjects, sourceFilters } from './source-subjects.js';
import type { SourceConfig } from './stream-config.js';
import { parseTime } from './time.js';

/** Messages that are taken before others get their turn. */
const BURST_MESSAGES = 256;

/** Messages of an origin before `end`: they may go when the stream that took them is durable up to a sequence. */
interface LeftBehind {
  from: number;
  end: number;
  durable: number;
  waits: boolean;
}

/** Reads the log of a stream of the same account. */
export class Follower implements Reader {
  readonly source: SourceConfig;
  /** The next sequence to look at; 0 until the origin is there and tells where to start. */
  position: number;
  private identity: string;
  private readonly kind: Start['kind'];
  private readonly taker: Taker;
  private readonly hand: Hand;
  private readonly filter: LogFilter | null;
  private readonly subjects: SourceSubjects;
  private readonly stored = new StoredMessage();
  private readonly wake = (): void => this.run();
  /** Messages of an origin that keeps them until they are taken: the sequence here and there, until they are durable here. */
  private taken: [number, number][] = [];
  /** Such messages that were taken before, and perhaps are still there: the process ended before they were removed. */
  private leftBehind: LeftBehind | null = null;
  private origin: Origin | null = null;
  private resting = false;
  private activeMs = 0;
  private closed = false;

  constructor(taker: Taker, source: SourceConfig, { position, identity, hand, kind }: Start) {
    this.taker = taker;
    this.source = source;
    this.position = position;
    this.identity = identity;
    this.hand = hand;
    this.kind = kind;
    const filters = sourceFilters(source);
    this.filter = filters.length === 0 || filters.includes('>') ? null : LogFilter.of(filters);
    this.subjects = new SourceSubjects(source);
  }

  /** Looks whether the origin is there, or another one by that name. */
  lookAgain(): void {
    if (this.origin !== null && !this.origin.closed) return;
    this.origin?.followers.delete(this.wake);
    this.origin = this.taker.findOrigin(this.source.name ?? '') ?? null;
    if (this.origin === null) return;
    this.begin(this.origin);
    this.origin.followers.add(this.wake);
    this.run();
  }

  private begin(origin: Origin): void {
    const { taker, identity } = this;
    const isKnown = origin.identity === identity;
    // A mirror has the sequences of what it mirrors, whatever stream that is: it waits for those that it has not.
    if (identity !== '' && !isKnown && this.kind === 'source') {
      taker.surroundings.logger.warn(
        `Stream ${JSON.stringify(taker.config.name)}: its source ${JSON.stringify(this.source.name)} was made anew`,
      );
      this.position = 0;
    }
    this.taken = [];
    this.leftBehind = null;
    const start = this.startIn(origin);
    if (this.position === 0) this.position = start;
    else if ((isKnown || this.kind === 'mirror') && origin.config.retention !== 'limits')
      this.leftBehind = { from: start, end: this.position, durable: taker.log.state.lastSequence, waits: true };
    this.identity = origin.identity;
    this.removeLeftBehind();
  }

  /** A part of them, once what was made of them is durable. */
  private removeLeftBehind(): void {
    const { origin, leftBehind } = this;
    if (origin === null || origin.closed || this.closed || leftBehind === null) return;
    if (leftBehind.durable > this.taker.log.committedSequence) return;
    leftBehind.waits = false;
    for (let removed = 0; removed < BURST_MESSAGES; removed++) {
      if (!origin.log.next(leftBehind.from, this.filter, this.stored) || this.stored.sequence >= leftBehind.end) {
        this.leftBehind = null;
        return;
      }
      leftBehind.from = this.stored.sequence + 1;
      if (this.kind === 'source' || this.isMirrored(this.stored)) origin.onTaken(this.stored.sequence);
    }
    setImmediate(() => this.removeLeftBehind());
  }

  /** Takes what is there. */
  run(): void {
    const { origin } = this;
    if (origin === null || origin.closed || this.closed || this.resting) return;
    for (let taken = 0; taken < BURST_MESSAGES; taken++) {
      if (!origin.log.next(this.position, this.filter, this.stored)) {
        this.position = Math.max(this.position, origin.log.committedSequence + 1);
        return;
      }
      if (!this.hand(this.stored, this.subjects.of(this.stored.message), this.identity)) return;
      this.position = this.stored.sequence + 1;
      if (origin.config.retention !== 'limits')
        this.taken.push([this.taker.log.state.lastSequence, this.stored.sequence]);
      this.activeMs = this.taker.nowMs;
    }
    this.resting = true;
    setImmediate(() => {
      this.resting = false;
      this.run();
    });
  }

  /** Messages became durable where they were taken to. */
  onCommit(): void {
    const { committedSequence } = this.taker.log;
    while (this.taken.length > 0 && this.taken[0][0] <= committedSequence) {
      const [, sequence] = this.taken.shift()!;
      this.origin?.onTaken(sequence);
    }
    if (this.leftBehind?.waits) this.removeLeftBehind();
    this.run();
  }

  info(): SourceInfo {
    const { name, external, filter_subject, subject_transforms } = this.source;
    const lag = this.origin === null ? 0 : this.origin.log.count(this.filter, this.position);
    const active = this.activeMs === 0 ? -1 : (this.taker.nowMs - this.activeMs) * 1e6;
    return { name, external, lag, active, filter_subject, subject_transforms };
  }

  close(): void {
    this.closed = true;
    this.origin?.followers.delete(this.wake);
  }

  /** Whether a message is here as it is there: the origin may be another one than the one that was mirrored. */
  private isMirrored({ sequence, timeMs, timeNs }: StoredMessage): boolean {
    const own = new StoredMessage();
    return this.taker.log.read(sequence, own) && own.timeMs === timeMs && own.timeNs === timeNs;
  }

  private startIn({ log }: Origin): number {
    const { opt_start_seq = 0, opt_start_time } = this.source;
    if (opt_start_time !== undefined) return log.sequenceAtTime(parseTime(opt_start_time));
    return opt_start_seq > 0 ? opt_start_seq : 1;
  }
}
