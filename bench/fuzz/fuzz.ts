import type { Target } from './targets.js';

/** How a target did. */
export interface Fuzzed {
  inputs: number;
  taken: number;
  slowestMs: number;
  /** What was found: the input in base64, and what happened. */
  found: string[];
}

/** An input that takes longer is a finding. */
const SLOW_MS = 1_000;
const FOUND_MAX = 5;
/** Inputs that were taken, and are changed further. */
const POOL_MAX = 200;

/** Random numbers from a seed: the same ones again for the same seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const INTERESTING = Buffer.from('{}[]()",:.*>$ \r\n\t\0\x7f\x80\xff019-#/', 'latin1');

/** A few changes: of a byte, of a bit, what is doubled, left out, moved, or taken from another one. */
function mutate(bytes: Uint8Array, other: Uint8Array, random: (below: number) => number): Uint8Array {
  let changed = Buffer.from(bytes);
  for (let left = 1 + random(4); left > 0; left--) {
    const at = random(changed.length + 1);
    const length = 1 + random(16);
    const [before, behind] = [changed.subarray(0, at), changed.subarray(at)];
    const kind = random(6);
    if (kind === 0 && at < changed.length) changed[at] = INTERESTING[random(INTERESTING.length)];
    else if (kind === 1 && at < changed.length) changed[at] ^= 1 << random(8);
    else if (kind === 2) changed = Buffer.concat([before, behind.subarray(length)]);
    else if (kind === 3) changed = Buffer.concat([before, changed.subarray(Math.max(0, at - length), at), behind]);
    else if (kind === 4)
      changed = Buffer.concat([before, other.subarray(random(other.length + 1)).subarray(0, length), behind]);
    else changed = Buffer.concat([before, Buffer.of(random(256)), behind]);
  }
  return changed;
}

/** Changes seeds and runs them until `isOver`. */
export async function fuzz(target: Target, seed: number, isOver: (inputs: number) => boolean): Promise<Fuzzed> {
  const random = randomFrom(seed);
  const pool = target.seeds();
  const fuzzed: Fuzzed = { inputs: 0, taken: 0, slowestMs: 0, found: [] };
  while (!isOver(fuzzed.inputs) && fuzzed.found.length < FOUND_MAX) {
    const input = mutate(pool[random(pool.length)], pool[random(pool.length)], random);
    fuzzed.inputs++;
    const startedMs = performance.now();
    const note = (what: string) => fuzzed.found.push(`${what}: ${Buffer.from(input).toString('base64')}`);
    try {
      if (await target.run(input)) {
        fuzzed.taken++;
        if (pool.length < POOL_MAX && input.length < 100_000) pool.push(input);
      }
    } catch (error) {
      note(String(error));
    }
    const tookMs = performance.now() - startedMs;
    fuzzed.slowestMs = Math.max(fuzzed.slowestMs, tookMs);
    if (tookMs > SLOW_MS) note(`it took ${Math.round(tookMs)} ms`);
  }
  return fuzzed;
}
