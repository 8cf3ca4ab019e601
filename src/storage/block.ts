import { paddedBytes, wordsOf } from '../base/bytes.js';

const BYTES_FIRST = 1024;
/** Records are kept, read and cached in blocks of about this size. A record that is larger has a block of its own. */
export const BLOCK_BYTES = 64 * 1024;

/** What blocks are part of. */
export interface BlockOwner {
  /** Its blocks, where they are in memory. */
  readonly loaded: (Block | null)[];
  /** Where its records' checksums start: what was copied from elsewhere, even in a payload, is no record here. */
  readonly seed: number;
  /** How many messages it has, and whether it has one. */
  readonly messages: number;
  has(sequence: number): boolean;
  /** A block is dropped from memory: its bytes were written by us, or verified. */
  onDrop(block: Block): void;
}

/** Part of a segment in memory: whole records, from `bytes[0]` to `bytes[used]`. */
export class Block {
  readonly owner: BlockOwner;
  readonly index: number;
  bytes: Uint8Array;
  view: DataView;
  used = 0;
  /** The cache's: whether it holds this block, whether it was read lately, and the neighbours in its list. */
  cached = false;
  wasRead = false;
  newer: Block | null = null;
  older: Block | null = null;

  constructor(owner: BlockOwner, index: number, bytes: Uint8Array = paddedBytes(BYTES_FIRST)) {
    this.owner = owner;
    this.index = index;
    this.bytes = bytes;
    this.view = wordsOf(bytes);
  }

  /** Whether a record of this length belongs here, or the block is full. Makes room for it. */
  takes(length: number): boolean {
    const needed = this.used + length;
    if (needed > BLOCK_BYTES && this.used > 0) return false;
    if (needed > this.bytes.length) this.grow(needed);
    return true;
  }

  private grow(needed: number): void {
    let room = this.bytes.length;
    while (room < needed) room *= 2;
    const bytes = paddedBytes(needed > BLOCK_BYTES ? needed : Math.min(BLOCK_BYTES, room));
    bytes.set(this.bytes.subarray(0, this.used));
    this.bytes = bytes;
    this.view = wordsOf(bytes);
  }
}
