import type { Slab } from './outbound.js';

/** Free buffers of one size, so that a connection holds memory only while it has something to send. */
export class SlabPool {
  readonly slabBytes: number;
  private readonly free: Slab[] = [];
  private readonly freeMax: number;

  constructor(slabBytes: number, freeMax: number) {
    this.slabBytes = slabBytes;
    this.freeMax = freeMax;
  }

  take(make: (bytes: Uint8Array) => Slab): Slab {
    return this.free.pop() ?? make(new Uint8Array(this.slabBytes));
  }

  give(slab: Slab): void {
    if (this.free.length < this.freeMax) this.free.push(slab);
  }
}
