import type { Clock } from '../base/clock.js';

const FAULTS_MAX = 5;
const WINDOW_MS = 10_000;
/** Of so many calls in a row, half may not fail, however slowly they come. */
const RECENT_CALLS = 20;
const RECENT_MASK = (1 << RECENT_CALLS) - 1;
const PROBE_MS_MIN = 1_000;
const PROBE_MS_MAX = 30_000;
const HEALTHY_MS = 10_000;

/**
 * Keeps a plugin that fails again and again from costing its neighbours time: after five faults in ten seconds, or ten in twenty calls, it is
 * quarantined, then probed with single messages at growing intervals. When it was healthy for ten seconds, all is forgotten.
 */
export class Breaker {
  quarantined = false;
  /** Told when it is quarantined, and when it is admitted again. */
  onChange: ((quarantined: boolean) => void) | null = null;
  private readonly clock: Clock;
  private faultTimes: number[] = [];
  /** The last calls, a bit each, 1 for a fault. */
  private recent = 0;
  private recentCalls = 0;
  private probeAtMs = 0;
  private probeDelayMs = 0;
  /** When it last failed, or was admitted again. */
  private unhealthyMs = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whether a call may be made now. */
  admits(): boolean {
    return !this.quarantined || this.clock.nowMs() >= this.probeAtMs;
  }

  onSuccess(): void {
    // As a rule there was nothing else for long.
    if (this.recent === 0 && this.recentCalls === RECENT_CALLS && !this.quarantined) return;
    this.note(0);
    if (!this.quarantined) return;
    this.quarantined = false;
    this.forget();
    this.unhealthyMs = this.clock.nowMs();
    this.onChange?.(false);
  }

  onFault(): void {
    const now = this.clock.nowMs();
    this.note(1);
    if (!this.quarantined && now - this.unhealthyMs > HEALTHY_MS) this.probeDelayMs = 0;
    this.unhealthyMs = now;
    this.faultTimes = [...this.faultTimes.filter((time) => now - time < WINDOW_MS), now].slice(-FAULTS_MAX);
    if (!this.quarantined && this.faultTimes.length < FAULTS_MAX && !this.halfFailed()) return;
    const before = this.quarantined;
    this.quarantined = true;
    this.probeDelayMs = Math.min(Math.max(PROBE_MS_MIN, this.probeDelayMs * 2), PROBE_MS_MAX);
    this.probeAtMs = now + this.probeDelayMs;
    if (!before) this.onChange?.(true);
  }

  private note(fault: number): void {
    this.recent = ((this.recent << 1) | fault) & RECENT_MASK;
    if (this.recentCalls < RECENT_CALLS) this.recentCalls++;
  }

  private halfFailed(): boolean {
    if (this.recentCalls < RECENT_CALLS) return false;
    let faults = 0;
    for (let bits = this.recent; bits !== 0; bits &= bits - 1) faults++;
    return faults * 2 >= RECENT_CALLS;
  }

  private forget(): void {
    this.faultTimes = [];
    this.recent = 0;
    this.recentCalls = 0;
  }
}
