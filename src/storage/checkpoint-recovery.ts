import type { CheckpointContent, SegmentContent } from './checkpoint.js';
import type { Ledger } from './ledger.js';
import { type LogDamage, StoredMessage } from './message-log.js';
import { recordSequence, recordTimeMs, recordTimeNs } from './record.js';
import { type Recovery, segmentPath } from './recovery.js';
import { forEachRemoved } from './removal-record.js';
import { Segment } from './segment.js';
import type { SegmentFile } from './segment-file.js';
import { HEADER_BYTES } from './segment-header.js';
import {
  countMessage,
  cutTornTail,
  cutZeros,
  type FoundSegment,
  isMessage,
  layBlocks,
  markGaps,
  noteTime,
  type ScannedSegment,
  scanSegment,
} from './segment-scan.js';
import { SubjectIndex } from './subject-index.js';

/** With more removals behind the checkpoint, reading everything is faster than finding what each removed. */
const REMOVALS_MAX = 250_000;

interface Tail extends ScannedSegment {
  /** Records up to here are in the checkpoint. */
  counted: number;
}

export interface AdoptOptions {
  ledger: Ledger;
  found: FoundSegment[];
  content: CheckpointContent;
  /** Called before messages are read from files. */
  register(segments: FoundSegment[], retired: FoundSegment[]): void;
}

/**
 * Builds a ledger from a checkpoint, and what was written behind it. Says false, and has changed nothing in the ledger, when the
 * checkpoint does not fit the files: then they are to be read whole.
 */
export async function adoptCheckpoint(options: AdoptOptions): Promise<boolean> {
  const { content, found, ledger } = options;
  const byId = new Map(found.map((each) => [each.segment.id, each]));
  if (!fits(content, byId, found)) return false;
  const known = new Map(content.segments.map((each) => [each.id, each]));
  const retired = new Set(content.retired.map((each) => each.id));
  const live = found.filter(({ segment }) => !retired.has(segment.id));
  const tail = await scanTail(live, known);
  if (tail === null) return false;
  const removed = removalsOf(tail);
  if (removed.reduce((sum, [first, last]) => sum + last - first + 1, 0) > REMOVALS_MAX) return false;

  for (const each of content.segments) if (byId.has(each.id)) adopt(byId.get(each.id)!, each);
  for (const each of content.retired) if (byId.has(each.id)) adopt(byId.get(each.id)!, each);
  const { state } = ledger;
  ledger.subjects = SubjectIndex.from(content.subjects);
  ledger.nextSegmentId = content.nextSegmentId;
  state.lastSequence = content.lastSequence;
  state.lastTimeMs = content.lastTimeMs;
  state.lastTimeNs = content.lastTimeNs;
  countTail(ledger, tail, removed);
  for (const { segment } of live) {
    state.messages += segment.messages;
    state.bytes += segment.bytes;
  }
  options.register(
    live,
    found.filter(({ segment }) => retired.has(segment.id)),
  );
  ledger.moveFirst(0);
  removeLate(ledger, removed, content.lastSequence);
  return true;
}

/** By segment, up to where its file was durable when the checkpoint was written, whatever became of it since. */
export function durablePlaces(content: CheckpointContent | null): Map<number, number> {
  const places = new Map<number, number>();
  for (const { id, recordBytes, frameStarts, fileBytes } of content?.segments ?? []) {
    places.set(id, frameStarts.length > 0 ? fileBytes : HEADER_BYTES + recordBytes);
  }
  return places;
}

/** Segments of a checkpoint whose files are gone, with messages that nobody removed. */
export function lostSegments(
  content: CheckpointContent | null,
  found: FoundSegment[],
  recovery: Recovery,
  folder: string,
): LogDamage[] {
  const ids = new Set(found.map(({ segment }) => segment.id));
  return (content?.segments ?? [])
    .filter((each) => each.messages > 0 && !ids.has(each.id) && !recovery.isAllRemoved(segmentOf(each)))
    .map(({ id, base, last, fileBytes }) => ({
      file: segmentPath(folder, id),
      reason: 'is gone',
      offset: 0,
      bytes: fileBytes,
      firstSequence: base,
      lastSequence: last,
    }));
}

function segmentOf(content: SegmentContent): Segment {
  const segment = new Segment(content.id, content.base);
  segment.last = content.last;
  segment.absent = content.absent;
  return segment;
}

function fits(content: CheckpointContent, byId: Map<number, FoundSegment>, found: FoundSegment[]): boolean {
  for (const each of content.segments) {
    const file = byId.get(each.id)?.file;
    if (file === undefined) {
      if (each.complete || each.recordBytes > 0) return false;
    } else if (file.header.generation !== each.generation || (each.complete && file.file.bytes !== each.fileBytes)) {
      return false;
    }
  }
  for (const each of content.retired) {
    const file = byId.get(each.id)?.file;
    if (file !== undefined && (file.header.generation !== each.generation || !each.complete)) return false;
  }
  const ids = new Set([...content.segments, ...content.retired].map(({ id }) => id));
  return found.every(({ segment }) => ids.has(segment.id) || segment.id >= content.nextSegmentId);
}

/** Reads the segments that were not complete when the checkpoint was taken; null when something in them is damaged. */
async function scanTail(live: FoundSegment[], known: Map<number, SegmentContent>): Promise<Tail[] | null> {
  const tail: Tail[] = [];
  for (const found of live) {
    const content = known.get(found.segment.id);
    if (content?.complete) continue;
    const scanned = await scanSegment(found);
    const counted = content?.recordBytes ?? 0;
    // All that was counted was durable before the checkpoint was written.
    if (counted > scanned.file.written) return null;
    const next = live[live.indexOf(found) + 1];
    if (next === undefined) await cutTornTail(scanned, scanned.file.placeOf(counted));
    else await cutZeros(scanned, scanned.scan.sequence + 1 === next.segment.base);
    if (scanned.scan.stretches.length > 0) return null;
    tail.push({ ...scanned, counted });
  }
  return tail;
}

function removalsOf(tail: Tail[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const { scan, view, counted } of tail) {
    for (const at of scan.records) {
      if (at >= counted) forEachRemoved(view, at, (first, last) => ranges.push([first, last]));
    }
  }
  return ranges;
}

function adopt({ segment, file }: FoundSegment, content: SegmentContent): void {
  segment.last = content.last;
  segment.messages = content.messages;
  segment.bytes = content.bytes;
  segment.liveBytes = content.liveBytes;
  segment.removalBytes = content.removalBytes;
  segment.removalFirst = content.removalFirst;
  segment.timeMaxMs = content.timeMaxMs;
  segment.timeMaxNs = content.timeMaxNs;
  segment.absent = content.absent;
  file.damaged = content.damaged;
  file.packed = content.packed;
  if (!content.complete) return;
  segment.recordBytes = content.recordBytes;
  segment.blockStarts = [...content.blockStarts];
  segment.blockSequences = [...content.blockSequences];
  segment.loaded = new Array(segment.blockStarts.length).fill(null);
  segment.sums = new Array(segment.blockStarts.length).fill(null);
  adoptFile(file, content);
}

function adoptFile(file: SegmentFile, content: SegmentContent): void {
  for (const start of content.frameStarts) file.frameStarts.push(start);
  for (const place of content.framePlaces) file.framePlaces.push(place);
  file.written = content.recordBytes;
  file.durable = content.recordBytes;
  file.fileBytes = content.fileBytes;
}

/** Counts what is not in the checkpoint, oldest first. */
function countTail(ledger: Ledger, tail: Tail[], removed: [number, number][]): void {
  const { state } = ledger;
  for (const each of tail) {
    const { segment, scan, view, counted } = each;
    const messages = scan.records.filter((at) => at >= counted && isMessage(view, at));
    const expected = Math.max(segment.base, segment.last + 1);
    layBlocks(each);
    for (const at of scan.records) if (at >= counted) segment.noteRemovals(view, at);
    markGaps(segment, messages, view, expected);
    for (const [first, last] of removed) markRemoved(segment, Math.max(first, expected), last);
    for (const at of messages) {
      const sequence = recordSequence(view, at);
      noteTime(each, at);
      state.lastTimeMs = recordTimeMs(view, at);
      state.lastTimeNs = recordTimeNs(view, at);
      if (segment.has(sequence)) ledger.subjects.noteLast(countMessage(each, at, ledger), sequence);
    }
    state.lastSequence = Math.max(state.lastSequence, scan.sequence);
    ledger.nextSegmentId = Math.max(ledger.nextSegmentId, segment.id + 1);
  }
  for (const [, last] of removed) state.lastSequence = Math.max(state.lastSequence, last);
}

function markRemoved(segment: Segment, first: number, last: number): void {
  const end = Math.min(last, segment.last);
  if (first <= end) segment.markRangeAbsent(first, end);
}

/** Takes away messages of the checkpoint that were removed behind it. */
function removeLate(ledger: Ledger, removed: [number, number][], upTo: number): void {
  const into = new StoredMessage();
  ledger.quiet = true;
  for (const [first, last] of removed.sort((a, b) => a[0] - b[0])) {
    for (let sequence = first; sequence <= Math.min(last, upTo); sequence++) ledger.remove(sequence, into);
  }
  ledger.quiet = false;
}
