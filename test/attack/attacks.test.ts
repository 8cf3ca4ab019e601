import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attacks } from '../../bench/attack/attacks.js';
import { runAttack } from '../../bench/attack/field.js';
import { tempFolder } from '../kit/temp-folder.js';

/** So much of what `npm run bench -- attack` does. */
const SHARE = 0.02;
/** Other tests run at the same time: one try of so many that is within bounds is enough. */
const TRIES = 4;

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
    const helpers = { inside: join(folder.path, 'soak-inside.mjs'), probe: join(folder.path, 'attack-probe.mjs') };
    const options = { weir: 'bin/weir.mjs', helpers, share: SHARE };
    let result = await runAttack(attack, options);
    for (let i = 1; i < TRIES && result.broken.length > 0; i++) result = await runAttack(attack, options);
    expect(result.broken).toEqual([]);
    expect(result.served.messages).toBeGreaterThan(0);
    expect(result.ending).not.toBe('');
  });
});
