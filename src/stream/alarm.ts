import type { Clock, Timer } from '../base/clock.js';

/** Timers take no longer delays than this; an alarm that is further off rings early and is set again. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** One timer that is set again and again; it rings once, at the earliest of the times that it was set to, or a little later. */
export class Alarm {
  private readonly clock: Clock;
  private readonly ring: () => void;
  private timer: Timer | null = null;
  private atMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, ring: () => void) {
    this.clock = clock;
    this.ring = ring;
  }

  /** Rings at this time, unless it was set to an earlier one. Infinity is never. */
  set(atMs: number): void {
    if (atMs >= this.atMs) return;
    this.timer?.cancel();
    this.atMs = atMs;
    const delayMs = Math.min(DELAY_MS_MAX, Math.max(0, Math.ceil(atMs - this.clock.nowMs())));
    this.timer = this.clock.after(delayMs, () => {
      const tooEarly = this.clock.nowMs() < this.atMs && delayMs === DELAY_MS_MAX;
      const wanted = this.atMs;
      this.cancel();
      if (tooEarly) this.set(wanted);
      else this.ring();
    });
  }

  cancel(): void {
    this.timer?.cancel();
    this.timer = null;
    this.atMs = Number.POSITIVE_INFINITY;
  }
}
