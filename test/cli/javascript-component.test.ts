import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tempFolder } from '../kit/temp-folder.js';
import { weir } from './weir.js';

let folder: ReturnType<typeof tempFolder>;
beforeAll(() => {
  folder = tempFolder();
});
afterAll(() => folder.remove());

const INSTALL_MS = 180_000;

test('a plugin in JavaScript builds to a component and passes its tests', { timeout: 600_000 }, async (context) => {
  const run = (...args: string[]) => weir(['plugin', ...args], { cwd: folder.path });
  expect(await run('new', 'limiter', '--lang', 'javascript-component')).toMatchObject({ code: 0, stderr: '' });
  const unbuilt = await run('build', 'limiter');
  expect(unbuilt.stderr).toMatch(/"@bytecodealliance\/componentize-js" is not installed; install it with: npm install/);
  const cwd = join(folder.path, 'limiter');
  spawnSync('npm', ['install', '--no-audit', '--no-fund'], { cwd, timeout: INSTALL_MS, stdio: 'ignore' });
  if (!existsSync(join(cwd, 'node_modules', '@bytecodealliance', 'componentize-js', 'package.json'))) {
    context.skip('the registry does not answer: componentize-js could not be installed');
  }
  expect(await run('build', 'limiter')).toMatchObject({ code: 0, stderr: '' });
  expect((await run('test', 'limiter')).stdout).toContain('3 passed, 0 failed');
});

test('a language without a template is refused by name', async () => {
  const refused = await weir(['plugin', 'new', 'x', '--lang', 'cobol'], { cwd: folder.path });
  expect(refused.stderr).toContain(
    'no template for the language "cobol": expected assemblyscript, javascript-component',
  );
  expect(refused.code).not.toBe(0);
});
