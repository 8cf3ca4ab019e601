import type { Clock, Timer } from '../base/clock.js';

/** How long changes may gather before they are written down. */
const GATHER_MS = 200;
/** Until it is tried again after a failure. */
const RETRY_MS = 2_000;

interface StateWriterParts {
  clock: Clock;
  /** Writes the state as it is when it is called. */
  write: () => Promise<void>;
  onFailure: (error: unknown) => void;
}

/** Writes one state down, again and again, one write at a time: soon after a change, or at once when somebody waits for it. */
export class StateWriter {
  private readonly parts: StateWriterParts;
  private timer: Timer | null = null;
  private dirty = false;
  private stopped = false;
  private running: Promise<boolean> | null = null;
  private next: Promise<boolean> | null = null;

  constructor(parts: StateWriterParts) {
    this.parts = parts;
  }

  touch(): void {
    this.dirty = true;
    if (this.timer === null && !this.stopped) this.wait(GATHER_MS);
  }

  /** Resolves when the state as it is now is written down; with false when that failed: it is tried again, but nobody should count on it. */
  flush(): Promise<boolean> {
    if (!this.dirty && this.running === null) return Promise.resolve(true);
    if (this.running === null) return this.start();
    // What is being written began before this: everybody who comes meanwhile waits for one more write.
    this.next ??= this.running.then(() => {
      this.next = null;
      return this.dirty ? this.start() : true;
    });
    return this.next;
  }

  /** Writes no more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await this.next;
    await this.running;
  }

  private wait(delayMs: number): void {
    this.timer = this.parts.clock.after(delayMs, () => {
      this.timer = null;
      void this.flush();
    });
  }

  private start(): Promise<boolean> {
    this.running = this.write().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  private async write(): Promise<boolean> {
    if (this.stopped) return false;
    this.dirty = false;
    try {
      await this.parts.write();
      return true;
    } catch (error) {
      this.dirty = true;
      this.parts.onFailure(error);
      if (this.timer === null && !this.stopped) this.wait(RETRY_MS);
      return false;
    }
  }
}
