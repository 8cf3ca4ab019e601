import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Server } from '../../src/server/server.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { Cli, type Ended, weir } from './weir.js';

/** Outside of the project, as an author's folders are. */
let folder: ReturnType<typeof tempFolder>;
beforeAll(() => {
  folder = tempFolder();
});
afterAll(() => folder.remove());

const run = (...args: string[]): Promise<Ended> => weir(args, { cwd: folder.path });
const fileOf = (...path: string[]) => join(folder.path, ...path);

describe('an author', () => {
  test('makes a plugin, builds, tests, installs and attaches it, and it filters', { timeout: 60_000 }, async () => {
    const made = await run('plugin', 'new', 'door-filter');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const next = made.stdout.match(/(?<=^ {2}weir ).*/gm)!;
    expect(next).toEqual([
      'plugin build door-filter',
      'plugin test door-filter',
      'plugin install door-filter',
      "plugin attach door-filter 'your.subject.>'",
    ]);
    expect(readFileSync(fileOf('door-filter', 'README.md'), 'utf8')).toContain('# door-filter');

    const built = await run('plugin', 'build', 'door-filter');
    expect(built).toMatchObject({ code: 0, stderr: '' });
    expect(built.stdout).toMatch(/^built door-filter\/build\/door-filter\.wasm: \d+ bytes, accepted by the sandbox\n$/);
    const tested = await run('plugin', 'test', 'door-filter');
    expect(tested).toMatchObject({ code: 0, stderr: '' });
    expect(tested.stdout).toMatch(/^ok {4}first\.json: above the limit {2}\([\d,]+ fuel, \d+\.\d µs\)\n/);
    expect(tested.stdout).toMatch(/3 passed, 0 failed\n$/);

    const server = new Server();
    await server.start();
    const client = await connect({ servers: server.clientUrl });
    try {
      const at = ['-s', server.clientUrl];
      expect((await run('plugin', 'install', 'door-filter', ...at)).stdout).toMatch(/^installed door-filter version 1/);
      const config = ['--config', '{"limit": 20}'];
      const attached = await run('plugin', 'attach', 'door-filter', 'doors.>', ...config, ...at);
      expect(attached).toMatchObject({
        code: 0,
        stdout: 'attached door-filter version 1 to "doors.>" as door-filter\n',
      });
      const watching = new Cli(['sub', 'doors.*', '--raw', '--count', '2', ...at]);
      await watching.says('subscribed');
      for (const value of [19, 21, 20, 22]) await run('pub', 'doors.front', JSON.stringify({ value }), ...at);
      expect(await watching.ended).toMatchObject({ code: 0, stdout: '{"value":21}\n{"value":22}\n' });
      const refused = await run(
        'plugin',
        'attach',
        'door-filter',
        'x',
        '--name',
        'x',
        '--config',
        '{"limit":"y"}',
        ...at,
      );
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('"limit" is "y"; expected a number') });
      await until(() => server.host.attachments.get('x') === undefined, 'no second attachment');
    } finally {
      await client.close();
      await server.stop();
    }
  });

  test('works inside of the folder, and in JSON', { timeout: 60_000 }, async () => {
    const made = await run('plugin', 'new', 'inside', '--json');
    expect(JSON.parse(made.stdout)).toMatchObject({
      plugin: 'inside',
      files: expect.arrayContaining(['README.md', join('assembly', 'index.ts')]),
    });
    const cwd = fileOf('inside');
    const built = await weir(['plugin', 'build', '--json'], { cwd });
    const wasm = readFileSync(join(cwd, 'build', 'inside.wasm'));
    expect(JSON.parse(built.stdout)).toMatchObject({ plugin: 'inside', file: 'build/inside.wasm', bytes: wasm.length });
    const tested = JSON.parse((await weir(['plugin', 'test', '--json'], { cwd })).stdout);
    expect(tested).toMatchObject({ plugin: 'inside', passed: 3, failed: 0 });
    expect(tested.results).toHaveLength(3);
    expect(tested.results[0]).toMatchObject({ file: 'first.json', name: 'above the limit', difference: null });
  });

  test('is told where a mistake is', { timeout: 60_000 }, async () => {
    await run('plugin', 'new', 'wrong');
    const source = fileOf('wrong', 'assembly', 'index.ts');
    const right = readFileSync(source, 'utf8');
    writeFileSync(source, `${right}\nlet x: i32 = "text";\n`);
    const place = `assembly/index.ts:${right.split('\n').length + 1}:14`;
    const built = await run('plugin', 'build', 'wrong');
    expect(built).toMatchObject({ code: 1, stdout: '' });
    expect(built.stderr).toMatch(/^weir: cannot build "wrong": /);
    expect(built.stderr).toContain(place);
    expect(built.stderr).not.toMatch(/^ +at /m);
    writeFileSync(source, right);
    const cases = fileOf('wrong', 'tests', 'first.json');
    writeFileSync(cases, readFileSync(cases, 'utf8').replace('"verdict": "pass"', '"verdict": "drop"'));
    const tested = await run('plugin', 'test', 'wrong');
    expect(tested).toMatchObject({ code: 1, stderr: '' });
    expect(tested.stdout).toContain('expected the verdict drop, found pass');
    expect(tested.stdout).toMatch(/2 passed, 1 failed\n$/);
    writeFileSync(cases, '{"cases": [{"name": "n", "message": {}, "expect": {"verdikt": "pass"}}]}');
    const misspelt = await run('plugin', 'test', 'wrong');
    expect(misspelt).toMatchObject({ code: 1, stdout: '' });
    expect(misspelt.stderr).toMatch(
      /^weir: cannot use the cases of ".*first\.json": "cases\.0\.expect\.verdi\w+" is (missing|not known)\n$/,
    );
    writeFileSync(cases, '{');
    const broken = await run('plugin', 'test', 'wrong');
    expect(broken).toMatchObject({ code: 1, stdout: '' });
    expect(broken.stderr).toMatch(/^weir: cannot read the cases of ".*first\.json": .*\n$/);
  });
});
