import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tempFolder } from '../kit/temp-folder.js';
import { weir } from './weir.js';

let folder: ReturnType<typeof tempFolder>;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => folder.remove());

const commands = ['pub', 'sub', 'req', 'demo', 'plugin'];
const pluginCommands = ['new', 'build', 'test', 'install', 'attach', 'detach', 'ls', 'info', 'rm'];

describe('the command line', { timeout: 60_000 }, () => {
  test('has help with examples for every command', async () => {
    const paths = [[], ...commands.map((name) => [name]), ...pluginCommands.map((name) => ['plugin', name])];
    for (const path of paths) {
      const { code, stdout, stderr } = await weir([...path, '--help']);
      expect({ path, code, stderr }).toEqual({ path, code: 0, stderr: '' });
      expect(stdout).toContain(`Usage: ${['weir', ...path].join(' ')}`);
      expect(stdout).toMatch(/\nExamples:\n {2}\S/);
    }
  });

  test('says its version', async () => {
    expect(await weir(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^weir \d+\.\d+\.\d+\n$/),
    });
  });

  test.each([
    [['bogus'], "unknown command 'bogus' (see: weir --help)"],
    [['pub'], "missing required argument 'subject' (see: weir pub --help)"],
    [['pub', 'a', 'b', 'c'], 'too many arguments'],
    [['pub', 'a', 'b', '--bogus'], "unknown option '--bogus'"],
    [['pub', 'a', 'b', '--count', '0'], 'Expected a whole number of at least 1'],
    [['pub', 'a..b', 'x'], 'invalid subject "a..b"'],
    [['pub', 'a.*', 'x'], 'invalid subject "a.*"'],
    [['pub', 'a', 'x', '-H', 'nonsense'], 'invalid header "nonsense"'],
    [['pub', 'a', 'x', '-s', '::'], 'invalid server URL "::"'],
    [['pub', 'a', 'x', '--creds', 'absent'], 'cannot read credentials file "absent"'],
    [['pub', 'a', 'x', '--lines'], '--lines'],
    [['sub', 'a.>.b'], 'invalid subject "a.>.b"'],
    [['plugin', 'xyzzy'], "unknown command 'xyzzy' (see: weir plugin --help)"],
    [['plugin', 'attach', 'p', 'a', '--phase', 'x'], 'Allowed choices are authorize, validate'],
    [['plugin', 'attach', 'p', 'a', '--config', '{'], '--config: expected JSON'],
    [['plugin', 'attach', 'p', 'a', '--config', '@absent'], '--config: cannot read "absent"'],
    [['plugin', 'attach', 'p@x', 'a'], 'invalid plugin "p@x"'],
    [['plugin', 'detach', 'a b'], 'attachment "a b": expected 1 to 64'],
    [['plugin', 'rm', 'a.b'], 'plugin "a.b": expected 1 to 64'],
    [['plugin', 'swap', 'a', '--version', '2'], "unknown option '--version'"],
    [['plugin', 'dev', 'absent', 'a'], '"absent" is not a plugin\'s folder: there is no such folder'],
    [['plugin', 'new', 'a.b'], 'plugin "a.b": expected 1 to 64'],
    [['plugin', 'build', 'absent'], '"absent" is not a plugin\'s folder: there is no such folder'],
    [['plugin', 'test', '.'], '"." is not a plugin\'s folder: there is no "assembly/index.ts"'],
    [['demo', '--messages', 'x'], 'Expected a whole number'],
  ])('refuses %j with exit code 2, in one line', async (args, text) => {
    const { code, stdout, stderr } = await weir(args, { cwd: folder.path });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^weir: .*\n$/);
    expect(stderr).toContain(text);
  });

  test('without a command it shows its help, and that is a mistake', async () => {
    for (const path of [[], ['plugin']]) {
      const { code, stdout, stderr } = await weir(path);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('Usage:');
    }
  });
});

describe('weir plugin new', () => {
  test('refuses what is there already', async () => {
    const path = join(folder.path, 'mine');
    mkdirSync(path);
    writeFileSync(join(path, 'notes.txt'), 'keep me');
    writeFileSync(join(folder.path, 'file'), '');
    expect(await weir(['plugin', 'new', 'mine'], { cwd: folder.path })).toMatchObject({
      code: 1,
      stderr: 'weir: "mine" is not empty, it has "notes.txt": expected a new or an empty folder\n',
    });
    expect(await weir(['plugin', 'new', 'file'], { cwd: folder.path })).toMatchObject({
      code: 1,
      stderr: 'weir: "file" is a file: expected a new folder\n',
    });
    expect(existsSync(join(path, 'assembly'))).toBe(false);
  });
});
