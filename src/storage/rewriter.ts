import { paddedBytes } from '../base/bytes.js';
import type { Block } from './block.js';
import { BlockPacker } from './block-packer.js';
import { blockOfBytes } from './block-reading.js';
import type { Disk } from './disk.js';
import { FLAG, recordFlags, recordLength, recordSequence } from './record.js';
import type { Segment } from './segment.js';
import { SegmentFile } from './segment-file.js';
import { CIPHER, cipherOf, type Encryption, newHeader } from './segment-header.js';

export interface RewriteOptions {
  disk: Disk;
  encryption: Encryption | null;
  compress: boolean;
  /** Whether what a record of removals removes may still be in some file. */
  isNeeded(view: DataView, at: number): boolean;
}

/** A segment's new file, not yet in its place. */
export interface Rewritten {
  segment: Segment;
  from: SegmentFile;
  to: SegmentFile;
  packer: BlockPacker;
  removalBytes: number;
}

/** Writes what is left of a closed segment into a new file beside the old one. */
export async function rewriteSegment(segment: Segment, from: SegmentFile, options: RewriteOptions): Promise<Rewritten> {
  const { disk, encryption, compress } = options;
  const cipher = cipherOf(encryption);
  const { id, base, seed } = segment;
  const header = newHeader({ id, base, seed, cipher, framed: compress || cipher !== CIPHER.NONE });
  header.generation = from.header.generation + 1;
  const to = await SegmentFile.create(disk, `${from.path}.tmp`, header, encryption?.key ?? null);
  try {
    const result = { segment, from, to, packer: new BlockPacker(segment), removalBytes: 0 };
    for (let i = 0; i < segment.loaded.length; i++) await copyBlock(i, result, options);
    for (const { bytes, used } of result.packer.blocks) {
      if (compress) await to.appendPacked(bytes.subarray(0, used));
      else await to.append([bytes.subarray(0, used)]);
    }
    await to.file.sync();
    to.durable = to.written;
    to.packed = compress;
    return result;
  } catch (thrown) {
    await to.file.close();
    await disk.removeFile(to.path).catch(() => {});
    throw thrown;
  }
}

async function copyBlock(index: number, result: Rewritten, options: RewriteOptions): Promise<void> {
  const { segment, packer } = result;
  const block = segment.loaded[index] ?? (await readBlock(segment, index, result.from));
  for (let at = 0; at < block.used; at += recordLength(block.view, at)) {
    if ((recordFlags(block.view, at) & FLAG.REMOVALS) === 0) {
      if (segment.has(recordSequence(block.view, at))) packer.add(block, at);
    } else if (options.isNeeded(block.view, at)) {
      result.removalBytes += recordLength(block.view, at);
      packer.add(block, at);
    }
  }
}

async function readBlock(segment: Segment, index: number, file: SegmentFile): Promise<Block> {
  const bytes = await file.readBlockAsync(segment.blockStarts[index], segment.blockEnd(index), paddedBytes);
  return blockOfBytes(segment, index, bytes).block;
}
