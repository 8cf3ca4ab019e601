import type { Clock } from '../base/clock.js';
import { Fifo } from '../base/fifo.js';

/** What requests may take of one turn of the event loop: a chunk from one socket may hold thousands of them. */
const TURN_NS = 5_000_000;
/** Requests, and their bytes, that may wait for later turns. */
const WAITING_MAX = 10_000;
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** Until work that has to wait for something is tried again. */
const PAUSE_MS = 10;

/** Done at once or in parts: it is called again as long as it answers true, or, a little later, as long as it answers `LATER`. */
export type Work = () => unknown;
export const LATER = 'later';

interface Waiting {
  bytes: number;
  work: Work;
}

/** Does requests at once, as long as they took little of this turn; then one after the other, in turns that others have a share of. */
export class RequestTurns {
  private readonly clock: Clock;
  private readonly waiting = new Fifo<Waiting>();
  private waitingBytes = 0;
  private paused = 0;
  private takenNs = 0;
  private scheduled = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Does `work`, now or later; false when too much of it waits. `bytes` is what it keeps meanwhile. */
  run(bytes: number, work: Work): boolean {
    if (this.takenNs < TURN_NS && this.waiting.length === 0) {
      this.do({ bytes, work });
      return true;
    }
    if (this.waiting.length + this.paused >= WAITING_MAX || this.waitingBytes + bytes > WAITING_BYTES_MAX) return false;
    this.wait({ bytes, work });
    return true;
  }

  private wait(task: Waiting): void {
    this.waitingBytes += task.bytes;
    this.waiting.push(task);
  }

  private do(task: Waiting): void {
    const startedNs = this.clock.monotonicNs();
    const answer = task.work();
    this.takenNs += this.clock.monotonicNs() - startedNs;
    if (answer === true) this.wait(task);
    else if (answer === LATER) this.pause(task);
    this.schedule();
  }

  private pause(task: Waiting): void {
    this.paused++;
    this.waitingBytes += task.bytes;
    this.clock.after(PAUSE_MS, () => {
      this.paused--;
      this.waiting.push(task);
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.begin());
  }

  private begin(): void {
    this.scheduled = false;
    this.takenNs = 0;
    while (this.waiting.length > 0 && this.takenNs < TURN_NS) {
      const task = this.waiting.shift()!;
      this.waitingBytes -= task.bytes;
      this.do(task);
    }
  }
}
