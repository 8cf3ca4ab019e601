import { paddedBytes, wordsOf } from '../base/bytes.js';
import { hashSubject } from '../message/message.js';
import { BLOCK_BYTES } from './block.js';
import { RecordScan } from './damage-scan.js';
import { FrameCodec } from './frame-codec.js';
import type { Ledger } from './ledger.js';
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
import type { Segment } from './segment.js';
import type { SegmentFile } from './segment-file.js';
import { HEADER_BYTES } from './segment-header.js';

export interface FoundSegment {
  segment: Segment;
  file: SegmentFile;
}

/** A segment whose file was read: its records laid end to end, and where each begins. */
export interface ScannedSegment extends FoundSegment {
  bytes: Uint8Array;
  view: DataView;
  scan: RecordScan;
}

/** Reads a whole file, and finds its records. Offsets of stretches are places in the file. */
export async function scanSegment({ segment, file }: FoundSegment): Promise<ScannedSegment> {
  const scan = new RecordScan(segment.base, segment.seed);
  const stored = paddedBytes(file.file.bytes);
  const length = await file.file.read(stored, 0);
  let bytes: Uint8Array;
  if (file.header.framed) {
    bytes = scanFrames(file, stored.subarray(0, length), scan);
  } else {
    bytes = stored.subarray(HEADER_BYTES, length);
    scan.scan(bytes, 0, bytes.length);
    for (const stretch of scan.stretches) stretch.offset += HEADER_BYTES;
    file.written = bytes.length;
    file.fileBytes = length;
  }
  file.durable = file.written;
  return { segment, file, bytes, view: wordsOf(bytes), scan };
}

/**
 * What a crash left of the last write goes, and what it left of a batch; what had been durable stays, damaged or not. Only for the last
 * segment.
 */
export async function cutTornTail(scanned: ScannedSegment, durablePlace: number): Promise<void> {
  const { scan } = scanned;
  for (const stretch of scan.stretches) if (stretch.offset < durablePlace) stretch.wasDurable = true;
  const torn = scan.stretches.findIndex((stretch) => !stretch.wasDurable);
  if (torn >= 0) {
    const { offset } = scan.stretches[torn];
    scan.stretches.length = torn;
    await cutAt(scanned, offset);
  }
  // Of files with frames the end of another batch may have gone, too.
  for (;;) {
    const open = placeOfOpenBatch(scanned);
    if (open < durablePlace) break;
    await cutAt(scanned, open);
  }
  // What was read may not be on the disk yet when a process was killed, and nobody is told that of it again: a repeated message is acknowledged.
  if (scanned.file.fileBytes > durablePlace) await scanned.file.file.sync();
}

/**
 * Where in the file a batch begins whose end is not there; -1 when there is none. In a file with frames it is the place of the frame: all that
 * is in it was written in the same commit, of which nobody was told. A file that was written anew holds what had been durable, and perhaps
 * not the end of a batch any more.
 */
function placeOfOpenBatch({ file, scan, view }: ScannedSegment): number {
  if (file.header.generation > 0) return -1;
  let at = scan.records.length;
  while (at > 0 && recordFlags(view, scan.records[at - 1]) & FLAG.CONTINUES) at--;
  return at === scan.records.length ? -1 : file.placeOf(scan.records[at]);
}

async function cutAt({ segment, file, scan, view }: ScannedSegment, offset: number): Promise<void> {
  const cut = scan.records.findIndex((at) => file.placeOf(at) >= offset);
  if (cut >= 0) scan.records.length = cut;
  scan.sequence = scan.records.reduce((most, at) => Math.max(most, recordSequence(view, at)), segment.base - 1);
  const last = scan.records.at(-1);
  const end = last === undefined ? 0 : last + recordLength(view, last);
  file.cut(file.header.framed ? end : offset - HEADER_BYTES, offset);
  file.durable = file.written;
  await file.file.truncate(offset);
  await file.file.sync();
}

/**
 * Zeros at the end of a segment were written ahead, and a crash came before they could be given up: they go, if `nothingMissing`, that is, no
 * message is known of that could have been there.
 */
export async function cutZeros({ file, scan, bytes, view }: ScannedSegment, nothingMissing: boolean): Promise<void> {
  const { offset } = scan.stretches.at(-1) ?? { offset: -1 };
  const last = scan.records.at(-1);
  const end = last === undefined ? 0 : last + recordLength(view, last);
  if (file.header.framed || offset !== HEADER_BYTES + end || !nothingMissing) return;
  for (let at = end; at < bytes.length; at++) if (bytes[at] !== 0) return;
  scan.stretches.pop();
  file.cut(end, offset);
  file.durable = file.written;
  await file.file.truncate(offset);
}

/** Cuts the records into blocks, at frames where there are some. */
export function layBlocks({ segment, file, scan, view }: ScannedSegment): void {
  let start = -1;
  let highest = segment.base - 1;
  for (const at of scan.records) {
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

export function isMessage(view: DataView, at: number): boolean {
  return (recordFlags(view, at) & FLAG.REMOVALS) === 0;
}

/** Sets the last sequence, and marks those absent that have no record; `expected` is the first that may be among `messages`. */
export function markGaps(segment: Segment, messages: number[], view: DataView, expected: number): void {
  const last = messages.at(-1);
  if (last === undefined) return;
  segment.last = recordSequence(view, last);
  for (const at of messages) {
    const sequence = recordSequence(view, at);
    if (sequence > expected) segment.markRangeAbsent(expected, sequence - 1);
    expected = sequence + 1;
  }
}

/** Counts the message at `at`, which is there; returns the number of its subject. */
export function countMessage({ segment, bytes, view }: ScannedSegment, at: number, ledger: Ledger): number {
  const length = recordLength(view, at);
  const start = subjectStart(view, at);
  const end = start + subjectLength(view, at);
  segment.messages++;
  segment.liveBytes += length;
  segment.bytes += ledger.countedBytes(length, (recordFlags(view, at) & FLAG.HAS_HEADERS) !== 0);
  return ledger.subjects.findOrAdd(bytes, start, end, hashSubject(bytes, start, end));
}

/** Notes a message's time for its segment; it counts whether the message is still there or not. */
export function noteTime({ segment, view }: ScannedSegment, at: number): void {
  const timeMs = recordTimeMs(view, at);
  const timeNs = recordTimeNs(view, at);
  if (timeMs < segment.timeMaxMs || (timeMs === segment.timeMaxMs && timeNs <= segment.timeMaxNs)) return;
  segment.timeMaxMs = timeMs;
  segment.timeMaxNs = timeNs;
}

/** Opens all frames of a file, one behind the other; where there is none it looks for the next one. */
function scanFrames(file: SegmentFile, stored: Uint8Array, scan: RecordScan): Uint8Array {
  let bytes = paddedBytes(stored.length * 2);
  file.cut(0, HEADER_BYTES);
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
