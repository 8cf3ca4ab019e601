import { Failure } from '../base/failure.js';
import type { Stretch } from './damage-scan.js';
import type { Disk, DiskFile } from './disk.js';
import type { Ledger } from './ledger.js';
import type { LogDamage } from './message-log.js';
import { recordSequence, recordTimeMs, recordTimeNs } from './record.js';
import { forEachRemoved } from './removal-record.js';
import { SEGMENT_SPAN_MAX, Segment } from './segment.js';
import { SegmentFile } from './segment-file.js';
import { decodeHeader, HEADER_BYTES } from './segment-header.js';
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

const NAME = /^(\d{8,})\.log$/;

/** The reason of damage that checksums find. */
export const DAMAGED = 'is damaged';

export function segmentPath(folder: string, id: number): string {
  return `${folder}/${String(id).padStart(8, '0')}.log`;
}

export interface FolderContent {
  /** In order of sequence. Nothing is known of them but their headers. */
  found: FoundSegment[];
  /** Files that have no header. */
  damages: LogDamage[];
}

/** Opens the segments of a folder, and reads their headers. Left-overs of what a crash interrupted are removed. */
export async function openSegments(disk: Disk, folder: string, key: Uint8Array | null): Promise<FolderContent> {
  const content: FolderContent = { found: [], damages: [] };
  const names = await disk.list(folder);
  for (const name of names) if (name.endsWith('.tmp')) await disk.removeFile(`${folder}/${name}`);
  const segments = names.filter((name) => NAME.test(name)).sort((a, b) => idOf(a) - idOf(b));
  for (const name of segments) {
    const path = `${folder}/${name}`;
    const file = await disk.open(path, 'r+');
    const bytes = new Uint8Array(Math.min(HEADER_BYTES, file.bytes));
    await file.read(bytes, 0);
    const header = decodeHeader(bytes);
    if (header === 'newer') {
      await file.close();
      throw new Failure(
        'STORE_FORMAT',
        `cannot read "${path}": a newer version wrote it, in a format unknown to this one`,
      );
    }
    // A file that got another one's name is not what its name says.
    if (header === 'damaged' || header.id !== idOf(name)) {
      await setAside(disk, path, { file, isLast: name === segments.at(-1) }, content);
      continue;
    }
    const segment = new Segment(header.id, header.base, header.seed);
    segment.closed = true;
    content.found.push({ segment, file: SegmentFile.adopt(path, header, file, key) });
  }
  return content;
}

/** A file without a header: the newest was not finished when a crash came; any other is damaged, and kept for people to look at. */
async function setAside(
  disk: Disk,
  path: string,
  { file, isLast }: { file: DiskFile; isLast: boolean },
  { found, damages }: FolderContent,
): Promise<void> {
  const { bytes } = file;
  const folder = path.slice(0, path.lastIndexOf('/'));
  await file.close();
  if (isLast && bytes <= HEADER_BYTES) {
    await disk.removeFile(path);
    // If it came back, there might be files behind it.
    await disk.syncFolder(folder);
    return;
  }
  await disk.rename(path, `${path}.damaged`);
  await disk.syncFolder(folder);
  // What it held is known when the segments around it were read.
  const first = found.at(-1)?.segment.base ?? 1;
  damages.push({
    file: `${path}.damaged`,
    reason: 'has no header of its own',
    offset: 0,
    bytes,
    firstSequence: first,
    lastSequence: -1,
  });
}

/** Builds a ledger from the files alone: newest first, for what a record removes is always older than the record. */
export class Recovery {
  readonly damages: LogDamage[] = [];
  private readonly removed: [number, number][] = [];
  /** Whether a newer segment has records. */
  private hasNewer = false;
  private readonly ledger: Ledger;
  private readonly found: FoundSegment[];
  private readonly durablePlaces: ReadonlyMap<number, number>;

  /** `durablePlaces`: by segment, up to where its file is known to have been durable. */
  constructor(ledger: Ledger, found: FoundSegment[], durablePlaces: ReadonlyMap<number, number>) {
    this.ledger = ledger;
    this.found = found;
    this.durablePlaces = durablePlaces;
  }

  async readAll(): Promise<void> {
    const { found, ledger } = this;
    for (let i = found.length - 1; i >= 0; i--) {
      const next = i + 1 < found.length ? found[i + 1].segment.base : Number.MAX_SAFE_INTEGER;
      await this.readSegment(found[i], next);
      ledger.state.messages += found[i].segment.messages;
      ledger.state.bytes += found[i].segment.bytes;
    }
  }

  /** Reads one segment whose successor's first sequence is `next`. */
  private async readSegment(found: FoundSegment, next: number): Promise<void> {
    const { state } = this.ledger;
    const { segment, file } = found;
    const isNewest = !this.hasNewer;
    const scanned = await scanSegment(found);
    // The next file is made when this one is durable: with a record in it, what is not one here is damage.
    if (isNewest) await cutTornTail(scanned, this.durablePlaces.get(segment.id) ?? 0);
    this.hasNewer ||= scanned.scan.records.length > 0;
    const { scan, view } = scanned;
    if (scan.sequence < next) state.lastSequence = Math.max(state.lastSequence, scan.sequence);
    scan.end(isNewest ? state.lastSequence + 1 : next);
    for (const at of scan.records) {
      segment.noteRemovals(view, at);
      forEachRemoved(view, at, (first, last) => this.markRemoved(first, last));
    }
    if (!isNewest)
      await cutZeros(
        scanned,
        scan.stretches.slice(-1).every((stretch) => isAllMarked(segment, stretch)),
      );
    layBlocks(scanned);
    for (const stretch of scan.stretches) this.noteDamage(segment, file, stretch);
    const last = scan.records.at(-1);
    if (state.lastTimeMs === 0 && last !== undefined) {
      state.lastTimeMs = recordTimeMs(view, last);
      state.lastTimeNs = recordTimeNs(view, last);
    }
    // What a segment repeats of its successor is not believed.
    const messages = scan.records.filter((at) => isMessage(view, at) && recordSequence(view, at) < next);
    markGaps(segment, messages, view, segment.base);
    this.count(scanned, messages);
  }

  /** Whether every message of a segment that has no file was removed by some record. */
  isAllRemoved(segment: Segment): boolean {
    for (const [first, last] of this.removed) {
      const end = Math.min(last, segment.last);
      if (first <= end) segment.markRangeAbsent(Math.max(first, segment.base), end);
    }
    return segment.nextLive(segment.base) < 0;
  }

  private markRemoved(first: number, last: number): void {
    const { found } = this;
    this.removed.push([first, last]);
    const { state } = this.ledger;
    state.lastSequence = Math.max(state.lastSequence, last);
    for (let i = 0; i < found.length && found[i].segment.base <= last; i++) {
      const { segment } = found[i];
      const next = i + 1 < found.length ? found[i + 1].segment.base : Number.MAX_SAFE_INTEGER;
      const end = Math.min(last, next - 1, segment.base + SEGMENT_SPAN_MAX - 1);
      segment.markRangeAbsent(Math.max(first, segment.base), end);
    }
  }

  /** Counts the messages that are there, newest first. */
  private count(scanned: ScannedSegment, messages: number[]): void {
    const { segment, view } = scanned;
    const { ledger } = this;
    for (let i = messages.length - 1; i >= 0; i--) {
      const at = messages[i];
      const sequence = recordSequence(view, at);
      noteTime(scanned, at);
      if (segment.has(sequence)) ledger.subjects.noteFirst(countMessage(scanned, at, ledger), sequence);
    }
  }

  /** Tells of damage, unless all that it can have taken is removed anyhow. */
  private noteDamage(segment: Segment, file: SegmentFile, stretch: Stretch): void {
    const { offset, bytes, firstSequence, lastSequence } = stretch;
    file.damaged = true;
    // With nothing missing it may have been records of removals.
    if (firstSequence <= lastSequence && isAllMarked(segment, stretch)) return;
    this.damages.push({ file: file.path, reason: DAMAGED, offset, bytes, firstSequence, lastSequence });
  }
}

/** Whether all that may have been in a stretch is known to be removed, or never was. */
function isAllMarked(segment: Segment, { firstSequence, lastSequence }: Stretch): boolean {
  for (let i = firstSequence; i <= lastSequence; i++) if (!segment.isMarkedAbsent(i)) return false;
  return true;
}

/** Says what may have been in files that were set aside, now that all others were read. */
export function boundDamages(damages: LogDamage[], found: FoundSegment[], lastSequence: number): void {
  for (const damage of damages) {
    if (damage.lastSequence >= 0) continue;
    const before = found.findLast(({ segment }) => segment.base === damage.firstSequence);
    damage.firstSequence = (before?.segment.last ?? 0) + 1;
    const after = found.find(({ segment }) => segment.base >= damage.firstSequence);
    damage.lastSequence = (after?.segment.base ?? lastSequence + 1) - 1;
  }
}

function idOf(name: string): number {
  return Number(NAME.exec(name)![1]);
}
