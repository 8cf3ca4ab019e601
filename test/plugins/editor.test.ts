import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tempFolder } from '../kit/temp-folder.js';
import { root } from './guest.js';

const { path: project, remove } = tempFolder();
const assembly = join(project, 'my-filter', 'assembly');
beforeAll(() => {
  // As `npm install` and `weir plugin new` leave them.
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules', 'weir'), 'junction');
  symlinkSync(
    join(root, 'node_modules', 'assemblyscript'),
    join(project, 'node_modules', 'assemblyscript'),
    'junction',
  );
  cpSync(join(root, 'plugins', 'template', 'assembly'), assembly, { recursive: true });
});
afterAll(remove);

/** What an editor would underline in the author's own files: TypeScript knows no decorators of functions, which the libraries have. */
function underlined(): string[] {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const done = spawnSync(process.execPath, [tsc, '--noEmit', '--pretty', 'false', '-p', '.'], { cwd: assembly });
  return done.stdout
    .toString()
    .split('\n')
    .filter((line) => /^[\w-]+\.ts\(/.test(line));
}

test('a new plugin has no errors in an editor, and mistakes are found', { timeout: 60_000 }, () => {
  expect(underlined()).toEqual([]);
  const index = join(assembly, 'index.ts');
  const source = readFileSync(index, 'utf8').replace('Verdict.Pass', 'Verdict.Passed');
  writeFileSync(
    index,
    `import { GROUP_KEYS } from 'weir/group';\nimport { policy } from 'weir/policy';\n${source}policy(GROUP_KEYS);\n`,
  );
  expect(underlined()).toEqual([
    expect.stringContaining("Property 'Passed' does not exist"),
    expect.stringMatching(/error TS2554: Expected 3 arguments/),
  ]);
});
