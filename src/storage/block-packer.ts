import { Block, type BlockOwner } from './block.js';
import { recordLength, recordSequence } from './record.js';

/** Lays records out in new blocks, one behind the other. */
export class BlockPacker {
  /** As `Segment.blockStarts` and `Segment.blockSequences`. */
  readonly starts: number[] = [];
  readonly sequences: number[] = [];
  readonly blocks: Block[] = [];
  recordBytes = 0;
  private readonly owner: BlockOwner;
  private highest: number;

  constructor(owner: BlockOwner & { readonly base: number }) {
    this.owner = owner;
    this.highest = owner.base - 1;
  }

  /** Copies the record at `at`, which is newer than those before. */
  add(from: Block, at: number): void {
    const length = recordLength(from.view, at);
    let block = this.blocks.at(-1);
    if (!block?.takes(length)) {
      block = new Block(this.owner, this.blocks.length);
      block.takes(length);
      this.blocks.push(block);
      this.starts.push(this.recordBytes);
      this.sequences.push(this.highest + 1);
    }
    block.bytes.set(from.bytes.subarray(at, at + length), block.used);
    block.used += length;
    this.recordBytes += length;
    this.highest = Math.max(this.highest, recordSequence(from.view, at));
  }
}
