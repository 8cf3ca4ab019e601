import type { Clock, Timer } from '../../src/base/clock.js';

interface Alarm {
  atMs: number;
  run: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private now = 1_000_000;
  private readonly alarms = new Set<Alarm>();

  nowMs(): number {
    return this.now;
  }

  monotonicNs(): number {
    return this.now * 1e6;
  }

  after(delayMs: number, run: () => void): Timer {
    const alarm = { atMs: this.now + delayMs, run };
    this.alarms.add(alarm);
    return { cancel: () => void this.alarms.delete(alarm) };
  }

  /** Timers that are set. */
  get pending(): number {
    return this.alarms.size;
  }

  /** Moves on, and runs what is due in its order. */
  advance(ms: number): void {
    const endMs = this.now + ms;
    for (;;) {
      const due = [...this.alarms].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.alarms.delete(due);
      this.now = Math.max(this.now, due.atMs);
      due.run();
    }
    this.now = endMs;
  }
}
