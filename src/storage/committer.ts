import type { Clock, Timer } from '../base/clock.js';
import { describe, Failure } from '../base/failure.js';
import type { BlockCache } from './block-cache.js';
import { errorCode } from './disk.js';
import type { Ledger } from './ledger.js';
import { FLAG, unflagSync } from './record.js';
import { forEachRemoved, RemovedRanges } from './removal-record.js';
import type { Segment } from './segment.js';
import type { SegmentFile } from './segment-file.js';

/** When a commit counts: after a sync of its own, after the write with a sync every so often, or after the write alone. */
export type SyncPolicy = 'always' | 'interval' | 'os';

export interface CommitterOptions {
  ledger: Ledger;
  clock: Clock;
  cache: BlockCache;
  sync: SyncPolicy;
  syncIntervalMs: number;
  files: ReadonlyMap<Segment, SegmentFile>;
  /** Makes a segment's file, its name durable. */
  create(segment: Segment): Promise<SegmentFile>;
  onCommit(sequence: number): void;
  onTrouble(trouble: Failure | null): void;
  /** The file of a segment that was dropped is whole. */
  onLeft(segment: Segment): void;
  /** A commit is done. */
  afterCommit(): void;
}

const RETRY_MS = 250;
/** So much is not held back until the end of the turn. */
const HASTE_BYTES = 16 * 1024;

/**
 * Brings a ledger to its files. One commit runs at a time; whatever is changed meanwhile makes up the next one. What was not made
 * durable stays in memory, so that after a failure all of it is written again: a failed sync says nothing about what was written.
 */
export class Committer {
  trouble: Failure | null = null;
  /** Bytes appended and not yet durable. */
  pendingBytes = 0;
  /** Whether the next record is the first behind a point that will be durable before it is written. */
  flagNext = true;
  /** Bytes of records that were made durable. */
  bytesWritten = 0;
  readonly removed = new RemovedRanges();
  private readonly options: CommitterOptions;
  private running: Promise<void> | null = null;
  private scheduled = false;
  private changed = false;
  private stopped = false;
  private atStart: (() => void)[] = [];
  private waiters: ((failure: Failure | null) => void)[] = [];
  private retryTimer: Timer | null = null;
  private syncTimer: Timer | null = null;
  /** What the last commit brought, and what was told of. */
  private written = 0;
  private committed = 0;
  /** The segment whose file is being made: if that fails there may be half of one. */
  private making: Segment | null = null;
  /** Segments that were dropped before their files were whole. */
  private readonly leaving = new Set<Segment>();

  constructor(options: CommitterOptions) {
    this.options = options;
  }

  /** After recovery: everything up to this sequence is committed. */
  startAt(sequence: number): void {
    this.written = sequence;
    this.committed = sequence;
  }

  /** Something changed: it is committed with all else that changes in this turn. */
  schedule(): void {
    this.changed = true;
    if (this.scheduled || this.running !== null || this.trouble !== null) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (this.changed) this.start();
    });
  }

  /** Before a change: commits what was done so far at once if it is much, so that it is written while more comes. */
  hasten(): void {
    if (this.pendingBytes < HASTE_BYTES || this.running !== null || this.trouble !== null) return;
    if (this.changed && this.atStart.length === 0) this.start();
  }

  /** Commits now, with a sync; resolves with the failure if it fails. */
  flush(): Promise<Failure | null> {
    return new Promise((resolve) => {
      this.waiters.push(resolve);
      this.start();
    });
  }

  /** Calls `take` when a commit begins, and resolves with what it returned when that commit is done. */
  async atCommit<T>(take: () => T): Promise<{ taken: T; failure: Failure | null }> {
    let taken: T | undefined;
    this.atStart.push(() => {
      taken = take();
    });
    const failure = await this.flush();
    return { taken: taken as T, failure };
  }

  /** Stops timers; resolves when nothing is being written. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.retryTimer?.cancel();
    this.syncTimer?.cancel();
    await this.running;
  }

  private start(): void {
    if (this.running !== null || this.stopped) return;
    this.retryTimer?.cancel();
    this.retryTimer = null;
    const waiters = this.waiters;
    this.waiters = [];
    this.running = this.run(waiters.length > 0).then((failure) => {
      this.running = null;
      const isNews = failure === null && this.written > this.committed;
      if (isNews) this.committed = this.written;
      if (failure !== null) this.retryTimer = this.options.clock.after(RETRY_MS, () => this.start());
      // The next one is written while what this one brought is told of.
      if (this.waiters.length > 0 || (this.changed && failure === null)) this.start();
      if (isNews) this.options.onCommit(this.committed);
      for (const resolve of waiters) resolve(failure);
      this.options.afterCommit();
    });
  }

  private async run(withSync: boolean): Promise<Failure | null> {
    this.changed = false;
    try {
      await this.commit(withSync);
      if (this.trouble !== null) this.setTrouble(null);
      return null;
    } catch (thrown) {
      return this.fail(thrown);
    }
  }

  private async commit(withSync: boolean): Promise<void> {
    const { ledger, sync } = this.options;
    this.encodeRemovals();
    for (const take of this.atStart.splice(0)) take();
    const work = this.unfinished().map((segment) => ({ segment, end: segment.recordBytes }));
    const sequence = ledger.state.lastSequence;
    const pending = this.pendingBytes;
    const mustSync = withSync || sync === 'always';
    this.flagNext = mustSync;
    for (const { segment, end } of work) {
      // One that was dropped meanwhile, and has nothing on the disk, needs nothing there.
      if (this.isBegun(segment) || ledger.segments.lastIndexOf(segment) >= 0)
        await this.write(segment, end, mustSync || segment.closed);
    }
    this.pendingBytes -= pending;
    this.bytesWritten += pending;
    if (!mustSync && sync === 'interval') this.syncSoon();
    this.written = sequence;
  }

  private async write(segment: Segment, end: number, mustSync: boolean): Promise<void> {
    const file = this.options.files.get(segment) ?? (await this.create(segment));
    const pieces = piecesOf(segment, file.written, end);
    if (pieces.length > 0) await file.append(pieces, mustSync && !segment.closed);
    const trimmed = segment.closed && (await file.trim());
    const { written } = file;
    if (mustSync && (trimmed || file.durable < written)) {
      await file.file.sync();
      file.durable = written;
    }
    this.release(segment, file);
    if (!this.leaving.has(segment) || isUnfinished(segment, this.options.files)) return;
    this.leaving.delete(segment);
    this.options.onLeft(segment);
  }

  private async create(segment: Segment): Promise<SegmentFile> {
    this.making = segment;
    const file = await this.options.create(segment);
    this.making = null;
    return file;
  }

  /** Whether something of a segment is on the disk, or half of it. */
  private isBegun(segment: Segment): boolean {
    return segment === this.making || this.options.files.has(segment);
  }

  /** Segments that have something to be written or synced, oldest first. */
  private unfinished(): Segment[] {
    const { ledger, files } = this.options;
    const { segments } = ledger;
    let from = segments.length - 1;
    while (from > 0 && isUnfinished(segments[from - 1], files)) from--;
    return [...this.leaving, ...segments.slice(from)];
  }

  /** Gives blocks that are durable to the cache. */
  private release(segment: Segment, file: SegmentFile): void {
    const { loaded } = segment;
    for (let i = loaded.length - 1; i >= 0; i--) {
      const block = loaded[i];
      if (block === null || block.cached) break;
      if (segment.blockEnd(i) <= file.durable) this.options.cache.add(block);
    }
  }

  /**
   * A segment was dropped. If something of it is on the disk, its file is finished all the same before there is another one: behind a file comes
   * the next only when it is whole, and what recovery finds otherwise is damage. If not, what removals it has go into another segment. Says whether
   * there is nothing to be finished.
   */
  drop(segment: Segment): boolean {
    if (this.isBegun(segment)) {
      const isWhole = !isUnfinished(segment, this.options.files);
      if (!isWhole) this.leaving.add(segment);
      return isWhole;
    }
    if (segment.removalBytes > 0) {
      segment.forEachUndurable(0, ({ view }, at) =>
        forEachRemoved(view, at, (first, last) => this.removed.add(first, last)),
      );
    }
    return true;
  }

  private encodeRemovals(): void {
    while (!this.removed.isEmpty) this.options.ledger.appendRemovals(this.removed.takePayload(), this.takeFlag());
  }

  /** Flags of the next record. */
  takeFlag(): number {
    const flag = this.flagNext ? FLAG.FIRST_AFTER_SYNC : 0;
    this.flagNext = false;
    return flag;
  }

  private fail(thrown: unknown): Failure {
    for (const segment of this.unfinished()) {
      const file = this.options.files.get(segment);
      file?.forgetUndurable();
      const durable = file?.durable ?? 0;
      // All of it will be written at once: none but the first has only durable ones before it.
      segment.forEachUndurable(durable, (block, at, offset) => {
        if (offset > durable) unflagSync(block, at);
      });
    }
    // What was flagged counted on this commit, and so would what comes next.
    this.flagNext = false;
    const code = errorCode(thrown) || 'EIO';
    const failure = new Failure(code, `cannot write to the log: ${describe(thrown)}`, { cause: thrown });
    this.changed = true;
    this.setTrouble(failure);
    return failure;
  }

  private setTrouble(trouble: Failure | null): void {
    const same = this.trouble?.code === trouble?.code;
    this.trouble = trouble;
    if (!same) this.options.onTrouble(trouble);
  }

  private syncSoon(): void {
    this.syncTimer ??= this.options.clock.after(this.options.syncIntervalMs, () => {
      this.syncTimer = null;
      void this.flush();
    });
  }
}

function isUnfinished(segment: Segment, files: ReadonlyMap<Segment, SegmentFile>): boolean {
  const file = files.get(segment);
  return file === undefined || file.durable < segment.recordBytes || (segment.closed && file.isAhead);
}

/** The records from offset `from` to `end`, a piece of each block. */
function piecesOf(segment: Segment, from: number, end: number): Uint8Array[] {
  const { blockStarts, loaded } = segment;
  const pieces: Uint8Array[] = [];
  let at = blockStarts.length;
  while (at > 0 && segment.blockEnd(at - 1) > from) at--;
  for (; at < blockStarts.length && blockStarts[at] < end; at++) {
    const start = blockStarts[at];
    const block = loaded[at]!;
    pieces.push(block.bytes.subarray(Math.max(0, from - start), Math.min(segment.blockEnd(at), end) - start));
  }
  return pieces;
}
