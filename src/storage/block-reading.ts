import { Block } from './block.js';
import { RecordScan, type Stretch } from './damage-scan.js';
import { isRecord, recordLength } from './record.js';
import type { Segment } from './segment.js';

export interface ReadBlock {
  block: Block;
  /** What in it is damaged, offsets within the block; empty as a rule. */
  stretches: Stretch[];
}

/** Makes a block of the bytes read for it: of what of them is records. */
export function blockOfBytes(segment: Segment, index: number, bytes: Uint8Array): ReadBlock {
  const block = new Block(segment, index, bytes);
  const { view } = block;
  if (segment.isWhole(index, bytes, view)) {
    block.used = bytes.length;
    return { block, stretches: [] };
  }
  while (block.used < bytes.length && isRecord(bytes, view, block.used, bytes.length, segment.seed)) {
    block.used += recordLength(view, block.used);
  }
  const expected = segment.blockEnd(index) - segment.blockStarts[index];
  if (block.used === expected) return { block, stretches: [] };
  const next = segment.blockSequences[index + 1] ?? segment.last + 1;
  const scan = new RecordScan(segment.blockSequences[index], segment.seed);
  scan.scan(bytes, 0, bytes.length);
  if (bytes.length < expected) scan.addStretch(bytes.length, expected - bytes.length);
  scan.end(next);
  // The records that are whole move together.
  block.used = 0;
  for (const at of scan.records) {
    const length = recordLength(view, at);
    bytes.copyWithin(block.used, at, at + length);
    block.used += length;
  }
  return { block, stretches: scan.stretches };
}
