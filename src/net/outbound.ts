import type { FlushQueue } from './flush-queue.js';
import { type Slab, SlabPool } from './slab-pool.js';
import type { Transport } from './transport.js';

const SMALL_BYTES = 4 * 1024;
const LARGE_BYTES = 64 * 1024;
/** From here on bytes are not gathered but sent by reference to a copy of their own. */
const GATHER_BYTES_MAX = LARGE_BYTES / 2;

const smallPool = new SlabPool(SMALL_BYTES, 1024);
const largePool = new SlabPool(LARGE_BYTES, 64);

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
  /** Whether the last slab was full before its turn ended: then the next one is a large one at once. */
  private busy = false;
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

  /** Adds two pieces that belong together. */
  appendPair(first: Uint8Array, second: Uint8Array): void {
    if (this.closed) return;
    const length = first.length + second.length;
    const slab = this.room(length);
    if (slab === null) {
      this.append(first);
      this.appendLarge(second.slice());
      return;
    }
    const at = slab.used;
    const target = slab.bytes;
    if (first.length <= 24) {
      // For so few bytes a loop beats the call (bench/micro/outbound.ts).
      for (let i = 0; i < first.length; i++) target[at + i] = first[i];
    } else target.set(first, at);
    target.set(second, at + first.length);
    slab.used = at + length;
  }

  /** Adds `first` and then `length` bytes of `bytes` from `start`, for a length so small that a loop beats a view. */
  appendRange(first: Uint8Array, bytes: Uint8Array, start: number, length: number): void {
    if (this.closed) return;
    const slab = this.room(first.length + length);
    if (slab === null) {
      this.appendPair(first, bytes.subarray(start, start + length));
      return;
    }
    const target = slab.bytes;
    let at = slab.used;
    if (first.length <= 24) for (let i = 0; i < first.length; i++) target[at + i] = first[i];
    else target.set(first, at);
    at += first.length;
    for (let i = 0; i < length; i++) target[at + i] = bytes[start + i];
    slab.used = at + length;
  }

  /** A slab with room for `length` more bytes, or null when so many bytes are not gathered. */
  private room(length: number): Slab | null {
    const slab = this.slab;
    if (slab !== null && slab.used + length <= slab.bytes.length) return slab;
    return this.otherRoom(slab, length);
  }

  private otherRoom(slab: Slab | null, length: number): Slab | null {
    if (length > GATHER_BYTES_MAX) return null;
    if (slab === null) {
      this.enqueue();
      this.slab = this.fresh(this.busy || length > SMALL_BYTES);
      return this.slab;
    }
    if (this.pendingBytes > this.pendingBytesMax) {
      // Over: what comes now goes into a buffer that nobody sends.
      this.overflow();
      return this.fresh(true);
    }
    this.busy = true;
    const large = this.fresh(true);
    if (slab.bytes.length === SMALL_BYTES) {
      // Grow: what was gathered so far moves on, so that one write carries it all.
      large.bytes.set(slab.bytes.subarray(0, slab.used), 0);
      large.used = slab.used;
      slab.used = 0;
      slab.owner = null;
      slab.pool.give(slab);
    } else this.send(slab);
    this.slab = large;
    return large;
  }

  private fresh(large: boolean): Slab {
    const slab = large ? largePool.take() : smallPool.take();
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
  flushTurn(): void {
    this.queued = false;
    const slab = this.slab;
    if (slab === null || this.closed) return;
    if (this.pendingBytes > this.pendingBytesMax) {
      this.overflow();
      return;
    }
    // While bytes are on their way, gather on: their `sent` flushes.
    if (this.sending > 0 && slab.used < slab.bytes.length / 2) return;
    this.flush();
  }

  /** Sends what was gathered, now. */
  flush(): void {
    const slab = this.slab;
    if (slab === null) return;
    this.busy = slab.used > SMALL_BYTES;
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
