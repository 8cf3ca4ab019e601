import { describe } from '../base/failure.js';
import type { Block } from './block.js';
import type { BlockCache } from './block-cache.js';
import { blockOfBytes } from './block-reading.js';
import type { Stretch } from './damage-scan.js';
import type { LogDamage } from './message-log.js';
import { DAMAGED } from './recovery.js';
import type { Segment } from './segment.js';
import type { SegmentFile } from './segment-file.js';

export interface BlockLoaderOptions {
  files: ReadonlyMap<Segment, SegmentFile>;
  cache: BlockCache;
  /** What is known to be unreadable: the loader adds to it, and takes out what was so for a moment only. */
  damages: LogDamage[];
  onDamage(damage: LogDamage): void;
}

/** Brings blocks from the files into memory, and keeps the book of what cannot be read. */
export class BlockLoader {
  private readonly options: BlockLoaderOptions;
  /** Blocks that the disk did not give when they were last asked for. */
  private readonly refused: { segment: Segment; index: number; damage: LogDamage }[] = [];

  private readonly newBytes: (length: number) => Uint8Array;

  constructor(options: BlockLoaderOptions) {
    this.options = options;
    this.newBytes = (length) => options.cache.newBytes(length);
  }

  /** Reads a block; null when the disk does not give it. */
  load(segment: Segment, index: number): Block | null {
    const file = this.options.files.get(segment)!;
    try {
      const bytes = file.readBlock(segment.blockStarts[index], segment.blockEnd(index), this.newBytes);
      return this.keep(segment, index, bytes);
    } catch (thrown) {
      this.noteRefused(segment, index, thrown);
      return null;
    }
  }

  /** The same on another thread. */
  async loadAsync(segment: Segment, index: number): Promise<void> {
    const { files } = this.options;
    const file = files.get(segment)!;
    // Meanwhile somebody else may read it, or the segment be written anew.
    const isWanted = () => files.get(segment) === file && segment.loaded[index] === null;
    try {
      const bytes = await file.readBlockAsync(segment.blockStarts[index], segment.blockEnd(index), this.newBytes);
      if (isWanted()) this.keep(segment, index, bytes);
    } catch (thrown) {
      if (isWanted()) this.noteRefused(segment, index, thrown);
    }
  }

  /** Notes, and tells of, damage. */
  add(damage: LogDamage): void {
    this.options.damages.push(damage);
    this.options.onDamage(damage);
  }

  private keep(segment: Segment, index: number, bytes: Uint8Array): Block {
    const { block, stretches } = blockOfBytes(segment, index, bytes);
    segment.loaded[index] = block;
    this.options.cache.add(block);
    if (this.refused.length > 0) this.forgetRefused(segment, index);
    for (const stretch of stretches) this.noteDamage(segment, index, stretch);
    return block;
  }

  private noteDamage(segment: Segment, index: number, stretch: Stretch): void {
    const { damages, files } = this.options;
    const file = files.get(segment)!;
    const { firstSequence, lastSequence } = stretch;
    const start = segment.blockStarts[index] + stretch.offset;
    const offset = file.placeOf(start);
    const bytes = file.placeOf(start + stretch.bytes) - offset;
    file.damaged = true;
    const isKnown = damages.some(
      (each) => each.file === file.path && each.offset < offset + bytes && offset < each.offset + each.bytes,
    );
    if (!isKnown) this.add({ file: file.path, reason: DAMAGED, offset, bytes, firstSequence, lastSequence });
  }

  /** Told once, until the block can be read. */
  private noteRefused(segment: Segment, index: number, thrown: unknown): void {
    if (this.refused.some((each) => each.segment === segment && each.index === index)) return;
    const file = this.options.files.get(segment)!;
    const offset = file.placeOf(segment.blockStarts[index]);
    const damage: LogDamage = {
      file: file.path,
      reason: `cannot be read: ${describe(thrown)}`,
      offset,
      bytes: file.placeOf(segment.blockEnd(index)) - offset,
      firstSequence: segment.blockSequences[index],
      lastSequence: (segment.blockSequences[index + 1] ?? segment.last + 1) - 1,
    };
    this.refused.push({ segment, index, damage });
    this.add(damage);
  }

  private forgetRefused(segment: Segment, index: number): void {
    const at = this.refused.findIndex((each) => each.segment === segment && each.index === index);
    if (at < 0) return;
    const [{ damage }] = this.refused.splice(at, 1);
    this.options.damages.splice(this.options.damages.indexOf(damage), 1);
  }
}
