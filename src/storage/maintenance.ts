import type { BlockCache } from './block-cache.js';
import { segmentContent, takeCheckpoint } from './checkpoint.js';
import type { Committer } from './committer.js';
import type { Disk } from './disk.js';
import type { Ledger } from './ledger.js';
import type { LogDamage } from './message-log.js';
import { type MetadataPlace, writePieces } from './metadata-file.js';
import { forEachRemoved } from './removal-record.js';
import { type Rewritten, rewriteSegment } from './rewriter.js';
import type { Segment } from './segment.js';
import type { SegmentFile } from './segment-file.js';
import type { Encryption } from './segment-header.js';

export interface MaintenanceOptions {
  ledger: Ledger;
  committer: Committer;
  cache: BlockCache;
  files: Map<Segment, SegmentFile>;
  disk: Disk;
  folder: string;
  encryption: Encryption | null;
  /** The checkpoint's. */
  place: MetadataPlace;
  compress: boolean;
  segmentBytes: number;
  damages: readonly LogDamage[];
}

/** A segment without messages whose file is still there. */
export interface Retired {
  segment: Segment;
  file: SegmentFile;
  /** Its bytes are overwritten before it goes. */
  erase: boolean;
}

/** After so many bytes a checkpoint is worth its cost: they are read again after a crash. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;
/** A checkpoint is written no more often than this makes it a small part of all writing. */
const CHECKPOINT_SHARE = 10;
/** One round writes no more than about this anew. */
const ROUND_BYTES_MAX = 64 * 1024 * 1024;
const ZEROS = new Uint8Array(1024 * 1024);

/**
 * What a log does beside its work: it writes thinned segments anew, deletes those without messages, writes the checkpoint. All in rounds,
 * one at a time, in an order that a crash may cut anywhere:
 *
 * 1. new files are written beside the old ones;
 * 2. as a commit begins, the new ones take the place of the old ones in memory, and the checkpoint is taken;
 * 3. when the commit is durable, the checkpoint is written, the new files get the old ones' names, and what is not needed is deleted.
 *
 * A file's records of removals are needed as long as what they remove may still be in some file.
 */
export class Maintenance {
  /** Snapshots that are being read: no file may change or go. */
  private holds = 0;
  readonly retired: Retired[] = [];
  private readonly options: MaintenanceOptions;
  private readonly thinned = new Set<Segment>();
  private readonly forced = new Set<Segment>();
  /** Written anew, but the file does not have its name yet. */
  private onRelease: (() => void)[] = [];
  private readonly unnamed: Rewritten[] = [];
  private round: Promise<void> | null = null;
  private closing = false;
  private checkpointBytes = 0;
  private bytesAtCheckpoint = 0;
  private failedAt = -1;
  private isHurried = false;
  /** Whether segments were thinned or retired since they were last looked at. */
  private changed = false;

  constructor(options: MaintenanceOptions) {
    this.options = options;
  }

  /** A closed segment lost messages, or is one that is to be compressed. */
  thin(segment: Segment): void {
    this.changed = true;
    this.thinned.add(segment);
  }

  /** Somebody purged all: what can go, goes soon. */
  hurry(): void {
    this.isHurried = true;
  }

  /** A segment got its file: older ones may go. */
  fileMade(): void {
    this.changed = true;
  }

  /** A segment has no messages and is not in the ledger any more. */
  retire(segment: Segment): void {
    const { files, cache } = this.options;
    // Its file may stay for long, and many others with it: what can be read again takes no memory meanwhile.
    for (const [index, block] of segment.loaded.entries()) {
      if (block === null || !block.cached) continue;
      cache.remove(block);
      segment.loaded[index] = null;
    }
    this.thinned.delete(segment);
    this.changed = true;
    const file = files.get(segment);
    if (file === undefined) return;
    files.delete(segment);
    this.retired.push({ segment, file, erase: false });
    this.retired.sort((a, b) => a.segment.id - b.segment.id);
  }

  /** Begins a round if there is enough to do. */
  consider(): void {
    if (this.round !== null || this.closing || this.holds > 0) return;
    const { committer, segmentBytes, ledger } = this.options;
    if (committer.trouble !== null) {
      // Deleting what is not needed may be what helps.
      if (this.retired.length > 0 && this.failedAt !== committer.bytesWritten) void this.start();
      return;
    }
    const written = committer.bytesWritten - this.bytesAtCheckpoint;
    const isCheckpointDue = written >= Math.max(CHECKPOINT_BYTES, this.checkpointBytes * CHECKPOINT_SHARE);
    const enough = this.isHurried ? 1 : Math.max(segmentBytes, ledger.state.bytes / 4);
    if (isCheckpointDue || this.reclaimable() >= enough) void this.start();
  }

  /** Writes these segments anew, whatever they hold, and overwrites what they held before. */
  async erase(segment: Segment): Promise<void> {
    while (this.holds > 0 || this.round !== null) {
      await (this.round ?? new Promise<void>((resolve) => this.onRelease.push(resolve)));
    }
    const retired = this.retired.find((each) => each.segment === segment);
    if (retired) retired.erase = true;
    else this.forced.add(segment);
    await this.start();
  }

  /** Nothing changes or goes until `release`; resolves when nothing does. */
  async hold(): Promise<void> {
    this.holds++;
    await this.settled();
  }

  release(): void {
    if (--this.holds > 0) return;
    for (const resolve of this.onRelease.splice(0)) resolve();
    this.consider();
  }

  /** Waits for what is going on, and begins nothing more. */
  async close(): Promise<void> {
    this.closing = true;
    await this.settled();
  }

  private async settled(): Promise<void> {
    while (this.round !== null) await this.round;
  }

  /** Writes a checkpoint of the log as it is; for closing it. */
  async checkpoint(): Promise<void> {
    const { taken, failure } = await this.options.committer.atCommit(() => this.take());
    if (failure === null) await writePieces(this.options.place, taken);
  }

  private start(): Promise<void> {
    this.isHurried = false;
    this.round = this.run().finally(() => {
      this.round = null;
      this.consider();
    });
    return this.round;
  }

  private async run(): Promise<void> {
    const { committer } = this.options;
    try {
      const written = committer.trouble === null ? await this.rewriteSome() : [];
      let gone: Retired[] = [];
      const { taken, failure } = await committer.atCommit(() => {
        for (const each of written) this.swap(each);
        gone = [...this.retired];
        this.bytesAtCheckpoint = committer.bytesWritten;
        return this.take();
      });
      if (failure === null) await writePieces(this.options.place, taken);
      else await this.forgetCheckpoint();
      this.checkpointBytes = taken.reduce((sum, piece) => sum + piece.length, 0);
      await this.nameFiles();
      await this.deleteUnneeded(gone);
      this.failedAt = failure === null ? -1 : committer.bytesWritten;
    } catch {
      // A full or failing disk: nothing is lost, the next round tries again.
      this.failedAt = committer.bytesWritten;
    }
  }

  /** It names files that go now, to make room: after a crash they would be taken for lost. */
  private async forgetCheckpoint(): Promise<void> {
    const { disk, folder, place } = this.options;
    await disk.removeFile(place.path);
    await disk.syncFolder(folder);
  }

  private async rewriteSome(): Promise<Rewritten[]> {
    const { files } = this.options;
    const written: Rewritten[] = [];
    let bytes = 0;
    for (const segment of this.candidates()) {
      if (bytes > ROUND_BYTES_MAX) break;
      const file = files.get(segment) ?? this.retired.find((each) => each.segment === segment)?.file;
      if (file === undefined) continue;
      const { disk, encryption, compress } = this.options;
      const isNeeded = (view: DataView, at: number) => this.isRecordNeeded(segment, view, at);
      try {
        written.push(await rewriteSegment(segment, file, { disk, encryption, compress, isNeeded }));
      } catch (thrown) {
        for (const { to } of written) await to.file.close();
        throw thrown;
      }
      bytes += segment.recordBytes;
    }
    return written;
  }

  private candidates(): Segment[] {
    const { files, compress } = this.options;
    const found = [...this.forced];
    for (const segment of this.thinned) {
      const file = files.get(segment);
      if (file === undefined || !segment.closed || this.forced.has(segment)) continue;
      if (file.damaged || file.durable < segment.recordBytes || this.isUnnamed(file)) continue;
      if (deadBytes(segment) * 2 > segment.recordBytes || (compress && !file.packed)) found.push(segment);
      else this.thinned.delete(segment);
    }
    for (const { segment, file } of this.retired) {
      if (this.isFileNeeded(segment) && deadBytes(segment) * 2 > segment.recordBytes && !this.isUnnamed(file)) {
        found.push(segment);
      }
    }
    return found;
  }

  /** The new file takes the old one's place. Messages that were removed since it was written are in it, and count as removed. */
  private swap(written: Rewritten): void {
    const { files, cache } = this.options;
    const { segment, from, to, packer } = written;
    const retired = this.retired.find((each) => each.segment === segment);
    for (const block of segment.loaded) if (block !== null) cache.remove(block);
    segment.replaceBlocks(packer);
    segment.loaded.fill(null);
    segment.removalBytes = written.removalBytes;
    if (retired) retired.file = to;
    else if (files.get(segment) === from) files.set(segment, to);
    this.thinned.delete(segment);
    this.unnamed.push(written);
  }

  private async nameFiles(): Promise<void> {
    const { disk, folder } = this.options;
    while (this.unnamed.length > 0) {
      const { from, to, segment } = this.unnamed[0];
      from.file.moved(null);
      await disk.rename(to.path, from.path);
      to.file.moved(from.path);
      await disk.syncFolder(folder);
      to.path = from.path;
      this.unnamed.shift();
      if (this.forced.delete(segment)) await overwriteAll(from);
      await from.file.close();
    }
  }

  private async deleteUnneeded(candidates: Retired[]): Promise<void> {
    const { disk, folder } = this.options;
    const newest = this.newestId();
    for (;;) {
      const gone = candidates.filter(
        (each) => this.retired.includes(each) && each.segment.id < newest && !this.isFileNeeded(each.segment),
      );
      if (gone.length === 0) return;
      for (const { file } of gone) {
        file.file.moved(null);
        await disk.removeFile(file.path);
      }
      await disk.syncFolder(folder);
      for (const each of gone) {
        this.retired.splice(this.retired.indexOf(each), 1);
        if (each.erase) await overwriteAll(each.file);
        await each.file.file.close();
      }
    }
  }

  /** Whether what a segment's records of removals remove may still be in an older file. */
  private isFileNeeded(segment: Segment): boolean {
    return segment.removalBytes > 0 && this.mayHold(segment, segment.removalFirst, segment.base - 1);
  }

  private isRecordNeeded(segment: Segment, view: DataView, at: number): boolean {
    let needed = false;
    forEachRemoved(view, at, (first, last) => {
      needed ||= this.mayHold(segment, first, last);
    });
    return needed;
  }

  /** Whether an older file than that of `segment` may hold a removed message of this range. */
  private mayHold(segment: Segment, first: number, last: number): boolean {
    const holds = (other: Segment, file: SegmentFile) =>
      other.id < segment.id &&
      other.base <= last &&
      other.last >= first &&
      (deadBytes(other) > 0 || file.damaged || this.isUnnamed(file));
    for (const [other, file] of this.options.files) if (holds(other, file)) return true;
    return this.retired.some((each) => holds(each.segment, each.file));
  }

  private isUnnamed(file: SegmentFile): boolean {
    return this.unnamed.some((each) => each.to === file);
  }

  private take(): Uint8Array[] {
    const { ledger, files, damages } = this.options;
    const segments = ledger.segments.map((segment) => segmentContent(segment, files.get(segment)));
    const retired = this.retired.map(({ segment, file }) => segmentContent(segment, file));
    return takeCheckpoint(ledger, { segments, retired, damages: [...damages] });
  }

  /** Bytes that a round would write anew, or delete. */
  private reclaimable(): number {
    if (!this.changed) return 0;
    this.changed = false;
    let bytes = 0;
    for (const segment of this.candidates()) bytes += this.options.compress ? segment.recordBytes : deadBytes(segment);
    const newest = this.newestId();
    for (const { segment } of this.retired) {
      if (segment.id < newest && !this.isFileNeeded(segment)) bytes += segment.recordBytes;
    }
    return bytes;
  }

  /** The newest file says what the last sequence is: it is not deleted. */
  private newestId(): number {
    let newest = -1;
    for (const segment of this.options.files.keys()) newest = Math.max(newest, segment.id);
    return newest;
  }
}

/** Bytes of messages that are in the file and were removed. */
function deadBytes(segment: Segment): number {
  return segment.recordBytes - segment.liveBytes - segment.removalBytes;
}

async function overwriteAll(file: SegmentFile): Promise<void> {
  const { bytes } = file.file;
  for (let at = 0; at < bytes; at += ZEROS.length) {
    await file.file.write([ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at))], at);
  }
  await file.file.sync();
}
