import { Block, type BlockOwner } from './block.js';
import { recordLength } from './record.js';

/** Lays records out in new blocks, one behind the other. */
export class BlockPacker {
  readonly starts: number[] = [];
  readonly sequences: number[] = [];
  readonly blocks: Block[] = [];
  recordBytes = 0;
  private readonly owner: BlockOwner;

  constructor(owner: BlockOwner) {
    this.owner = owner;
  }

  /** Copies the record at `at`; no message of it or of those to come is below `sequence`. */
  add(from: Block, at: number, sequence: number): void {
    const length = recordLength(from.view, at);
    let block = this.blocks.at(-1);
    if (!block?.takes(length)) {
      block = new Block(this.owner, this.blocks.length);
      block.takes(length);
      this.blocks.push(block);
      this.starts.push(this.recordBytes);
      this.sequences.push(sequence);
    }
    block.bytes.set(from.bytes.subarray(at, at + length), block.used);
    block.used += length;
    this.recordBytes += length;
  }
}
