import type { Clock, Timer } from '../base/clock.js';
import type { Publisher } from '../broker/subscription.js';
import type { ClosedReason } from './closed-reason.js';
import { PauseReason } from './pause-reason.js';
import type { Reading } from './reading.js';

/**
 * A publisher is held back no longer than this for so many bytes that it sent, however slow its receivers: some six megabytes a second. No more than these
 * of a chunk are published before it is held back.
 */
const STALL_MS_MAX = 10;
const STALL_BYTES = 64 * 1024;

/** A publisher that can be held back, and a receiver that can be waited for: a session. */
export interface Party extends Publisher {
  readonly closedReason: ClosedReason | null;
  /** How often it was held back. */
  stalls: number;
  readonly reading: Reading;
}

/**
 * Slows publishers down when a receiver of theirs falls behind: what they send is not read until the receiver has caught
 * up, or for `STALL_MS_MAX` per `STALL_BYTES` read, whichever is less. A receiver that never catches up ends as a slow consumer.
 */
export class Congestion {
  /** Whether a receiver fell behind in the chunk at hand. */
  any = false;
  private readonly clock: Clock;
  private readonly enabled: () => boolean;
  private receiver: Party | null = null;
  /** What the publisher has sent in this chunk since. */
  private sinceBytes = 0;
  private readonly stalled = new Map<Party, { receiver: Party; timer: Timer }>();

  constructor(clock: Clock, enabled: () => boolean) {
    this.clock = clock;
    this.enabled = enabled;
  }

  /** `receiver` has too much waiting after a message of `publisher`. */
  note(receiver: Party, publisher: Publisher | null): void {
    if (publisher === null || publisher === receiver) return;
    this.any = true;
    this.receiver = receiver;
  }

  /** So many more bytes of a chunk of `publisher`, which led to `note`, are published: what is left of it perhaps waits. */
  look(publisher: Party, bytes: number): void {
    this.sinceBytes += bytes;
    if (this.sinceBytes >= STALL_BYTES) this.stall(publisher, this.sinceBytes);
  }

  /** Stops reading from `publisher`, whose chunk of so many bytes led to `note`. */
  stall(publisher: Party, chunkBytes = STALL_BYTES): void {
    const receiver = this.receiver;
    this.any = false;
    this.receiver = null;
    this.sinceBytes = 0;
    if (receiver === null || publisher.closedReason !== null || !this.enabled() || this.stalled.has(publisher)) return;
    publisher.stalls++;
    publisher.reading.hold(PauseReason.congestion);
    const stallMs = STALL_MS_MAX * Math.ceil(chunkBytes / STALL_BYTES);
    const timer = this.clock.after(stallMs, () => this.resume(publisher));
    this.stalled.set(publisher, { receiver, timer });
  }

  /** `receiver` has caught up, or is gone. */
  relieve(receiver: Party): void {
    for (const [publisher, stall] of this.stalled) if (stall.receiver === receiver) this.resume(publisher);
  }

  private resume(publisher: Party): void {
    this.stalled.get(publisher)?.timer.cancel();
    this.stalled.delete(publisher);
    publisher.reading.resume(PauseReason.congestion);
    // What was held of its chunk led to the same.
    if (this.any) this.stall(publisher);
  }
}
