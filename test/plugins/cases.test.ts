import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCases } from '../../src/cli/plugin-cases.js';
import { prepareModule } from '../../src/sandbox/prepare.js';

const root = join(import.meta.dirname, '..', '..');
const plugins = readdirSync(join(root, 'plugins')).filter((name) =>
  existsSync(join(root, 'dist', 'plugins', `${name}.wasm`)),
);

test('the bundled plugins are built', () => {
  expect(plugins).toEqual(expect.arrayContaining(['convert', 'enrich', 'pick', 'threshold']));
});

describe.each(plugins)('%s', (plugin) => {
  const prepared = prepareModule(readFileSync(join(root, 'dist', 'plugins', `${plugin}.wasm`)));
  const tests = join(root, 'plugins', plugin, 'tests');
  for (const file of readdirSync(tests)) {
    describe(file, () => {
      for (const { name, difference } of runCases(prepared, join(tests, file))) {
        test(name, () => expect(difference).toBeNull());
      }
    });
  }
});
