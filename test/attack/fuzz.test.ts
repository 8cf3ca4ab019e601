import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fuzz } from '../../bench/fuzz/fuzz.js';
import { targets } from '../../bench/fuzz/targets.js';

const INPUTS = 2_000;
const MS_MAX = 20_000;

describe('what strangers write, changed at random', () => {
  const seed = Date.now() % 2 ** 31;
  for (const target of targets) {
    const needsBuild = target.id === 'modules' && !existsSync('dist/plugins');
    it.skipIf(needsBuild)(`${target.id} (seed ${seed})`, { timeout: 60_000 }, async () => {
      const endsMs = Date.now() + MS_MAX;
      const { inputs, taken, found } = await fuzz(target, seed, (done) => done >= INPUTS || Date.now() > endsMs);
      expect(found).toEqual([]);
      // Changes are small enough for some to be taken (but for keys, which have a checksum), and large enough for some to be refused.
      if (target.id !== 'nkey') expect(taken).toBeGreaterThan(0);
      expect(taken).toBeLessThan(inputs);
    });
  }
});
