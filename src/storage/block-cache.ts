import type { Block } from './block.js';

/**
 * Blocks that could be read again from their files, up to so many bytes for all logs together. The oldest go first; one that was
 * read since it was last looked at (`wasRead`) gets a second chance.
 */
export class BlockCache {
  bytes = 0;
  private readonly bytesMax: number;
  private newest: Block | null = null;
  private oldest: Block | null = null;

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

  private evictOne(): void {
    const block = this.oldest!;
    if (block.wasRead && block.newer !== null) {
      block.wasRead = false;
      this.unlink(block);
      this.link(block);
      return;
    }
    this.remove(block);
    if (block.owner.loaded[block.index] === block) block.owner.loaded[block.index] = null;
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
