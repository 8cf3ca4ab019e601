import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCases } from '../../src/cli/plugin-cases.js';
import { vectorsOf } from '../../src/cli/plugin-vectors.js';
import { readManifest } from '../../src/host/manifest.js';
import { bundled, bundledModule } from './bundled.js';
import { root } from './guest.js';

interface Description {
  name: string;
  description: string;
  config: { properties: Record<string, unknown> };
}

test('what comes with Weir', () => {
  const expected =
    'aggregate convert deadband dedupe enrich geofence pick redact rename route schema smooth split threshold throttle';
  expect([...bundled].sort()).toEqual(expected.split(' '));
});

describe.each(bundled)('%s', (plugin) => {
  const folder = join(root, 'plugins', plugin);
  const tests = join(folder, 'tests');
  for (const file of readdirSync(tests)) {
    describe(file, () => {
      for (const { name, difference } of runCases(bundledModule(plugin), join(tests, file))) {
        test(name, () => expect(difference).toBeNull());
      }
    });
  }

  test('has in it what it makes of its cases', async () => {
    const manifest = await readManifest(bundledModule(plugin).manifest);
    expect(manifest!.self_tests.length).toBeGreaterThan(0);
    expect(manifest!.self_tests).toEqual(vectorsOf(bundledModule(plugin), folder));
  });

  test('says what it is, and its README names all that can be configured', () => {
    const { name, description, config } = JSON.parse(readFileSync(join(folder, 'plugin.json'), 'utf8')) as Description;
    expect(name).toBe(plugin);
    expect(description).toMatch(/\.$/);
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    const keys = Object.keys(config.properties);
    expect(keys.filter((key) => !readme.includes(`\`${key}\``))).toEqual([]);
  });
});
