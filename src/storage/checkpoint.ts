import { deserialize, serialize } from 'node:v8';
import type { Ledger } from './ledger.js';
import type { LogDamage } from './message-log.js';
import { type MetadataPlace, readPieces } from './metadata-file.js';
import type { Segment } from './segment.js';
import type { SegmentFile } from './segment-file.js';
import type { SubjectIndexContent } from './subject-index.js';

/** Raised whenever the shape below changes: a checkpoint of another shape is not used. */
const SHAPE = 1;

/** What is known of one segment. Of the last one the records count up to `recordBytes`. */
export interface SegmentContent {
  id: number;
  generation: number;
  base: number;
  last: number;
  messages: number;
  bytes: number;
  liveBytes: number;
  recordBytes: number;
  removalBytes: number;
  removalFirst: number;
  timeMaxMs: number;
  timeMaxNs: number;
  fileBytes: number;
  /** Closed, and all of it durable: the figures of its file and blocks hold. */
  complete: boolean;
  packed: boolean;
  damaged: boolean;
  absent: Uint32Array | null;
  blockStarts: Float64Array;
  blockSequences: Float64Array;
  frameStarts: Float64Array;
  framePlaces: Float64Array;
}

/** A ledger at one moment. Only a cache: whatever does not fit the files exactly is thrown away, and the files are read. */
export interface CheckpointContent {
  shape: number;
  nextSegmentId: number;
  lastSequence: number;
  lastTimeMs: number;
  lastTimeNs: number;
  /** In order of sequence; the last one is the one that is appended to. */
  segments: SegmentContent[];
  /** Files of segments without messages that are still needed. */
  retired: SegmentContent[];
  subjects: SubjectIndexContent;
  damages: LogDamage[];
}

export function checkpointPath(folder: string): string {
  return `${folder}/index`;
}

export function segmentContent(segment: Segment, file: SegmentFile | undefined): SegmentContent {
  return {
    id: segment.id,
    generation: file?.header.generation ?? 0,
    base: segment.base,
    last: segment.last,
    messages: segment.messages,
    bytes: segment.bytes,
    liveBytes: segment.liveBytes,
    recordBytes: segment.recordBytes,
    removalBytes: segment.removalBytes,
    removalFirst: segment.removalFirst,
    timeMaxMs: segment.timeMaxMs,
    timeMaxNs: segment.timeMaxNs,
    fileBytes: file?.fileBytes ?? 0,
    complete: file !== undefined && segment.closed && file.durable === segment.recordBytes,
    packed: file?.packed ?? false,
    damaged: file?.damaged ?? false,
    absent: segment.absent,
    blockStarts: Float64Array.from(segment.blockStarts),
    blockSequences: Float64Array.from(segment.blockSequences),
    frameStarts: Float64Array.from(file?.frameStarts ?? []),
    framePlaces: Float64Array.from(file?.framePlaces ?? []),
  };
}

/** A checkpoint of this moment, in pieces. The large ones are not copied: whoever changes them first makes a copy. */
export function takeCheckpoint(
  ledger: Ledger,
  parts: Pick<CheckpointContent, 'segments' | 'retired' | 'damages'>,
): Uint8Array[] {
  const { state } = ledger;
  const { rows, names, ...subjects } = ledger.subjects.content();
  const head: Head = {
    shape: SHAPE,
    nextSegmentId: ledger.nextSegmentId,
    lastSequence: state.lastSequence,
    lastTimeMs: state.lastTimeMs,
    lastTimeNs: state.lastTimeNs,
    ...parts,
    subjects,
    names: { end: names.end, free: names.free },
    rowPages: rows.length,
  };
  const pages = rows.map((page) => new Uint8Array(page.buffer, page.byteOffset, page.byteLength));
  return [serialize(head), ...pages, ...names.chunks];
}

/** The checkpoint, or null when there is none to be used. */
export async function readCheckpoint(place: MetadataPlace): Promise<CheckpointContent | null> {
  const pieces = await readPieces(place);
  if (pieces === null || pieces === 'damaged') return null;
  try {
    const { subjects, names, rowPages, ...rest } = deserialize(pieces[0]) as Head;
    if (rest.shape !== SHAPE) return null;
    // Copies: what was read whole is not kept for the sake of a page, and rows are numbers of four bytes. What was decrypted is a `Buffer`,
    // whose own `slice` copies nothing.
    const rows = pieces.slice(1, 1 + rowPages).map((piece) => new Int32Array(new Uint8Array(piece).buffer));
    const chunks = pieces.slice(1 + rowPages).map((piece) => new Uint8Array(piece));
    return { ...rest, subjects: { ...subjects, rows, names: { ...names, chunks } } };
  } catch {
    return null;
  }
}

/** All of a checkpoint but what has pieces of its own. */
interface Head extends Omit<CheckpointContent, 'subjects'> {
  subjects: Omit<SubjectIndexContent, 'rows' | 'names'>;
  names: Omit<SubjectIndexContent['names'], 'chunks'>;
  rowPages: number;
}
