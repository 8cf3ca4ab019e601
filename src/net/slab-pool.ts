/** Told when the bytes of a slab were sent. */
export interface SlabOwner {
  onSent(bytes: number): void;
}

/** A buffer that is being filled or sent. `sent` is made once and handed to the transport with each write. */
export class Slab {
  readonly bytes: Uint8Array;
  readonly pool: SlabPool;
  used = 0;
  owner: SlabOwner | null = null;
  readonly sent: () => void;

  constructor(bytes: Uint8Array, pool: SlabPool) {
    this.bytes = bytes;
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

/** Free buffers of one size, so that a connection holds memory only while it has something to send. */
export class SlabPool {
  readonly slabBytes: number;
  private readonly free: Slab[] = [];
  private readonly freeMax: number;

  constructor(slabBytes: number, freeMax: number) {
    this.slabBytes = slabBytes;
    this.freeMax = freeMax;
  }

  take(): Slab {
    return this.free.pop() ?? new Slab(new Uint8Array(this.slabBytes), this);
  }

  give(slab: Slab): void {
    if (this.free.length < this.freeMax) this.free.push(slab);
  }
}
