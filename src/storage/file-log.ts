import { randomInt } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import type { Failure } from '../base/failure.js';
import { BaseLog } from './base-log.js';
import type { BlockCache } from './block-cache.js';
import { BlockLoader } from './block-loader.js';
import { checkpointPath, readCheckpoint } from './checkpoint.js';
import { adoptCheckpoint, durablePlaces, lostSegments } from './checkpoint-recovery.js';
import { Committer, type SyncPolicy } from './committer.js';
import type { Disk } from './disk.js';
import type { LedgerStore, SizeRule } from './ledger.js';
import { Maintenance } from './maintenance.js';
import { type LogListener, type LogSnapshot, REFUSED } from './message-log.js';
import type { MetadataPlace } from './metadata-file.js';
import { boundDamages, openSegments, Recovery, segmentPath } from './recovery.js';
import type { Segment } from './segment.js';
import { SegmentFile } from './segment-file.js';
import { cipherOf, type Encryption, newHeader } from './segment-header.js';
import type { FoundSegment } from './segment-scan.js';

export interface FileLogOptions {
  disk: Disk;
  clock: Clock;
  cache: BlockCache;
  /** Made if it is not there. The log owns everything in it. */
  folder: string;
  listener: LogListener;
  sync: SyncPolicy;
  syncIntervalMs: number;
  segmentBytes: number;
  /** Whether segments are compressed when they are closed. */
  compress: boolean;
  encryption: Encryption | null;
}

/** What a segment holds before the next one begins. */
export const SEGMENT_BYTES_DEFAULT = 8 * 1024 * 1024;
/** More than this may not wait for the disk. */
const PENDING_BYTES_MAX = 64 * 1024 * 1024;
/** nats-server counts 30 bytes beside what a message carries; a record has 26. */
const SIZE_RULE: SizeRule = { perMessage: 4, perHeaders: 0 };
const SEED_END = 2 ** 32;

/** Opens the log in a folder, and recovers it. Rejects with a `Failure` when its files are not for us to read. */
export async function openFileLog(options: FileLogOptions): Promise<FileLog> {
  const log = new FileLog(options);
  await log.recover();
  return log;
}

/** A log in files. */
export class FileLog extends BaseLog {
  private readonly options: FileLogOptions;
  private readonly files = new Map<Segment, SegmentFile>();
  private readonly committer: Committer;
  private readonly maintenance: Maintenance;
  private readonly place: MetadataPlace;
  private readonly loader: BlockLoader;

  constructor(options: FileLogOptions) {
    const store: LedgerStore = {
      newSeed: () => randomInt(SEED_END),
      load: (segment, index) => this.loader.load(segment, index),
      newBytes: (length) => options.cache.newBytes(length),
      reclaim: (block) => options.cache.remove(block),
      onRemoved: (first, last) => this.committer.removed.add(first, last),
      onThinned: (segment) => this.onThinned(segment),
    };
    super(options.listener, store, { sizeRule: SIZE_RULE, segmentBytes: options.segmentBytes });
    this.options = options;
    this.loader = new BlockLoader({
      files: this.files,
      cache: options.cache,
      damages: this.damages,
      onDamage: (damage) => options.listener.onDamage(damage),
    });
    this.committer = new Committer({
      ledger: this.ledger,
      clock: options.clock,
      cache: options.cache,
      sync: options.sync,
      syncIntervalMs: options.syncIntervalMs,
      files: this.files,
      create: (segment) => this.createFile(segment),
      onCommit: (sequence) => this.onCommit(sequence),
      onTrouble: (trouble) => this.onTrouble(trouble),
      onLeft: (segment) => this.maintenance.retire(segment),
      afterCommit: () => this.maintenance.consider(),
    });
    const { disk, folder, encryption } = options;
    this.place = { disk, path: checkpointPath(folder), encryption };
    this.maintenance = new Maintenance({
      ledger: this.ledger,
      committer: this.committer,
      cache: options.cache,
      files: this.files,
      disk,
      folder,
      encryption,
      place: this.place,
      compress: options.compress,
      segmentBytes: options.segmentBytes,
      damages: this.damages,
    });
  }

  async recover(): Promise<void> {
    const { disk, folder } = this.options;
    const { ledger } = this;
    await disk.makeFolder(folder);
    const { found, damages } = await openSegments(disk, folder, this.key);
    const content = damages.length > 0 ? null : await readCheckpoint(this.place);
    const register = (live: FoundSegment[], retired: FoundSegment[]) => this.register(live, retired);
    if (content !== null && (await adoptCheckpoint({ ledger, found, content, register }))) {
      damages.push(...content.damages);
    } else {
      const fresh = content === null ? found : await this.openAgain(found);
      const recovery = new Recovery(ledger, fresh, durablePlaces(content));
      await recovery.readAll();
      damages.push(...recovery.damages, ...lostSegments(content, fresh, recovery, folder));
      boundDamages(damages, fresh, ledger.state.lastSequence);
      const isLive = ({ segment }: FoundSegment) => segment.messages > 0 || segment === fresh.at(-1)?.segment;
      this.register(
        fresh.filter(isLive),
        fresh.filter((each) => !isLive(each)),
      );
      ledger.moveFirst(0);
    }
    this.openLast();
    ledger.sumUp();
    this.committer.startAt(ledger.state.lastSequence);
    this.committedSequence = ledger.state.lastSequence;
    for (const damage of damages) this.loader.add(damage);
    this.maintenance.consider();
  }

  warm(sequence: number): Promise<void> | null {
    const segment = this.ledger.segments[this.ledger.segmentIndex(sequence)];
    const index = segment.has(sequence) ? segment.blockOf(sequence) : -1;
    return index < 0 || segment.loaded[index] !== null ? null : this.loader.loadAsync(segment, index);
  }

  flush(): Promise<Failure | null> {
    return this.committer.flush();
  }

  async snapshot(): Promise<LogSnapshot | null> {
    await this.maintenance.hold();
    await this.committer.flush();
    const files = new Map(
      [...this.files.values(), ...this.maintenance.retired.map(({ file }) => file)].map((file) => [
        file.path.slice(file.path.lastIndexOf('/') + 1),
        { file: file.file, bytes: file.placeOf(file.durable) },
      ]),
    );
    return {
      files: [...files].map(([name, { bytes }]) => ({ name, bytes })),
      read: async (name, offset, bytes) => {
        const found = files.get(name)!;
        const into = new Uint8Array(Math.max(0, Math.min(bytes, found.bytes - offset)));
        return into.subarray(0, await found.file.read(into, offset));
      },
      release: () => this.maintenance.release(),
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.maintenance.close();
    await this.maintenance.checkpoint().catch(() => {});
    await this.committer.stop();
    await this.closeFiles();
  }

  async delete(): Promise<void> {
    this.closed = true;
    await this.maintenance.close();
    await this.committer.stop();
    await this.closeFiles();
    await this.options.disk.removeFolder(this.options.folder);
  }

  protected refusal(): number {
    this.committer.hasten();
    if (this.closed) return REFUSED.CLOSED;
    if (this.trouble !== null) return REFUSED.DISK;
    return this.committer.pendingBytes > PENDING_BYTES_MAX ? REFUSED.BUSY : 0;
  }

  protected nextFlags(): number {
    return this.committer.takeFlag();
  }

  protected onChange(recordBytes: number): void {
    this.committer.pendingBytes += recordBytes;
    this.committer.schedule();
  }

  protected dropped(segments: Segment[]): void {
    for (const segment of segments) this.retire(segment);
    this.maintenance.hurry();
  }

  protected async overwrite(segment: Segment, sequence: number, wipe: () => void): Promise<void> {
    // A record that is yet to be written has to be what its checksum says, or it would be damage behind a crash.
    if (sequence > this.committedSequence) await this.flush();
    wipe();
    if (segment === this.ledger.active()) this.ledger.roll(this.state.lastSequence + 1);
    await this.flush();
    await this.maintenance.erase(segment);
  }

  /** The checkpoint did not fit, and what was learned of these on its account does not count. */
  private async openAgain(found: FoundSegment[]): Promise<FoundSegment[]> {
    for (const { file } of found) await file.file.close();
    const { disk, folder } = this.options;
    return (await openSegments(disk, folder, this.key)).found;
  }

  private async closeFiles(): Promise<void> {
    for (const file of this.files.values()) {
      // Without it the next start does it.
      await file.trim().catch(() => {});
      await file.file.close();
    }
    for (const { file } of this.maintenance.retired) await file.file.close();
    for (const segment of this.ledger.segments) {
      for (const block of segment.loaded) if (block !== null) this.options.cache.remove(block);
    }
  }

  private register(live: FoundSegment[], retired: FoundSegment[]): void {
    const { ledger, maintenance } = this;
    for (const { segment, file } of live) {
      ledger.segments.push(segment);
      this.files.set(segment, file);
      maintenance.thin(segment);
      ledger.nextSegmentId = Math.max(ledger.nextSegmentId, segment.id + 1);
    }
    for (const { segment, file } of retired) maintenance.retired.push({ segment, file, erase: false });
  }

  /** The last segment goes on, if it can be appended to; else a new one begins behind it. */
  private openLast(): void {
    const { ledger } = this;
    const last = ledger.segments.at(-1);
    const base = ledger.state.lastSequence + 1;
    const file = last && this.files.get(last);
    const isFree = last && file && !file.damaged && !file.packed && file.header.framed === this.isFramed();
    // In one that was written anew the beginning of a batch says nothing: it would not be noticed that the end of the batch is missing.
    if (isFree && file.header.generation === 0) last.closed = false;
    else ledger.segments.push(ledger.newSegment(Math.max(base, last?.base ?? 1)));
  }

  private get key(): Uint8Array | null {
    return this.options.encryption?.key ?? null;
  }

  private isFramed(): boolean {
    return this.options.encryption !== null;
  }

  private async createFile(segment: Segment): Promise<SegmentFile> {
    const { disk, folder, encryption } = this.options;
    const header = newHeader({
      id: segment.id,
      base: segment.base,
      seed: segment.seed,
      cipher: cipherOf(encryption),
      framed: this.isFramed(),
    });
    const path = segmentPath(folder, segment.id);
    const file = await SegmentFile.create(disk, path, header, this.key);
    try {
      await disk.syncFolder(folder);
    } catch (thrown) {
      await file.file.close();
      throw thrown;
    }
    this.files.set(segment, file);
    this.maintenance.fileMade();
    return file;
  }

  private onCommit(sequence: number): void {
    this.committedSequence = sequence;
    this.listener.onCommit(sequence);
  }

  private onTrouble(trouble: Failure | null): void {
    this.trouble = trouble;
    this.listener.onTrouble(trouble);
  }

  private retire(segment: Segment): void {
    if (this.committer.drop(segment)) this.maintenance.retire(segment);
  }

  private onThinned(segment: Segment): void {
    if (segment.messages === 0) {
      this.ledger.drop(segment);
      this.retire(segment);
    } else if (this.options.compress || segment.liveBytes * 2 < segment.recordBytes) this.maintenance.thin(segment);
  }
}
