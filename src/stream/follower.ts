import { LogFilter } from '../storage/log-filter.js';
import { StoredMessage } from '../storage/message-log.js';
import type { Hand, Reader, SourceInfo, Taker } from './inflow.js';
import type { Origin } from './origin.js';
import { SourceSubjects, sourceFilters } from './source-subjects.js';
import type { SourceConfig } from './stream-config.js';
import { parseTime } from './time.js';

/** Messages that are taken before others get their turn. */
const BURST_MESSAGES = 256;

/** Reads the log of a stream of the same account. */
export class Follower implements Reader {
  readonly source: SourceConfig;
  /** The next sequence to look at; 0 until the origin is there and tells where to start. */
  position: number;
  private readonly taker: Taker;
  private readonly hand: Hand;
  private readonly filter: LogFilter | null;
  private readonly subjects: SourceSubjects;
  private readonly stored = new StoredMessage();
  private readonly wake = (): void => this.run();
  /** Messages of an origin that keeps them until they are taken: the sequence here and there, until they are durable here. */
  private taken: [number, number][] = [];
  private origin: Origin | null = null;
  private resting = false;
  private activeMs = 0;
  private closed = false;

  constructor(taker: Taker, source: SourceConfig, { position, hand }: { position: number; hand: Hand }) {
    this.taker = taker;
    this.source = source;
    this.position = position;
    this.hand = hand;
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
    if (this.position === 0) this.position = this.startIn(this.origin);
    this.origin.followers.add(this.wake);
    this.run();
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
      if (!this.hand(this.stored, this.subjects.of(this.stored.message))) return;
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

  private startIn({ log }: Origin): number {
    const { opt_start_seq = 0, opt_start_time } = this.source;
    if (opt_start_time !== undefined) return log.sequenceAtTime(parseTime(opt_start_time));
    return opt_start_seq > 0 ? opt_start_seq : 1;
  }
}
