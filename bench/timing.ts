const REPEATS = 7;

/** Nanoseconds of one of `count` steps that `body` takes: the best of several repeats, the first of which warm the code up. */
export function nsPerStep(count: number, body: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = process.hrtime.bigint();
    body();
    best = Math.min(best, Number(process.hrtime.bigint() - started) / count);
  }
  return best;
}

/** Keeps a result alive, so that the work behind it is not optimized away. */
export const kept = { value: 0 };
