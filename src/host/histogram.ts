const BUCKETS = 32;

/** How often values fell between powers of two; bucket n counts those from 2^(n-1)+1 to 2^n, bucket 0 those up to 1. */
export class Histogram {
  readonly counts = new Uint32Array(BUCKETS);
  sum = 0;

  add(value: number): void {
    const bucket = value <= 1 ? 0 : 32 - Math.clz32(Math.min(Math.ceil(value) - 1, 0x7fffffff));
    this.counts[Math.min(bucket, BUCKETS - 1)]++;
    this.sum += value;
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** How many of all values were at most 2^power, for each of these powers, which ascend. */
  atMost(powers: readonly number[]): number[] {
    let seen = 0;
    let bucket = 0;
    return powers.map((power) => {
      for (; bucket <= power; bucket++) seen += this.counts[bucket];
      return seen;
    });
  }

  /** An upper bound of the value below which this share of all lies; null when there are none. */
  quantile(share: number): number | null {
    const total = this.total;
    if (total === 0) return null;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.counts[bucket];
      if (seen >= share * total) return 2 ** bucket;
    }
    return 2 ** BUCKETS;
  }
}
