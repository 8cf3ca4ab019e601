import type { Clock } from '../base/clock.js';
import { Fifo } from '../base/fifo.js';

/** What requests may take of one turn of the event loop: a chunk from one socket may hold thousands of them. */
const TURN_NS = 5_000_000;
/** Requests, and their bytes, that may wait for later turns. */
const WAITING_MAX = 10_000;
const WAITING_BYTES_MAX = 32 * 1024 * 1024;

/** Until work that has to wait for something is tried again, and how much of it is not given up. */
const PAUSE_MS = 10;
const PAUSED_MAX = 500;

/** Done at once or in parts: it is called again as long as it answers true, or, a little later, as long as it answers `LATER`. */
export type Work = () => unknown;
export const LATER = 'later';

interface Waiting {
  bytes: number;
  work: Work;
  /** It had to wait for something before. */
  hasPaused: boolean;
}

/** Does requests at once, as long as they took little of this turn; then one after the other, in turns that others have a share of. */
export class RequestTurns {
  private readonly clock: Clock;
  private readonly waiting = new Fifo<Waiting>();
  private waitingBytes = 0;
  private readonly paused: Waiting[] = [];
  /** Those that have paused, and are not done. */
  private slow = 0;
  private takenNs = 0;
  private scheduled = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Does `work`, now or later; false when too much of it waits. `bytes` is what it keeps meanwhile. */
  run(bytes: number, work: Work): boolean {
    if (this.takenNs < TURN_NS && this.waiting.length === 0) {
      return this.do({ bytes, work, hasPaused: false });
    }
    if (this.waiting.length + this.paused.length >= WAITING_MAX || this.waitingBytes + bytes > WAITING_BYTES_MAX)
      return false;
    this.wait({ bytes, work, hasPaused: false });
    return true;
  }

  private wait(task: Waiting): void {
    this.waitingBytes += task.bytes;
    this.waiting.push(task);
  }

  /** False when it is given up. */
  private do(task: Waiting): boolean {
    const startedNs = this.clock.monotonicNs();
    const answer = task.work();
    this.takenNs += this.clock.monotonicNs() - startedNs;
    this.schedule();
    if (answer === LATER) return this.pause(task);
    if (answer === true) this.wait(task);
    else if (task.hasPaused) this.slow--;
    return true;
  }

  private pause(task: Waiting): boolean {
    if (!task.hasPaused) {
      if (this.slow === PAUSED_MAX || this.waitingBytes + task.bytes > WAITING_BYTES_MAX) return false;
      this.slow++;
      task.hasPaused = true;
    }
    this.waitingBytes += task.bytes;
    if (this.paused.push(task) === 1) this.clock.after(PAUSE_MS, () => this.goOn());
    return true;
  }

  private goOn(): void {
    for (const task of this.paused.splice(0)) this.waiting.push(task);
    this.schedule();
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
