import type { Clock } from '../base/clock.js';

const FAULTS_MAX = 5;
const WINDOW_MS = 10_000;
const PROBE_MS_MIN = 1_000;
const PROBE_MS_MAX = 30_000;
const HEALTHY_MS = 10_000;

/**
 * Keeps a plugin that fails again and again from costing its neighbours time: after five faults in ten seconds it is quarantined, then probed
 * with single messages at growing intervals.
 */
export class Breaker {
  private readonly clock: Clock;
  private faultTimes: number[] = [];
  private probeAtMs = 0;
  private probeDelayMs = PROBE_MS_MIN;
  quarantined = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whether a call may be made now. */
  admits(): boolean {
    return !this.quarantined || this.clock.nowMs() >= this.probeAtMs;
  }

  onSuccess(): void {
    if (!this.quarantined) return;
    this.quarantined = false;
    this.faultTimes = [];
  }

  onFault(): void {
    const now = this.clock.nowMs();
    const last = this.faultTimes.at(-1) ?? 0;
    if (now - last > HEALTHY_MS && !this.quarantined) this.probeDelayMs = PROBE_MS_MIN;
    this.faultTimes = [...this.faultTimes.filter((time) => now - time < WINDOW_MS), now].slice(-FAULTS_MAX);
    if (!this.quarantined && this.faultTimes.length < FAULTS_MAX) return;
    if (this.quarantined) this.probeDelayMs = Math.min(this.probeDelayMs * 2, PROBE_MS_MAX);
    this.quarantined = true;
    this.probeAtMs = now + this.probeDelayMs;
  }
}
