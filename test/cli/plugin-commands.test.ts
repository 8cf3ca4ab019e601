import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Server } from '../../src/server/server.js';
import { tempFolder } from '../kit/temp-folder.js';
import { dropsAll, dropsEmpty, rejectsAll, watPlugin } from './wat-plugin.js';
import { type Ended, weir } from './weir.js';

let server: Server;
let client: NatsConnection;
let folder: ReturnType<typeof tempFolder>;
beforeEach(async () => {
  folder = tempFolder();
  server = new Server();
  await server.start();
  client = await connect({ servers: server.clientUrl });
  writeFileSync(join(folder.path, 'filter.wasm'), await watPlugin(dropsEmpty));
  writeFileSync(join(folder.path, 'broken.wasm'), 'no module');
});
afterEach(async () => {
  await client.close();
  await server.stop();
  folder.remove();
});

const run = (...args: string[]): Promise<Ended> => weir([...args, '-s', server.clientUrl], { cwd: folder.path });

async function runJson(...args: string[]) {
  const done = await run(...args, '--json');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(done.stdout);
}

/** A command that fails in one line, for the world's reasons. */
async function refusalOf(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^weir: .*\n$/);
  return stderr.slice('weir: '.length).trim();
}

describe('weir plugin', { timeout: 60_000 }, () => {
  test('installs, attaches, lists, shows, detaches and removes', async () => {
    expect((await run('plugin', 'install', 'filter.wasm')).stdout).toMatch(
      /^installed filter version 1 \(\d+ bytes, sha256 [0-9a-f]{64}\)\n$/,
    );
    expect((await run('plugin', 'attach', 'filter', 'a.>', '--name', 'full')).stdout).toBe(
      'attached filter version 1 to "a.>" as full\n',
    );
    const received: string[] = [];
    client.subscribe('a.*', { callback: (_, message) => void received.push(message.string()) });
    client.publish('a.b', '');
    client.publish('a.b', 'kept');
    await client.flush();
    expect(received).toEqual(['kept']);
    const lines = (await run('plugin', 'ls')).stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(lines[1]!.slice(0, 2)).toEqual(['filter', '1']);
    expect(lines[4]!.slice(0, 10)).toEqual([
      'full',
      'filter@1',
      'a.>',
      'transform 0',
      'active',
      '2',
      '1',
      '0',
      '0',
      '0',
    ]);
    const shown = await runJson('plugin', 'info', 'filter');
    expect(shown.attachments[0]).toMatchObject({ name: 'full', definition: { plugin: 'filter', subject: 'a.>' } });
    expect(await refusalOf('plugin', 'rm', 'filter')).toMatch(/is used by attachment "full"/);
    expect((await run('plugin', 'detach', 'full')).stdout).toBe('detached full\n');
    client.publish('a.b', '');
    await client.flush();
    expect(received).toEqual(['kept', '']);
    expect((await run('plugin', 'rm', 'filter')).stdout).toBe('removed filter\n');
    expect(await runJson('plugin', 'ls')).toEqual({ plugins: [], attachments: [] });
    expect((await run('plugin', 'ls')).stdout).toBe('no plugins installed\n\nno attachments\n');
  });

  test('the same bytes are the same version, other bytes the next', async () => {
    expect(await runJson('plugin', 'install', 'filter.wasm', '--name', 'p')).toMatchObject({ plugin: 'p', version: 1 });
    expect(await runJson('plugin', 'install', 'filter.wasm', '--name', 'p')).toMatchObject({ version: 1 });
    writeFileSync(join(folder.path, 'filter.wasm'), await watPlugin(dropsAll));
    expect(await runJson('plugin', 'install', 'filter.wasm', '--name', 'p')).toMatchObject({ version: 2 });
    expect(await runJson('plugin', 'attach', 'p@1', 'x')).toMatchObject({ plugin: 'p', version: 1, subject: 'x' });
  });

  test('an attachment takes every option', async () => {
    await run('plugin', 'install', 'filter.wasm');
    writeFileSync(join(folder.path, 'config.json'), '{"above": 3}');
    const options = ['--phase', 'enrich', '--order', '2.5', '--config', '@config.json', '--fuel', '5000'];
    const grants = ['--grant-emit', 'b', '--grant-emit', 'c.>', '--grant-log', '--grant-metric', '--output', '100'];
    const faults = ['--memory', '1048576', '--on-fault', 'drop', '--on-fault', 'fuel=pass'];
    await runJson('plugin', 'attach', 'filter', 'a', '--name', 'n', ...options, ...grants, ...faults);
    expect((await runJson('plugin', 'info', 'n')).attachments[0].definition).toEqual({
      name: 'n',
      plugin: 'filter',
      subject: 'a',
      phase: 'enrich',
      order: 2.5,
      config: { above: 3 },
      budget: { fuel_per_message: 5000, memory_bytes: 1048576, output_bytes: 100 },
      grants: { emit: ['b', 'c.>'], log: true, metric: true },
      failure: { default: 'drop', fuel: 'pass' },
    });
  });

  test('another definition of the same name needs --replace', async () => {
    await run('plugin', 'install', 'filter.wasm');
    await run('plugin', 'attach', 'filter', 'a');
    expect((await run('plugin', 'attach', 'filter', 'a')).code).toBe(0);
    expect(await refusalOf('plugin', 'attach', 'filter', 'b')).toMatch(/add --replace to change it$/);
    expect((await run('plugin', 'attach', 'filter', 'b', '--replace')).code).toBe(0);
    expect((await runJson('plugin', 'ls')).attachments).toMatchObject([{ name: 'filter', subject: 'b' }]);
  });

  test('refusals say what is wrong', async () => {
    expect(await refusalOf('plugin', 'install', 'broken.wasm')).toMatch(/^cannot install "broken.wasm": .*malformed/);
    expect(await refusalOf('plugin', 'install', 'absent.wasm')).toMatch(
      /^no module "absent.wasm": expected a .wasm file/,
    );
    expect(await refusalOf('plugin', 'install', '.')).toMatch(/is not built.*weir plugin build \./);
    expect(await refusalOf('plugin', 'attach', 'absent', 'a')).toBe('there is no plugin "absent"');
    expect(await refusalOf('plugin', 'detach', 'absent')).toBe('there is no attachment "absent"');
    expect(await refusalOf('plugin', 'rm', 'absent')).toBe('there is no plugin "absent"');
    expect(await refusalOf('plugin', 'info', 'absent')).toMatch(/^there is no plugin and no attachment "absent"/);
    await run('plugin', 'install', 'filter.wasm');
    expect(await refusalOf('plugin', 'attach', 'filter@7', 'a')).toMatch(/has no version 7/);
    expect(await refusalOf('plugin', 'attach', 'filter', 'a..b')).toMatch(/"a\.\.b" is not a valid subject filter/);
    expect(await refusalOf('plugin', 'attach', 'filter', 'a', '--fuel', '1')).toMatch(/budget\.fuel_per_message/);
    const guard = ['plugin', 'attach', 'filter', 'a', '--phase', 'validate', '--on-fault', 'pass'];
    expect(await refusalOf(...guard)).toMatch(/add --force/);
    expect((await run(...guard, '--force')).code).toBe(0);
  });

  test('a publish that a plugin rejects fails', async () => {
    await server.host.install('no', await watPlugin(rejectsAll));
    server.host.attach({ name: 'no', plugin: 'no', subject: 'guarded' });
    expect(await refusalOf('pub', 'guarded', 'x')).toMatch(/rejected/);
  });
});
