/** A timer that was set; `cancel` is safe to call twice. */
export interface Timer {
  cancel(): void;
}

/** Where the house gets its time from. Tests hand in their own. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. */
  nowMs(): number;
  /** Monotonic time in nanoseconds, for measuring. */
  monotonicNs(): number;
  /** Calls `run` once after `delayMs`. The timer never keeps the process alive. */
  after(delayMs: number, run: () => void): Timer;
}

class NodeTimer implements Timer {
  private readonly handle: NodeJS.Timeout;

  constructor(delayMs: number, run: () => void) {
    this.handle = setTimeout(run, delayMs);
    this.handle.unref();
  }

  cancel(): void {
    clearTimeout(this.handle);
  }
}

/** The real clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicNs: () => performance.now() * 1e6,
  after: (delayMs, run) => new NodeTimer(delayMs, run),
};
