import type { Block, BlockOwner } from './block.js';
import type { BlockPacker } from './block-packer.js';
import { crc32 } from './crc32.js';
import { FLAG, recordFlags, recordLength } from './record.js';
import { forEachRemoved } from './removal-record.js';

/** More sequences than a segment may span: what is kept per sequence stays small whatever gaps there are. */
export const SEGMENT_SPAN_MAX = 1 << 20;
/** In a catalogue: no message of this sequence. */
export const NO_SUBJECT = 0xffffffff;

/**
 * A run of sequences and the records that hold them.
 *
 * ```text
 * sequence   base ─────────────────────────────── last
 * absent     one bit each: removed, or never there
 * catalogue  the subject's number of each (a cache, made by reading the records)
 * blocks     blockStarts[i]     offset of the block's first record, all blocks laid end to end
 *            blockSequences[i]  no message of the block is below it, all before are
 *            loaded[i]          the block, when it is in memory
 * ```
 */
export class Segment implements BlockOwner {
  readonly id: number;
  /** No message of this segment is below it, and none above `last`. An empty segment has `last === base - 1`. */
  readonly base: number;
  readonly seed: number;
  last: number;
  /** Messages that are there, what they count for, and the bytes of their records. */
  messages = 0;
  bytes = 0;
  liveBytes = 0;
  /** Bytes of all records. */
  recordBytes = 0;
  /** Bytes of records of removals, and the lowest sequence that one of them removes. */
  removalBytes = 0;
  removalFirst = Number.MAX_SAFE_INTEGER;
  /** The newest time of any message ever appended here. */
  timeMaxMs = 0;
  timeMaxNs = 0;
  absent: Uint32Array | null = null;
  catalogue: Uint32Array | null = null;
  blockStarts: number[] = [];
  blockSequences: number[] = [];
  loaded: (Block | null)[] = [];
  sums: (number | null)[] = [];
  /** Nothing is appended any more. */
  closed = false;

  constructor(id: number, base: number, seed = 0) {
    this.id = id;
    this.base = base;
    this.seed = seed;
    this.last = base - 1;
  }

  has(sequence: number): boolean {
    if (sequence < this.base || sequence > this.last) return false;
    if (this.absent === null) return true;
    const at = sequence - this.base;
    return at >>> 5 >= this.absent.length || (this.absent[at >>> 5] & (1 << (at & 31))) === 0;
  }

  /** Whether a sequence, of which nothing else is known, was marked absent. */
  isMarkedAbsent(sequence: number): boolean {
    const at = sequence - this.base;
    return this.absent !== null && at >>> 5 < this.absent.length && (this.absent[at >>> 5] & (1 << (at & 31))) !== 0;
  }

  markAbsent(sequence: number): void {
    const at = sequence - this.base;
    if (this.absent === null || at >>> 5 >= this.absent.length) this.growAbsent(at);
    this.absent![at >>> 5] |= 1 << (at & 31);
    if (this.catalogue !== null && at < this.catalogue.length) this.catalogue[at] = NO_SUBJECT;
  }

  /** Marks a range that lies within the segment. */
  markRangeAbsent(first: number, last: number): void {
    for (let sequence = first; sequence <= last; sequence++) this.markAbsent(sequence);
  }

  /** All of its messages were removed. */
  clear(): void {
    this.messages = 0;
    this.bytes = 0;
    this.liveBytes = 0;
    this.closed = true;
  }

  /** How many messages there are from `from` to `to`. */
  countBetween(from: number, to: number): number {
    from = Math.max(from, this.base);
    to = Math.min(to, this.last);
    if (from > to) return 0;
    if (from === this.base && to === this.last) return this.messages;
    let count = to - from + 1;
    const { absent } = this;
    if (absent === null) return count;
    const end = Math.min(to - this.base + 1, absent.length * 32);
    for (let at = from - this.base; at < end; ) {
      if ((at & 31) === 0 && at + 32 <= end) {
        count -= bitCount(absent[at >>> 5]);
        at += 32;
      } else {
        if (absent[at >>> 5] & (1 << (at & 31))) count--;
        at++;
      }
    }
    return count;
  }

  /** The first message at or after `from`, or -1. */
  nextLive(from: number): number {
    for (let at = Math.max(from, this.base); at <= this.last; at++) {
      if (this.has(at)) return at;
      const word = (at - this.base) >>> 5;
      if (((at - this.base) & 31) === 0 && this.absent![word] === 0xffffffff) at += 31;
    }
    return -1;
  }

  /** The last message at or before `from`, or -1. */
  previousLive(from: number): number {
    for (let at = Math.min(from, this.last); at >= this.base; at--) {
      if (this.has(at)) return at;
      const word = (at - this.base) >>> 5;
      if (((at - this.base) & 31) === 31 && this.absent![word] === 0xffffffff) at -= 31;
    }
    return -1;
  }

  /** The block in which a sequence is, if it is there; -1 in an empty segment. */
  blockOf(sequence: number): number {
    const { blockSequences } = this;
    let low = 0;
    let high = blockSequences.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (blockSequences[middle] <= sequence) low = middle;
      else high = middle - 1;
    }
    return high < 0 ? -1 : low;
  }

  /** The end of a block's records, in the same terms as `blockStarts`. */
  blockEnd(index: number): number {
    return index + 1 < this.blockStarts.length ? this.blockStarts[index + 1] : this.recordBytes;
  }

  /** Begins a block whose records start behind all others. */
  addBlock(sequence: number, block: Block | null): void {
    this.blockStarts.push(this.recordBytes);
    this.blockSequences.push(sequence);
    this.loaded.push(block);
    this.sums.push(null);
  }

  /** Its sum is kept, since one for all of its records is a third of the price of one for each when it is read again. */
  onDrop(block: Block): void {
    const { index, bytes, view, used } = block;
    if (this.loaded[index] !== block) return;
    this.loaded[index] = null;
    if (this.sums[index] === null && used === this.blockEnd(index) - this.blockStarts[index])
      this.sums[index] = crc32(bytes, view, 0, used);
  }

  /** Whether bytes read for a block are, without a doubt, all of its records. */
  isWhole(index: number, bytes: Uint8Array, view: DataView): boolean {
    const sum = this.sums[index];
    if (sum === null || bytes.length !== this.blockEnd(index) - this.blockStarts[index]) return false;
    return crc32(bytes, view, 0, bytes.length) === sum;
  }

  /** Puts packed blocks in place of all there are. */
  replaceBlocks(packer: BlockPacker): void {
    this.blockStarts = packer.starts;
    this.blockSequences = packer.sequences;
    this.loaded = packer.blocks;
    this.sums = packer.blocks.map(() => null);
    this.recordBytes = packer.recordBytes;
  }

  /** Visits the records from `durable` on, which are in memory, in no order; `offset` is that of the record laid end to end with all others. */
  forEachUndurable(durable: number, visit: (block: Block, at: number, offset: number) => void): void {
    for (let i = this.loaded.length - 1; i >= 0 && this.blockEnd(i) > durable; i--) {
      const block = this.loaded[i]!;
      const start = this.blockStarts[i];
      for (let at = Math.max(0, durable - start); at < block.used; at += recordLength(block.view, at)) {
        visit(block, at, start + at);
      }
    }
  }

  /** Notes the record at `at` if it is one of removals. */
  noteRemovals(view: DataView, at: number): void {
    if ((recordFlags(view, at) & FLAG.REMOVALS) === 0) return;
    this.removalBytes += recordLength(view, at);
    forEachRemoved(view, at, (first) => {
      this.removalFirst = Math.min(this.removalFirst, first);
    });
  }

  /** Notes the subject of a message that was just added; in vain if the catalogue was not begun with the segment. */
  noteSubject(sequence: number, subject: number): void {
    const at = sequence - this.base;
    if (this.catalogue === null && at > 0) return;
    if (this.catalogue === null || at >= this.catalogue.length) this.growCatalogue(at);
    this.catalogue![at] = subject;
  }

  private growAbsent(at: number): void {
    const words = Math.max((at >>> 5) + 1, Math.ceil((this.last - this.base + 1) / 32), (this.absent?.length ?? 0) * 2);
    const absent = new Uint32Array(Math.min(words, SEGMENT_SPAN_MAX / 32));
    if (this.absent !== null) absent.set(this.absent);
    this.absent = absent;
  }

  private growCatalogue(at: number): void {
    const catalogue = new Uint32Array(Math.min(Math.max(at + 1, 64, at * 2), SEGMENT_SPAN_MAX)).fill(NO_SUBJECT);
    if (this.catalogue !== null) catalogue.set(this.catalogue);
    this.catalogue = catalogue;
  }
}

function bitCount(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
