interface Seen {
  readonly sequence: number;
  readonly timeMs: number;
}

/** Message ids of the last while: a message that was sent twice is stored once. */
export class DedupeWindow {
  /** Oldest first. */
  private readonly seen = new Map<string, Seen>();
  private windowMs: number;
  /** The id of the last message that had one or, without one, ''. */
  lastId = '';

  /** 0 ms: nothing is remembered. */
  constructor(windowMs: number) {
    this.windowMs = windowMs;
  }

  get size(): number {
    return this.seen.size;
  }

  setWindow(windowMs: number, nowMs: number): void {
    this.windowMs = windowMs;
    this.forget(nowMs);
  }

  /** The sequence of an earlier message with this id, or 0. */
  find(id: string, nowMs: number): number {
    this.forget(nowMs);
    return this.seen.get(id)?.sequence ?? 0;
  }

  add(id: string, sequence: number, timeMs: number): void {
    if (this.windowMs > 0) this.seen.set(id, { sequence, timeMs });
  }

  private forget(nowMs: number): void {
    for (const [id, { timeMs }] of this.seen) {
      if (timeMs > nowMs - this.windowMs) return;
      this.seen.delete(id);
    }
  }
}
