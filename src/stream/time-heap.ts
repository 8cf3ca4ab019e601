/** Sequences by the time at which they are due: a binary heap, the earliest first. */
export class TimeHeap {
  private readonly times: number[] = [];
  private readonly sequences: number[] = [];

  /** When the first one is due; Infinity without any. */
  get firstMs(): number {
    return this.times[0] ?? Number.POSITIVE_INFINITY;
  }

  add(timeMs: number, sequence: number): void {
    let at = this.times.length;
    this.times.push(timeMs);
    this.sequences.push(sequence);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.times[parent] <= timeMs) break;
      this.swap(at, parent);
      at = parent;
    }
  }

  /** Takes the first sequence that is due by now; 0 when none is. */
  take(nowMs: number): number {
    if (this.firstMs > nowMs) return 0;
    const taken = this.sequences[0];
    this.swap(0, this.times.length - 1);
    this.times.pop();
    this.sequences.pop();
    this.sink();
    return taken;
  }

  private sink(): void {
    const { times } = this;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [at * 2 + 1, at * 2 + 2])
        if (child < times.length && times[child] < times[least]) least = child;
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }

  private swap(one: number, other: number): void {
    const { times, sequences } = this;
    [times[one], times[other]] = [times[other], times[one]];
    [sequences[one], sequences[other]] = [sequences[other], sequences[one]];
  }
}
