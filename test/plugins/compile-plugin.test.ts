import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { compiler } from './guest.js';

const folder = mkdtempSync(join(tmpdir(), 'weir-compile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const compilePlugin = await compiler();

const SDK = `import { Message, Verdict } from 'weir/plugin';\n`;
const PASSES = `${SDK}export function onMessage(message: Message): Verdict {\n  return Verdict.Pass;\n}\n`;
/** A plugin whose verdict comes after a statement. */
const doing = (statement: string) => PASSES.replace('  return', `  ${statement}\n  return`);

/** Writes a plugin's folder. */
function pluginOf(files: Record<string, string>): string {
  const path = mkdtempSync(join(folder, 'plugin-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

/** What the compiler says to a plugin that it refuses. Nothing is written then. */
async function refusalOf(source: string, others: Record<string, string> = {}): Promise<string> {
  const path = pluginOf({ 'assembly/index.ts': source, ...others });
  const before = readdirSync(path);
  const error: unknown = await compilePlugin({ folder: path }).then(
    () => null,
    (refusal) => refusal,
  );
  if (!(error instanceof Error)) throw new Error('it compiled');
  expect(readdirSync(path)).toEqual(before);
  // An author's mistake shows no place in our code.
  expect(error.stack).toBe(`Error: ${error.message}`);
  return error.message;
}

describe('compilePlugin', { timeout: 60_000 }, () => {
  test('writes the module into build/ unless it is told where', async () => {
    const path = pluginOf({ 'assembly/index.ts': PASSES });
    const name = path.slice(folder.length + 1);
    expect((await compilePlugin({ folder: path })).outFile).toBe(join(path, 'build', `${name}.wasm`));
    const outFile = join(path, 'a', 'b.wasm');
    expect(await compilePlugin({ folder: path, outFile })).toMatchObject({ outFile });
    expect(readdirSync(join(path, 'a'))).toEqual(['b.wasm']);
  });

  test('says which file it expected', async () => {
    const path = pluginOf({ 'index.ts': PASSES });
    await expect(compilePlugin({ folder: path })).rejects.toThrow(
      `there is no plugin in "${path}": expected the file ${join(path, 'assembly', 'index.ts')}`,
    );
  });

  test('gives every mistake its place, a line each', async () => {
    const message = await refusalOf(doing('let a: i32 = "text"; let b: Verdict = nothing;'));
    expect(message.split('\n')).toEqual([
      expect.stringMatching(/^assembly\/index\.ts:3:16: TS2322: Type '.*String' is not assignable to type 'i32'\.$/),
      expect.stringMatching(/^assembly\/index\.ts:3:41: TS2304: Cannot find name 'nothing'\.$/),
    ]);
  });

  test.each([
    ['what is not written to its end', doing('if ('), /^assembly\/index\.ts:4:\d+: TS1\d+: /],
    [
      'a module of the SDK that there is not',
      `import { a } from 'weir/nothing';\n${PASSES}`,
      /:1:\d+: .*weir\/nothing/,
    ],
    ['a name that the SDK does not export', PASSES.replace('Verdict }', 'Verdict, Clock }'), /:1:\d+: .*'Clock'/],
    ['a file that is not there', `import { a } from './more';\n${PASSES}`, /:1:\d+: .*more/],
    [
      'no onMessage',
      `${SDK}export function onmessage(message: Message): Verdict {\n  return Verdict.Pass;\n}\n`,
      /onMessage/,
    ],
    [
      'an onMessage that answers a text',
      PASSES.replaceAll(': Verdict', ': string').replace('Verdict.Pass', '""'),
      /String/,
    ],
    ['a closure', doing('let n = 1; const add = (): i32 => n; add();'), /:3:\d+: AS100: Not implemented: Closures$/],
  ])('refuses %s', async (_what, source, expected) => {
    expect(await refusalOf(source)).toMatch(expected);
  });

  test('names the file of a mistake beside the index', async () => {
    const message = await refusalOf(`import { limit } from './more';\n${doing('limit();')}`, {
      'assembly/more.ts': '\nexport function limit(): i32 {\n  return "";\n}\n',
    });
    expect(message).toMatch(/^assembly\/more\.ts:3:10: TS2322: /);
  });

  test.each([
    ['chance', 'Math.random();', '"env.seed"', 'the same message always gives the same answer'],
    ['the clock', 'Date.now();', '"env.Date.now"', 'use message.timestamp'],
    ['the terminal', 'console.log("a");', '"env.console.log"', 'use log.info()'],
    ['the compiler’s own trace', 'trace("a");', '"env.trace"', 'use log.debug()'],
  ])('refuses %s by name, and says what to use', async (_what, statement, name, instead) => {
    const message = await refusalOf(doing(statement));
    expect(message).toContain(`the plugin imports ${name}, and a plugin may import nothing: `);
    expect(message).toContain(instead);
  });

  test('refuses a function of somebody else by name', async () => {
    const declared = '// @ts-ignore: decorator\n@external("wasi", "read")\ndeclare function read(at: i32): i32;\n';
    const message = await refusalOf(`${declared}${doing('read(1);')}`);
    expect(message).toBe('the plugin imports "wasi.read", and a plugin may import nothing');
  });
});
