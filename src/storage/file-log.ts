import { randomInt } from 'node:crypto';
import { paddedBytes } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { describe, type Failure } from '../base/failure.js';
import { BaseLog } from './base-log.js';
import { Block } from './block.js';
import type { BlockCache } from './block-cache.js';
import { Committer, type SyncPolicy } from './committer.js';
import { RecordScan } from './damage-scan.js';
import type { Disk } from './disk.js';
import type { LedgerStore, SizeRule } from './ledger.js';
import { type LogDamage, type LogListener, type LogSnapshot, REFUSED } from './message-log.js';
import { isRecord, recordLength } from './record.js';
import { Recovery, segmentPath } from './recovery.js';
import type { Segment } from './segment.js';
import { SegmentFile } from './segment-file.js';
import { CIPHER, newHeader } from './segment-header.js';

export interface Encryption {
  cipher: 'aes-256-gcm' | 'chacha20-poly1305';
  /** 32 bytes. */
  key: Uint8Array;
}

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

  constructor(options: FileLogOptions) {
    const store: LedgerStore = {
      newSeed: () => randomInt(SEED_END),
      load: (segment, index) => this.load(segment, index),
      onRemoved: (first, last) => this.committer.removed.add(first, last),
      onThinned: (segment) => this.onThinned(segment),
    };
    super(options.listener, store, { sizeRule: SIZE_RULE, segmentBytes: options.segmentBytes });
    this.options = options;
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
      afterCommit: () => {},
    });
  }

  async recover(): Promise<void> {
    const { disk, folder, encryption } = this.options;
    await disk.makeFolder(folder);
    const recovery = new Recovery({ disk, folder, key: encryption?.key ?? null, ledger: this.ledger });
    await recovery.open();
    await recovery.readAll();
    const { ledger } = this;
    for (const { segment, file } of recovery.found) {
      ledger.segments.push(segment);
      this.files.set(segment, file);
      ledger.nextSegmentId = Math.max(ledger.nextSegmentId, segment.id + 1);
    }
    this.openLast();
    ledger.moveFirst(0);
    ledger.sumUp();
    this.committer.startAt(ledger.state.lastSequence);
    this.committedSequence = ledger.state.lastSequence;
    for (const damage of recovery.damages) this.tellDamage(damage);
  }

  warm(sequence: number): Promise<void> | null {
    const segment = this.ledger.segments[this.ledger.segmentIndex(sequence)];
    const index = segment.has(sequence) ? segment.blockOf(sequence) : -1;
    return index < 0 || segment.loaded[index] !== null ? null : this.loadAsync(segment, index);
  }

  flush(): Promise<Failure | null> {
    return this.committer.flush();
  }

  async snapshot(): Promise<LogSnapshot | null> {
    return null;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.committer.flush();
    await this.committer.stop();
    for (const file of this.files.values()) await file.file.close();
  }

  async delete(): Promise<void> {
    this.closed = true;
    await this.committer.stop();
    for (const file of this.files.values()) await file.file.close();
    await this.options.disk.removeFolder(this.options.folder);
  }

  protected refusal(): number {
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

  protected dropped(_segments: Segment[]): void {}

  protected async overwrite(_segment: Segment, _sequence: number, wipe: () => void): Promise<void> {
    wipe();
  }

  /** The last segment goes on, if it can be appended to; else a new one begins behind it. */
  private openLast(): void {
    const { ledger } = this;
    const last = ledger.segments.at(-1);
    const base = ledger.state.lastSequence + 1;
    const file = last && this.files.get(last);
    if (last && file && !file.damaged && file.header.framed === this.isFramed() && !file.packed) last.closed = false;
    else ledger.segments.push(ledger.newSegment(Math.max(base, last?.base ?? 1)));
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
    const file = await SegmentFile.create(disk, path, header, encryption?.key ?? null);
    await disk.syncFolder(folder);
    this.files.set(segment, file);
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

  private onThinned(_segment: Segment): void {}

  private load(segment: Segment, index: number): Block | null {
    const file = this.files.get(segment)!;
    const start = segment.blockStarts[index];
    try {
      const bytes = file.readBlock(start, segment.blockEnd(index), paddedBytes);
      return this.keep(segment, index, bytes);
    } catch (thrown) {
      this.tellUnread(segment, index, thrown);
      return null;
    }
  }

  private async loadAsync(segment: Segment, index: number): Promise<void> {
    const file = this.files.get(segment)!;
    const start = segment.blockStarts[index];
    try {
      const bytes = await file.readBlockAsync(start, segment.blockEnd(index), paddedBytes);
      const isStill = this.files.get(segment) === file && segment.loaded[index] === null;
      if (isStill) this.keep(segment, index, bytes);
    } catch (thrown) {
      this.tellUnread(segment, index, thrown);
    }
  }

  /** Makes a block of what was read: of what of it is records. */
  private keep(segment: Segment, index: number, bytes: Uint8Array): Block {
    const block = new Block(segment, index, bytes);
    const expected = segment.blockEnd(index) - segment.blockStarts[index];
    while (block.used < bytes.length && isRecord(bytes, block.view, block.used, bytes.length, segment.seed)) {
      block.used += recordLength(block.view, block.used);
    }
    if (block.used < expected) this.keepWhole(segment, block, bytes.length);
    segment.loaded[index] = block;
    this.options.cache.add(block);
    return block;
  }

  /** Part of the block is damaged: the records that are whole move together. */
  private keepWhole(segment: Segment, block: Block, length: number): void {
    const { index, view } = block;
    const scan = new RecordScan(segment.blockSequences[index], segment.seed);
    scan.scan(block.bytes, 0, length);
    block.used = 0;
    for (const at of scan.records) {
      const recordBytes = recordLength(view, at);
      block.bytes.copyWithin(block.used, at, at + recordBytes);
      block.used += recordBytes;
    }
    const file = this.files.get(segment)!;
    if (file.damaged) return;
    file.damaged = true;
    const next = segment.blockSequences[index + 1] ?? segment.last + 1;
    scan.end(next);
    if (length < segment.blockEnd(index) - segment.blockStarts[index]) scan.addStretch(length, 0);
    scan.end(next);
    for (const { offset, bytes, firstSequence, lastSequence } of scan.stretches) {
      const place = file.placeOf(segment.blockStarts[index]) + offset;
      this.tellDamage({ file: file.path, offset: place, bytes, firstSequence, lastSequence });
    }
  }

  private tellUnread(segment: Segment, index: number, thrown: unknown): void {
    const { path } = this.files.get(segment)!;
    const offset = this.files.get(segment)!.placeOf(segment.blockStarts[index]);
    const known = this.damages.some((damage) => damage.file === path && damage.offset === offset);
    if (known) return;
    this.tellDamage({
      file: `${path}: ${describe(thrown)}`,
      offset,
      bytes: segment.blockEnd(index) - segment.blockStarts[index],
      firstSequence: segment.blockSequences[index],
      lastSequence: (segment.blockSequences[index + 1] ?? segment.last + 1) - 1,
    });
  }

  private tellDamage(damage: LogDamage): void {
    this.damages.push(damage);
    this.listener.onDamage(damage);
  }
}

function cipherOf(encryption: Encryption | null): number {
  if (encryption === null) return CIPHER.NONE;
  return encryption.cipher === 'aes-256-gcm' ? CIPHER.AES_256_GCM : CIPHER.CHACHA20_POLY1305;
}
