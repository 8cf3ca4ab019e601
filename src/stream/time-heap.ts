/** Entries that each new one looks at. Two keep those in vain about as few as those that count. */
const LOOKED_AT = 2;

/**
 * Sequences by the time at which they are due: a binary heap, the earliest first. Those whose message went before their time are taken
 * out little by little, as others are added: the heap holds about twice as many as count, however far off their times are.
 */
export class TimeHeap {
  private readonly times: number[] = [];
  private readonly sequences: number[] = [];
  private readonly counts: (sequence: number) => boolean;
  /** Where it is looked next for one that does not count any more. */
  private looked = 0;

  /** `counts`: whether a sequence is still of interest. */
  constructor(counts: (sequence: number) => boolean) {
    this.counts = counts;
  }

  get size(): number {
    return this.times.length;
  }

  /** When the first one is due; Infinity without any. */
  get firstMs(): number {
    return this.times[0] ?? Number.POSITIVE_INFINITY;
  }

  add(timeMs: number, sequence: number): void {
    for (let i = 0; i < LOOKED_AT; i++) this.lookAtOne();
    this.times.push(timeMs);
    this.sequences.push(sequence);
    this.rise(this.times.length - 1);
  }

  /** Takes the first sequence that is due by now; 0 when none is. */
  take(nowMs: number): number {
    if (this.firstMs > nowMs) return 0;
    const taken = this.sequences[0];
    this.removeAt(0);
    return taken;
  }

  clear(): void {
    this.times.length = this.sequences.length = this.looked = 0;
  }

  private lookAtOne(): void {
    if (this.looked >= this.times.length) this.looked = 0;
    if (this.times.length === 0) return;
    if (this.counts(this.sequences[this.looked])) this.looked++;
    else this.removeAt(this.looked);
  }

  /** The last one takes the place of the one that goes. */
  private removeAt(at: number): void {
    const timeMs = this.times.pop()!;
    const sequence = this.sequences.pop()!;
    if (at === this.times.length) return;
    this.times[at] = timeMs;
    this.sequences[at] = sequence;
    this.rise(at);
    this.sink(at);
  }

  private rise(at: number): void {
    const { times } = this;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (times[parent] <= times[at]) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  private sink(at: number): void {
    const { times } = this;
    for (;;) {
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
