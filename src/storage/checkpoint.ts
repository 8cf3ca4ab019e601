import { deserialize, serialize } from 'node:v8';
import type { Ledger } from './ledger.js';
import type { LogDamage } from './message-log.js';
import { type MetadataPlace, readMetadata } from './metadata-file.js';
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

/** The bytes of a checkpoint of this moment. */
export function takeCheckpoint(
  ledger: Ledger,
  parts: Pick<CheckpointContent, 'segments' | 'retired' | 'damages'>,
): Uint8Array {
  const { state } = ledger;
  const content: CheckpointContent = {
    shape: SHAPE,
    nextSegmentId: ledger.nextSegmentId,
    lastSequence: state.lastSequence,
    lastTimeMs: state.lastTimeMs,
    lastTimeNs: state.lastTimeNs,
    ...parts,
    subjects: ledger.subjects.content(),
  };
  return serialize(content);
}

/** The checkpoint, or null when there is none to be used. */
export async function readCheckpoint(place: MetadataPlace): Promise<CheckpointContent | null> {
  const bytes = await readMetadata(place);
  if (bytes === null || bytes === 'damaged') return null;
  try {
    const found = deserialize(bytes) as CheckpointContent;
    return found.shape === SHAPE ? found : null;
  } catch {
    return null;
  }
}
