import { arenaOffset, copyInArena, takeFromArena } from '../../src/base/arena.js';
import { copyWords, wordsOf } from '../../src/base/bytes.js';

const ROUNDS = 1_000_000;
const REPEATS = 7;
const SPAN = 64 * 1024;

/** Nanoseconds of one copy: the best of several repeats, from and to places that change each time. */
function nsPerCopy(copy: (target: number, source: number) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = process.hrtime.bigint();
    for (let i = 0; i < ROUNDS; i++) copy((i * 57) & (SPAN - 1), (i * 41) & (SPAN - 1));
    best = Math.min(best, Number(process.hrtime.bigint() - started) / ROUNDS);
  }
  return best;
}

/** The ways to copy a few bytes between two buffers: why tails are copied in the arena and prefixes by words. */
export async function benches(): Promise<{ name: string; ns: number; note?: string }[]> {
  const source = takeFromArena(SPAN * 2)!;
  const target = takeFromArena(SPAN * 2)!;
  const sourceWords = wordsOf(source);
  const targetWords = wordsOf(target);
  const sourceAt = arenaOffset(source);
  const targetAt = arenaOffset(target);
  return [22, 64, 135, 1034].flatMap((length) => [
    {
      name: `copy ${length} B, a loop over bytes`,
      ns: nsPerCopy((to, from) => {
        for (let i = 0; i < length; i++) target[to + i] = source[from + i];
      }),
    },
    {
      name: `copy ${length} B, set with a view`,
      ns: nsPerCopy((to, from) => target.set(source.subarray(from, from + length), to)),
    },
    {
      name: `copy ${length} B, words`,
      ns: nsPerCopy((to, from) => copyWords(targetWords, to, sourceWords, from, length)),
    },
    {
      name: `copy ${length} B, arena`,
      ns: nsPerCopy((to, from) => copyInArena(targetAt + to, sourceAt + from, length)),
    },
  ]);
}
