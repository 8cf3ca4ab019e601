import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** Runs `npm run bench`'s script on what is built. */
function bench(...args: string[]) {
  const done = spawnSync(process.execPath, ['scripts/bench.mjs', '--no-build', ...args], { encoding: 'utf8' });
  return { code: done.status, out: done.stdout, log: done.stderr };
}

describe('npm run bench', () => {
  it('runs every scenario with a few messages', { timeout: 120_000 }, () => {
    const listed = bench('--list').out.trim().split('\n');
    const ids = listed.map((line) => line.split(' ')[0]);
    expect(ids.length).toBeGreaterThan(20);
    const { code, out, log } = bench('--tiny');
    expect(log).not.toContain('failed:');
    for (const id of ids) expect(log).toMatch(new RegExp(`^${id} (1/1 weir .*=|skipped: )`, 'm'));
    expect(out).toMatch(/\| 1→1, 16 B \| [\d,]+ msg\/s \|/);
    const compiles = spawnSync('cc', ['--version']).error === undefined;
    if (compiles)
      for (const id of ['1to1-128', '1to5-128', 'reqrep']) expect(log).toMatch(new RegExp(`^${id} 1/1 relay .*=`, 'm'));
    expect(code).toBe(0);
  });

  it('soaks, and everything arrives', { timeout: 60_000 }, () => {
    const { code, out, log } = bench('soak', '--minutes', '0.05', '--rate', '400');
    expect(log).toBe('');
    expect(out).toMatch(/^\| 1 \| [\d.]+ \|/m);
    expect(out).toContain('not arrived: {"pair":0,"fan":0,"large":0,"distinct":0,"filtered":0,"requests":0}');
    expect(code).toBe(0);
  });

  it('says which scenario it does not know', () => {
    const { code, log } = bench('--only', '1to1-16,no-such');
    expect(log).toContain('no scenario "no-such"');
    expect(code).toBe(1);
  });

  it('prints its usage for a number that is none', () => {
    const { code, log } = bench('--runs', 'many');
    expect(log).toMatch(/^--runs "many": expected a number above 0\n\nusage: npm run bench/m);
    expect(code).toBe(2);
  });
});
