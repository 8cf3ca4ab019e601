import type { Clock, Timer } from '../base/clock.js';
import { RemoteGuest, type RemoteSettings } from './remote-guest.js';
import { TierThread } from './thread.js';

/** Worker threads without anything to do end after so long. */
const IDLE_MS = 10_000;

/** For people and programs. */
export interface ThreadSnapshot {
  thread: number;
  running: boolean;
  guests: number;
  /** Calls that wait for an answer. */
  depth: number;
  restarts: number;
}

/** The worker threads that run plugins beside the event loop. There are none until a plugin needs one, and at most so many. */
export class WorkerTier {
  private readonly clock: Clock;
  private readonly threadsMax: () => number;
  private readonly threads: TierThread[] = [];
  private timer: Timer | null = null;
  private closed = false;

  constructor(clock: Clock, threadsMax: () => number) {
    this.clock = clock;
    this.threadsMax = threadsMax;
  }

  /** A plugin's instance; its thread is chosen when it has something to do. */
  guest(settings: RemoteSettings): RemoteGuest {
    return new RemoteGuest(settings, (guest) => this.place(guest));
  }

  snapshot(): ThreadSnapshot[] {
    return this.threads.map(({ number, isRunning, guests, depth, restarts }) => {
      return { thread: number, running: isRunning, guests: guests.size, depth, restarts };
    });
  }

  /** What still waits is answered with a fault. */
  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  /** To a thread of its own while there may be another one; else to those with the fewest guests. */
  private place(guest: RemoteGuest): TierThread {
    const { threads } = this;
    let chosen = threads.find(({ guests }) => guests.size === 0);
    if (chosen === undefined && threads.length < this.threadsMax()) {
      chosen = new TierThread(threads.length + 1, this.clock);
      threads.push(chosen);
    }
    chosen ??= threads.reduce((least, one) => (one.guests.size < least.guests.size ? one : least));
    chosen.join(guest);
    this.timer ??= this.clock.after(IDLE_MS, () => this.tidy());
    return chosen;
  }

  private tidy(): void {
    this.timer = null;
    if (this.closed) return;
    for (const thread of this.threads) if (thread.guests.size === 0 && thread.isRunning) thread.rest();
    if (this.threads.some(({ isRunning }) => isRunning)) this.timer = this.clock.after(IDLE_MS, () => this.tidy());
  }
}
