import { arenaOffset, takeFromArena } from '../base/arena.js';
import { WORD_SLACK_BYTES, wordsOf } from '../base/bytes.js';

/** Told when the bytes of a slab were sent. */
export interface SlabOwner {
  onSent(bytes: number): void;
}

/** A buffer that is being filled or sent. `sent` is made once and handed to the transport with each write. */
export class Slab {
  readonly bytes: Uint8Array;
  readonly words: DataView;
  /** Where the bytes lie in the arena, or -1. */
  readonly arenaOffset: number;
  /** Bytes that may be used; a copy by words may go a little beyond. */
  readonly capacity: number;
  readonly pool: SlabPool;
  used = 0;
  owner: SlabOwner | null = null;
  readonly sent: () => void;

  constructor(bytes: Uint8Array, pool: SlabPool) {
    this.bytes = bytes;
    this.words = wordsOf(bytes);
    this.arenaOffset = arenaOffset(bytes);
    this.capacity = bytes.length - WORD_SLACK_BYTES;
    this.pool = pool;
    this.sent = () => {
      const owner = this.owner!;
      const bytesSent = this.used;
      this.owner = null;
      this.used = 0;
      pool.give(this);
      owner.onSent(bytesSent);
    };
  }
}

/**
 * Free buffers of one size, so that a connection holds memory only while it has something to send. The first `keptMax` lie in the
 * arena and come back for ever; further ones live as long as they are used.
 */
export class SlabPool {
  private readonly slabBytes: number;
  private keptMax: number;
  private readonly free: Slab[] = [];
  private made = 0;

  constructor(slabBytes: number, keptMax: number) {
    this.slabBytes = slabBytes;
    this.keptMax = keptMax;
  }

  take(): Slab {
    return this.takeIfAny() ?? new Slab(new Uint8Array(this.slabBytes + WORD_SLACK_BYTES), this);
  }

  /** One of the first `keptMax`, or null when all are in use. */
  takeIfAny(): Slab | null {
    const slab = this.free.pop();
    if (slab !== undefined) return slab;
    if (this.made >= this.keptMax) return null;
    this.made++;
    const bytes = this.slabBytes + WORD_SLACK_BYTES;
    return new Slab(takeFromArena(bytes) ?? new Uint8Array(bytes), this);
  }

  /** Keeps no more than so many from now on. */
  limit(keptMax: number): void {
    this.keptMax = Math.min(this.keptMax, keptMax);
  }

  give(slab: Slab): void {
    if (this.free.length < this.keptMax) this.free.push(slab);
  }
}
