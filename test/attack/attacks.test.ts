import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { USUAL_BOUNDS } from '../../bench/attack/attack.js';
import { attacks } from '../../bench/attack/attacks.js';
import { runAttack } from '../../bench/attack/field.js';
import { tempFolder } from '../kit/temp-folder.js';

/** So much of what `npm run bench -- attack` does. */
const SHARE = 0.02;
/** Other tests run at the same time, and the table is for how long it takes on a machine that is quiet: here it must only not stop. */
const SLOWER = 20;

describe('attacks', () => {
  const folder = tempFolder();
  beforeAll(async () => {
    const file = (path: string) => resolve('bench', path);
    const entryPoints = { 'soak-inside': file('soak/inside.ts'), 'attack-probe': file('attack/probe.ts') };
    const made = { outdir: folder.path, bundle: true, format: 'esm', platform: 'node', target: 'node20.19' } as const;
    await build({ ...made, entryPoints, outExtension: { '.js': '.mjs' } });
  });
  afterAll(() => folder.remove());

  it.each(attacks.map((attack) => [attack.id, attack] as const))('%s', { timeout: 120_000 }, async (_id, attack) => {
    const { stallMs, latencyMs } = { ...USUAL_BOUNDS, ...attack.bounds };
    const bounds = { ...attack.bounds, stallMs: SLOWER * stallMs, latencyMs: SLOWER * latencyMs };
    const helpers = { inside: join(folder.path, 'soak-inside.mjs'), probe: join(folder.path, 'attack-probe.mjs') };
    const options = { weir: 'bin/weir.mjs', helpers, share: SHARE };
    const result = await runAttack(attack, options, bounds);
    expect(result.broken).toEqual([]);
    expect(result.served.messages).toBeGreaterThan(0);
    expect(result.ending).not.toBe('');
  });
});
