import { paddedBytes, WORD_SLACK_BYTES } from '../base/bytes.js';
import { BLOCK_BYTES, type Block } from './block.js';

/** Buffers that are kept for new blocks, of those of blocks that were dropped. */
const SPARE_MAX = 32;

/**
 * Blocks that could be read again from their files, up to so many bytes for all logs together. The oldest go first; one that was
 * read since it was last looked at (`wasRead`) gets a second chance. What a dropped block lay in is used again for new ones: to allocate and
 * collect 64 KiB for each few hundred messages costs a sixth of a replay's time (bench: stream-read).
 */
export class BlockCache {
  bytes = 0;
  private readonly bytesMax: number;
  private newest: Block | null = null;
  private oldest: Block | null = null;
  private readonly spare: ArrayBuffer[] = [];
  /** Of blocks dropped in this turn of the event loop: messages read from them are still looked at. */
  private readonly dropped: ArrayBuffer[] = [];

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  add(block: Block): void {
    if (block.cached) return;
    block.cached = true;
    this.bytes += block.bytes.length;
    this.link(block);
    while (this.bytes > this.bytesMax && this.oldest !== block) this.evictOne();
  }

  remove(block: Block): void {
    if (!block.cached) return;
    block.cached = false;
    this.bytes -= block.bytes.length;
    this.unlink(block);
  }

  /** `length` bytes for a block, not zeroed. */
  newBytes(length: number): Uint8Array {
    const isWhole = length > (BLOCK_BYTES / 8) * 7 && length <= BLOCK_BYTES;
    const buffer = isWhole ? this.spare.pop() : undefined;
    if (buffer !== undefined) return new Uint8Array(buffer, 0, length);
    return isWhole ? paddedBytes(BLOCK_BYTES).subarray(0, length) : paddedBytes(length);
  }

  private evictOne(): void {
    const block = this.oldest!;
    if (block.wasRead && block.newer !== null) {
      block.wasRead = false;
      this.unlink(block);
      this.link(block);
      return;
    }
    this.remove(block);
    block.owner.onDrop(block);
    this.keepBuffer(block.bytes.buffer as ArrayBuffer);
  }

  private keepBuffer(buffer: ArrayBuffer): void {
    const { dropped, spare } = this;
    if (buffer.byteLength !== BLOCK_BYTES + WORD_SLACK_BYTES || dropped.length + spare.length >= SPARE_MAX) return;
    if (dropped.push(buffer) > 1) return;
    setImmediate(() => spare.push(...dropped.splice(0)));
  }

  private link(block: Block): void {
    block.older = this.newest;
    if (this.newest !== null) this.newest.newer = block;
    this.newest = block;
    this.oldest ??= block;
  }

  private unlink(block: Block): void {
    if (block.newer === null) this.newest = block.older;
    else block.newer.older = block.older;
    if (block.older === null) this.oldest = block.newer;
    else block.older.newer = block.newer;
    block.newer = null;
    block.older = null;
  }
}
