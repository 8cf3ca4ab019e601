import type { FlushQueue } from './flush-queue.js';
import { type Slab, SlabPool } from './slab-pool.js';
import type { Transport } from './transport.js';

const SMALL_BYTES = 4 * 1024;
const LARGE_BYTES = 64 * 1024;
const HUGE_BYTES = 512 * 1024;
/** From here on bytes are not gathered but sent by reference to a copy of their own. */
const GATHER_BYTES_MAX = LARGE_BYTES / 2;

/**
 * What a connection gathers in depends on what it got in its last turn. The few huge slabs are for turns with few receivers: with
 * many, memory stays bounded, and the processor's cache holds what was gathered until it is sent.
 */
const HUGE_PEERS_MAX = 8;
/** With a lower limit of pending bytes, a huge slab would make too much of it. */
const HUGE_PENDING_BYTES_MIN = 8 * HUGE_BYTES;
const smallPool = new SlabPool(SMALL_BYTES, 512);
const largePool = new SlabPool(LARGE_BYTES, 128);
const hugePool = new SlabPool(HUGE_BYTES, 8);

/** From now on what was sent leaves 2 MB of free slabs behind instead of 14, which many busy connections at once make slower. */
export function keepFewSlabs(): void {
  smallPool.limit(128);
  largePool.limit(24);
  hugePool.limit(0);
}

/** Told when an outbound buffer passes a limit. */
export interface OutboundOwner {
  /** More than `pendingBytesMax` are waiting: the peer reads too slowly. */
  onOverflow(): void;
  /** After `congested` was seen: what is waiting fell below the threshold, or the connection is gone. */
  onRelief(): void;
}

/**
 * What waits to be sent to one peer. Small pieces are gathered in a slab and written once per turn of the event loop
 * (`FlushQueue`), or when the slab is full.
 *
 * ```text
 * append -> slab (filling) -flush-> transport (sending) -sent-> slab back to its pool
 *           └───────────── pendingBytes ─────────────┘
 * ```
 */
export class Outbound {
  private readonly transport: Transport;
  private readonly queue: FlushQueue;
  private readonly owner: OutboundOwner;
  private slab: Slab | null = null;
  private sending = 0;
  private sendingBytes = 0;
  private queued = false;
  private closed = false;
  private waitsForRelief = false;
  private bytesMax = 0;
  private congestedBytes = 0;
  /** Bytes of the slab to begin the next turn with. */
  private slabBytes = SMALL_BYTES;
  /** When the oldest bytes still being sent were handed over (monotonic ns), or 0. */
  sendingSinceNs = 0;

  constructor(transport: Transport, queue: FlushQueue, owner: OutboundOwner, pendingBytesMax: number) {
    this.transport = transport;
    this.queue = queue;
    this.owner = owner;
    this.pendingBytesMax = pendingBytesMax;
  }

  /** Bytes that may wait before the peer is a slow consumer. */
  get pendingBytesMax(): number {
    return this.bytesMax;
  }

  set pendingBytesMax(bytes: number) {
    this.bytesMax = bytes;
    this.congestedBytes = Math.min(bytes * CONGESTED_SHARE, CONGESTED_BYTES);
  }

  /** Bytes that the kernel has not taken yet. */
  get pendingBytes(): number {
    return this.sendingBytes + (this.slab === null ? 0 : this.slab.used);
  }

  /** Whether so much is waiting that whoever feeds this should pause. The owner's `onRelief` follows. */
  get congested(): boolean {
    if (this.sendingBytes <= this.congestedBytes) return false;
    this.waitsForRelief = true;
    return true;
  }

  /** Adds bytes; they are copied, or kept as they are when there are many. */
  append(bytes: Uint8Array): void {
    if (this.closed) return;
    const slab = this.room(bytes.length);
    if (slab === null) {
      this.appendLarge(bytes.slice());
      return;
    }
    slab.bytes.set(bytes, slab.used);
    slab.used += bytes.length;
  }

  /** A slab with room for `length` bytes, which the caller adds to `used`; or null when they cannot be gathered. */
  reserve(length: number): Slab | null {
    return this.closed ? null : this.room(length);
  }

  /** A slab with room for `length` more bytes, or null when so many bytes are not gathered. */
  private room(length: number): Slab | null {
    const slab = this.slab;
    if (slab !== null && slab.used + length <= slab.capacity) return slab;
    return this.otherRoom(slab, length);
  }

  private otherRoom(slab: Slab | null, length: number): Slab | null {
    if (length > GATHER_BYTES_MAX) return null;
    if (slab === null) {
      this.enqueue();
      this.slab = this.fresh(Math.max(this.slabBytes, length));
      return this.slab;
    }
    if (this.pendingBytes > this.pendingBytesMax) {
      // Over: what comes now goes into a buffer that nobody sends.
      this.overflow();
      return this.fresh(LARGE_BYTES);
    }
    this.slab = this.larger(slab);
    return this.slab;
  }

  /** The slab after one that is full before its turn ended. */
  private larger(slab: Slab): Slab {
    if (slab.capacity > SMALL_BYTES) {
      this.slab = null;
      this.send(slab);
      const huge = this.queue.length <= HUGE_PEERS_MAX && this.bytesMax >= HUGE_PENDING_BYTES_MIN;
      return this.fresh(huge ? HUGE_BYTES : LARGE_BYTES);
    }
    // What was gathered so far moves on, so that one write carries it all.
    const large = this.fresh(LARGE_BYTES);
    large.bytes.set(slab.bytes.subarray(0, slab.used), 0);
    large.used = slab.used;
    slab.used = 0;
    slab.owner = null;
    slab.pool.give(slab);
    return large;
  }

  private fresh(bytes: number): Slab {
    const slab =
      bytes <= SMALL_BYTES
        ? smallPool.take()
        : ((bytes > LARGE_BYTES ? hugePool.takeIfAny() : null) ?? largePool.take());
    slab.owner = this;
    return slab;
  }

  /** Sends bytes that nobody else will change. */
  private appendLarge(bytes: Uint8Array): void {
    if (this.pendingBytes + bytes.length > this.pendingBytesMax) {
      this.overflow();
      return;
    }
    const slab = this.slab;
    this.slab = null;
    if (slab !== null) this.send(slab);
    this.enqueue();
    const length = bytes.length;
    this.handOver(bytes, length, () => this.onSent(length));
  }

  private overflow(): void {
    if (this.closed) return;
    this.closed = true;
    this.owner.onOverflow();
  }

  private enqueue(): void {
    if (this.queued) return;
    this.queued = true;
    this.queue.add(this);
  }

  /** Called by the flush queue at the end of a turn. */
  flushTurn(): number {
    this.queued = false;
    const slab = this.slab;
    if (slab === null || this.closed) return 0;
    if (this.pendingBytes > this.pendingBytesMax) {
      this.overflow();
      return 0;
    }
    // While bytes are on their way, gather on: their `sent` flushes.
    if (this.sending > 0 && slab.used < slab.capacity / 2) return 0;
    const sentBytes = slab.used;
    this.flush();
    return sentBytes;
  }

  /** Sends what was gathered, now. */
  flush(): void {
    const slab = this.slab;
    if (slab === null) return;
    this.slabBytes = slab.used > LARGE_BYTES ? HUGE_BYTES : slab.used;
    this.slab = null;
    if (slab.used > 0) this.send(slab);
  }

  private send(slab: Slab): void {
    this.handOver(slab.bytes.subarray(0, slab.used), slab.used, slab.sent);
  }

  private handOver(bytes: Uint8Array, length: number, sent: () => void): void {
    if (this.sending === 0) this.sendingSinceNs = this.queue.nowNs();
    this.sending++;
    this.sendingBytes += length;
    this.transport.write(bytes, sent);
  }

  /** Called by slabs when the kernel has taken their bytes. */
  onSent(length: number): void {
    this.sending--;
    this.sendingBytes -= length;
    this.sendingSinceNs = this.sending === 0 ? 0 : this.queue.nowNs();
    if (this.waitsForRelief && (this.closed || this.sendingBytes < this.congestedBytes / 2)) {
      this.waitsForRelief = false;
      this.owner.onRelief();
    }
    if (this.sending === 0 && this.slab !== null && !this.queued) this.enqueue();
  }

  /** Sends the rest if `flush`, and takes no more. */
  close(flush: boolean): void {
    if (flush && !this.closed) this.flush();
    this.closed = true;
    const slab = this.slab;
    this.slab = null;
    if (slab !== null) {
      slab.used = 0;
      slab.owner = null;
      slab.pool.give(slab);
    }
    if (this.waitsForRelief) {
      this.waitsForRelief = false;
      this.owner.onRelief();
    }
  }
}

/**
 * A receiver with so much waiting slows its publishers down until half of it is gone: long before its limit, so that a subscriber
 * that is merely slower than its publisher costs megabytes and not its whole limit.
 */
const CONGESTED_SHARE = 0.75;
const CONGESTED_BYTES = 8 * 1024 * 1024;
