import type { Clock } from '../base/clock.js';
import { Fifo } from '../base/fifo.js';

/** What requests may take of one turn of the event loop: a chunk from one socket may hold thousands of them. */
const TURN_NS = 5_000_000;
/** Requests, and their bytes, that may wait for later turns. */
const WAITING_MAX = 10_000;
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

interface Waiting {
  bytes: number;
  work: () => void;
}

/** Does requests at once, as long as they took little of this turn; then one after the other, in turns that others have a share of. */
export class RequestTurns {
  private readonly clock: Clock;
  private readonly waiting = new Fifo<Waiting>();
  private waitingBytes = 0;
  private takenNs = 0;
  private scheduled = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Does `work`, now or later; false when too much of it waits. `bytes` is what it keeps meanwhile. */
  run(bytes: number, work: () => void): boolean {
    if (this.takenNs < TURN_NS && this.waiting.length === 0) {
      this.do(work);
      return true;
    }
    if (this.waiting.length >= WAITING_MAX || this.waitingBytes + bytes > WAITING_BYTES_MAX) return false;
    this.waitingBytes += bytes;
    this.waiting.push({ bytes, work });
    return true;
  }

  private do(work: () => void): void {
    const startedNs = this.clock.monotonicNs();
    work();
    this.takenNs += this.clock.monotonicNs() - startedNs;
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.begin());
  }

  private begin(): void {
    this.scheduled = false;
    this.takenNs = 0;
    while (this.waiting.length > 0 && this.takenNs < TURN_NS) {
      const { bytes, work } = this.waiting.shift()!;
      this.waitingBytes -= bytes;
      this.do(work);
    }
  }
}
