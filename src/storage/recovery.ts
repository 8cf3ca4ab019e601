import { paddedBytes, wordsOf } from '../base/bytes.js';
import { Failure } from '../base/failure.js';
import { hashSubject } from '../message/message.js';
import { BLOCK_BYTES } from './block.js';
import { RecordScan, type Stretch } from './damage-scan.js';
import type { Disk, DiskFile } from './disk.js';
import { FrameCodec } from './frame-codec.js';
import type { Ledger } from './ledger.js';
import type { LogDamage } from './message-log.js';
import {
  FLAG,
  recordFlags,
  recordLength,
  recordSequence,
  recordTimeMs,
  recordTimeNs,
  subjectLength,
  subjectStart,
} from './record.js';
import { forEachRemoved } from './removal-record.js';
import { SEGMENT_SPAN_MAX, Segment } from './segment.js';
import { SegmentFile } from './segment-file.js';
import { decodeHeader, HEADER_BYTES } from './segment-header.js';

export interface FoundSegment {
  segment: Segment;
  file: SegmentFile;
}

export interface RecoveryOptions {
  disk: Disk;
  folder: string;
  key: Uint8Array | null;
  ledger: Ledger;
}

const NAME = /^(\d{8,})\.log$/;

export function segmentPath(folder: string, id: number): string {
  return `${folder}/${String(id).padStart(8, '0')}.log`;
}

/** Builds a ledger from the files alone. */
export class Recovery {
  readonly damages: LogDamage[] = [];
  /** In order of sequence. */
  found: FoundSegment[] = [];
  private readonly disk: Disk;
  private readonly folder: string;
  private readonly key: Uint8Array | null;
  private readonly ledger: Ledger;

  constructor(options: RecoveryOptions) {
    this.disk = options.disk;
    this.folder = options.folder;
    this.key = options.key;
    this.ledger = options.ledger;
  }

  /** Opens the files, and reads their headers. */
  async open(): Promise<void> {
    const names = (await this.disk.list(this.folder)).sort();
    for (const name of names) if (name.endsWith('.tmp')) await this.disk.removeFile(`${this.folder}/${name}`);
    const segments = names.filter((name) => NAME.test(name)).sort((a, b) => idOf(a) - idOf(b));
    for (const name of segments) await this.openOne(name, name === segments.at(-1));
  }

  /** Reads everything, newest first: what a record removes is always older than the record. */
  async readAll(): Promise<void> {
    const { found, ledger } = this;
    for (let i = found.length - 1; i >= 0; i--) {
      const next = i + 1 < found.length ? found[i + 1].segment.base : Number.MAX_SAFE_INTEGER;
      await this.readSegment(found[i], next);
      const { segment } = found[i];
      ledger.state.messages += segment.messages;
      ledger.state.bytes += segment.bytes;
    }
  }

  /** Reads one segment whose successor's first sequence is `next`; `durableBytes` of its records are known to have been durable. */
  private async readSegment({ segment, file }: FoundSegment, next: number): Promise<void> {
    const isLast = next === Number.MAX_SAFE_INTEGER;
    const { bytes, scan } = await this.scanFile(file, segment);
    const view = wordsOf(bytes);
    if (isLast) await this.cutTornTail(file, scan, view);
    const { state } = this.ledger;
    if (scan.sequence < next) state.lastSequence = Math.max(state.lastSequence, scan.sequence);
    scan.end(isLast ? state.lastSequence + 1 : next);
    for (const at of scan.records) {
      forEachRemoved(view, at, (first, last) => this.markRemoved(first, last));
      segment.noteRemovals(view, at);
    }
    const messages = scan.records.filter((at) => isMessageBelow(view, at, next));
    this.layBlocks(segment, file, scan.records, view);
    for (const stretch of scan.stretches) this.reportDamage(segment, file, stretch);
    markGaps(segment, messages, view);
    this.count(segment, messages, bytes);
    file.durable = file.written;
  }

  private async openOne(name: string, isLast: boolean): Promise<void> {
    const path = `${this.folder}/${name}`;
    const file = await this.disk.open(path, 'r+');
    const bytes = new Uint8Array(HEADER_BYTES);
    await file.read(bytes, 0);
    const header = decodeHeader(bytes.subarray(0, Math.min(HEADER_BYTES, file.bytes)));
    if (header === 'newer') {
      await file.close();
      throw new Failure(
        'STORE_FORMAT',
        `cannot read "${path}": a newer version wrote it, in a format unknown to this one`,
      );
    }
    if (header === 'damaged') return this.setAside(path, file, isLast);
    const { id, base, seed } = header;
    const segment = new Segment(id, base, seed);
    segment.closed = true;
    this.found.push({ segment, file: SegmentFile.adopt(path, header, file, this.key) });
  }

  /** A file without a header: the newest was not finished when a crash came; any other is damaged, and kept for people to look at. */
  private async setAside(path: string, file: DiskFile, isLast: boolean): Promise<void> {
    const { bytes } = file;
    await file.close();
    if (isLast && bytes <= HEADER_BYTES) {
      await this.disk.removeFile(path);
      return;
    }
    await this.disk.rename(path, `${path}.damaged`);
    await this.disk.syncFolder(this.folder);
    const first = (this.found.at(-1)?.segment.last ?? 0) + 1;
    this.damages.push({ file: `${path}.damaged`, offset: 0, bytes, firstSequence: first, lastSequence: first - 1 });
  }

  private async scanFile(file: SegmentFile, segment: Segment): Promise<{ bytes: Uint8Array; scan: RecordScan }> {
    const scan = new RecordScan(segment.base, segment.seed);
    const stored = paddedBytes(file.file.bytes);
    const length = await file.file.read(stored, 0);
    if (!file.header.framed) {
      const bytes = stored.subarray(HEADER_BYTES, length);
      scan.scan(bytes, 0, bytes.length);
      for (const stretch of scan.stretches) stretch.offset += HEADER_BYTES;
      file.written = bytes.length;
      file.fileBytes = length;
      return { bytes, scan };
    }
    return { bytes: scanFrames(file, stored.subarray(0, length), scan), scan };
  }

  /** What a crash left of the last write goes; what had been durable stays, damaged or not. */
  private async cutTornTail(file: SegmentFile, scan: RecordScan, view: DataView): Promise<void> {
    const torn = scan.stretches.findIndex((stretch) => !stretch.wasDurable);
    if (torn < 0) return;
    const { offset } = scan.stretches[torn];
    scan.stretches.length = torn;
    const kept = scan.records.findIndex((at) => file.placeOf(at) >= offset);
    if (kept >= 0) scan.records.length = kept;
    const last = scan.records.at(-1);
    scan.sequence = scan.records.reduce((most, at) => Math.max(most, recordSequence(view, at)), file.header.base - 1);
    file.cut(last === undefined ? 0 : last + recordLength(view, last), offset);
    await file.file.truncate(offset);
    await file.file.sync();
  }

  private markRemoved(first: number, last: number): void {
    const { found } = this;
    this.ledger.state.lastSequence = Math.max(this.ledger.state.lastSequence, last);
    for (let i = 0; i < found.length && found[i].segment.base <= last; i++) {
      const { segment } = found[i];
      const end = Math.min(
        last,
        segment.base + SEGMENT_SPAN_MAX - 1,
        i + 1 < found.length ? found[i + 1].segment.base - 1 : last,
      );
      if (end >= first) segment.markRangeAbsent(Math.max(first, segment.base), end);
    }
  }

  /** Cuts the records into blocks, at frames where there are some. */
  private layBlocks(segment: Segment, file: SegmentFile, records: number[], view: DataView): void {
    let start = -1;
    let highest = segment.base - 1;
    for (const at of records) {
      const end = at + recordLength(view, at);
      const mayCut = !file.header.framed || file.startsFrame(at);
      if (start < 0 || (mayCut && end - start > BLOCK_BYTES)) {
        start = at;
        segment.recordBytes = at;
        segment.addBlock(highest + 1, null);
      }
      highest = Math.max(highest, recordSequence(view, at));
    }
    segment.recordBytes = file.written;
  }

  /** Counts the messages that are there, newest first. */
  private count(segment: Segment, messages: number[], bytes: Uint8Array): void {
    const view = wordsOf(bytes);
    const { ledger } = this;
    for (let i = messages.length - 1; i >= 0; i--) {
      const at = messages[i];
      const sequence = recordSequence(view, at);
      this.noteTime(segment, sequence, view, at);
      if (!segment.has(sequence)) continue;
      const length = recordLength(view, at);
      const start = subjectStart(view, at);
      const end = start + subjectLength(view, at);
      ledger.subjects.noteFirst(ledger.subjects.findOrAdd(bytes, start, end, hashSubject(bytes, start, end)), sequence);
      segment.messages++;
      segment.liveBytes += length;
      segment.bytes += ledger.countedBytes(length, (recordFlags(view, at) & FLAG.HAS_HEADERS) !== 0);
    }
  }

  private noteTime(segment: Segment, sequence: number, view: DataView, at: number): void {
    const { state } = this.ledger;
    const timeMs = recordTimeMs(view, at);
    const timeNs = recordTimeNs(view, at);
    if (timeMs > segment.timeMaxMs || (timeMs === segment.timeMaxMs && timeNs > segment.timeMaxNs)) {
      segment.timeMaxMs = timeMs;
      segment.timeMaxNs = timeNs;
    }
    if (state.lastTimeMs !== 0 || sequence > state.lastSequence) return;
    state.lastTimeMs = timeMs;
    state.lastTimeNs = timeNs;
  }

  /** Tells of damage, unless all that it can have taken is removed anyhow. */
  private reportDamage(segment: Segment, file: SegmentFile, stretch: Stretch): void {
    const { offset, bytes, firstSequence, lastSequence } = stretch;
    file.damaged = true;
    let missing = firstSequence > lastSequence;
    for (let i = firstSequence; i <= lastSequence && !missing; i++) missing = !segment.isMarkedAbsent(i);
    if (missing) this.damages.push({ file: file.path, offset, bytes, firstSequence, lastSequence });
  }
}

function idOf(name: string): number {
  return Number(NAME.exec(name)![1]);
}

/** What a segment repeats of its successor is not believed. */
function isMessageBelow(view: DataView, at: number, next: number): boolean {
  return (recordFlags(view, at) & FLAG.REMOVALS) === 0 && recordSequence(view, at) < next;
}

/** Sets the last sequence, and marks those absent that have no record. */
function markGaps(segment: Segment, messages: number[], view: DataView): void {
  const last = messages.at(-1);
  if (last === undefined) return;
  segment.last = recordSequence(view, last);
  let expected = segment.base;
  for (const at of messages) {
    const sequence = recordSequence(view, at);
    if (sequence > expected) segment.markRangeAbsent(expected, sequence - 1);
    expected = sequence + 1;
  }
}

/** Opens all frames of a file, one behind the other; where there is none it looks for the next one. */
function scanFrames(file: SegmentFile, stored: Uint8Array, scan: RecordScan): Uint8Array {
  let bytes = paddedBytes(stored.length * 2);
  for (let at = HEADER_BYTES; at < stored.length; ) {
    const records = file.decodeAt(stored, at);
    if (records === null) {
      let next = at + 1;
      while (next < stored.length && file.decodeAt(stored, next) === null) next++;
      scan.addStretch(at, next - at);
      at = next;
      continue;
    }
    const start = file.written;
    if (start + records.length > bytes.length) {
      const more = paddedBytes((start + records.length) * 2);
      more.set(bytes.subarray(0, start));
      bytes = more;
    }
    bytes.set(records, start);
    const { storedBytes } = FrameCodec.peek(stored, at)!;
    file.fileBytes = at;
    file.noteFrame(records.length, storedBytes);
    scan.scan(bytes, start, file.written);
    at += storedBytes;
  }
  return bytes.subarray(0, file.written);
}
