import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answering } from '../components/component.js';
import { tempFolder } from '../kit/temp-folder.js';
import { weir } from './weir.js';

let folder: ReturnType<typeof tempFolder>;
beforeAll(async () => {
  folder = tempFolder();
  for (const name of ['build', 'tests']) mkdirSync(join(folder.path, name));
  const rejecting = { verdict: { reject: { code: 422, text: 'no' } } } as const;
  writeFileSync(join(folder.path, 'build', 'refuser.wasm'), await answering(rejecting));
  const one = { name: 'any', message: { payload: 'x' }, expect: { verdict: 'reject', code: 422, error: 'no' } };
  writeFileSync(join(folder.path, 'tests', 'all.json'), JSON.stringify({ cases: [one] }));
});
afterAll(() => folder.remove());

const MODULE = join('build', 'refuser.wasm');
const run = (...args: string[]) => weir(['plugin', ...args, '--json'], { cwd: folder.path });

test('a component that another tool has built is tested, checked, timed and inspected', async () => {
  const [tested, checked, timed, inspected] = await Promise.all(
    ['test', 'check', 'bench', 'inspect'].map((command) => run(command, MODULE)),
  );
  expect(tested.stderr).toBe('');
  expect(JSON.parse(tested.stdout)).toMatchObject({ plugin: 'refuser', passed: 1, failed: 0 });
  const { ok, measured } = JSON.parse(checked.stdout);
  expect(ok).toBe(true);
  expect(measured[0]).toMatchObject({ what: 'module, bytes', limit: 16 * 1024 * 1024 });
  expect(JSON.parse(timed.stdout).results).toMatchObject([{ name: 'all.json: any' }]);
  expect(JSON.parse(inspected.stdout)).toMatchObject({ hooks: [], manifest: null });
}, 60_000);

test('a module that is not there is named', async () => {
  const { code, stderr } = await run('test', join('build', 'other.wasm'));
  expect(stderr).toContain(`there is no file "${join('build', 'other.wasm')}"`);
  expect(code).not.toBe(0);
}, 60_000);
