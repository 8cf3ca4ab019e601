// The `nats` command's streams, consumers, buckets and backups, where that command is installed.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { absent, findPeer } from '../kit/peers.js';
import { type RunningServer, startProgram, startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

const nats = findPeer('nats');
const natsServer = findPeer('nats-server');

describe.skipIf(nats === null)(nats === null ? absent('nats') : 'the nats command and streams', () => {
  const folder = tempFolder();
  const servers: RunningServer[] = [];

  beforeAll(async () => {
    servers.push(await startWeir(config('weir')));
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    folder.remove();
  });

  const config = (name: string) => `jetstream { store_dir: ${JSON.stringify(join(folder.path, name))} }\n`;

  async function runOn(server: RunningServer, args: string[]): Promise<string> {
    const env = { PATH: process.env.PATH, HOME: folder.path, XDG_CONFIG_HOME: folder.path, NO_COLOR: '1' };
    const child = spawn(nats!, ['--server', server.url, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`nats ${args.join(' ')} ended with ${code}: ${output}`);
    return output;
  }
  const run = (...args: string[]) => runOn(servers[0], args);

  it('streams and consumers', async () => {
    expect(await run('stream', 'add', 'ORDERS', '--subjects', 'orders.>', '--defaults')).toContain('was created');
    await run('pub', 'orders.1', 'hello', '--count', '3');
    expect(await run('stream', 'ls', '-n')).toBe('ORDERS\n');
    expect(await run('stream', 'subjects', 'ORDERS')).toContain('orders.1');
    expect(await run('stream', 'get', 'ORDERS', '2')).toContain('hello');
    expect(await run('stream', 'edit', 'ORDERS', '--max-msgs', '10', '-f')).toContain('Maximum Messages: 10');
    await run('consumer', 'add', 'ORDERS', 'C', '--pull', '--defaults');
    expect(await run('consumer', 'next', 'ORDERS', 'C', '--count', '2')).toContain('pending: 1');
    expect(await run('consumer', 'info', 'ORDERS', 'C')).toContain('Unprocessed Messages: 1');
    expect(await run('consumer', 'report', 'ORDERS')).toContain('C');
    await run('stream', 'rmm', 'ORDERS', '1', '-f');
    expect(await run('stream', 'purge', 'ORDERS', '-f')).toContain('Messages: 0');
    expect(await run('account', 'info')).toContain('Streams: 1');
    await run('consumer', 'rm', 'ORDERS', 'C', '-f');
    await run('stream', 'rm', 'ORDERS', '-f');
  });

  it('KV and objects', async () => {
    await run('kv', 'add', 'BUCKET', '--history', '3');
    await run('kv', 'put', 'BUCKET', 'key', 'value');
    expect(await run('kv', 'get', 'BUCKET', 'key', '--raw')).toBe('value');
    await run('kv', 'update', 'BUCKET', 'key', 'other', '1');
    await expect(run('kv', 'update', 'BUCKET', 'key', 'third', '1')).rejects.toThrow('wrong last sequence');
    expect(await run('kv', 'ls', 'BUCKET')).toBe('key\n');
    expect(await run('kv', 'history', 'BUCKET', 'key')).toContain('other');
    await run('kv', 'del', 'BUCKET', 'key', '-f');
    await run('object', 'add', 'FILES');
    await run('object', 'put', 'FILES', import.meta.filename, '--name', 'me', '--no-progress', '-f');
    expect(await run('object', 'ls', 'FILES')).toContain('me');
    const copy = join(folder.path, 'copy');
    await run('object', 'get', 'FILES', 'me', '-O', copy, '--no-progress', '-f');
  });

  it('bench', async () => {
    const args = ['--stream', 'BENCH', '--size', '64', '--msgs', '500', '--no-progress'];
    for (const way of ['sync', 'async', 'batch'])
      expect(await run('bench', 'js', 'pub', way, 'bench', ...args, '--create', '--purge')).toContain('msgs/sec');
    expect(await run('bench', 'js', 'ordered', '--stream', 'BENCH', '--msgs', '500', '--no-progress')).toContain(
      'msgs/sec',
    );
    expect(await run('bench', 'js', 'consume', '--stream', 'BENCH', '--msgs', '500', '--no-progress')).toContain(
      'msgs/sec',
    );
  });

  it('a backup, restored here and by nats-server, and back', async () => {
    await run('stream', 'add', 'B', '--subjects', 'b.>', '--defaults');
    await run('consumer', 'add', 'B', 'C', '--pull', '--defaults');
    await run('pub', 'b.1', 'hello', '--count', '500', '-H', 'A:B');
    await run('consumer', 'next', 'B', 'C', '--count', '3');
    await run('stream', 'rmm', 'B', '7', '-f');
    const state = async (server: RunningServer) =>
      ['Messages', 'First Sequence', 'Last Sequence', 'Deleted'].map(
        (line) => new RegExp(`${line}.*`).exec(stateOf.get(server)!)?.[0],
      );
    const stateOf = new Map<RunningServer, string>();
    const restored = async (server: RunningServer, from: string) => {
      await runOn(server, ['stream', 'restore', join(folder.path, from), '--no-progress']);
      stateOf.set(server, await runOn(server, ['stream', 'info', 'B']));
      expect(await runOn(server, ['consumer', 'info', 'B', 'C'])).toContain('Unprocessed Messages: 496');
      return state(server);
    };
    stateOf.set(servers[0], await run('stream', 'info', 'B'));
    const before = await state(servers[0]);
    await run('stream', 'backup', 'B', join(folder.path, 'first'), '--no-progress');
    await run('stream', 'rm', 'B', '-f');
    expect(await restored(servers[0], 'first')).toEqual(before);
    expect(await run('consumer', 'next', 'B', 'C')).toContain('str seq: 4');
    if (natsServer === null) return;
    servers.push(await startProgram(natsServer, config('nats')));
    expect(await restored(servers[1], 'first')).toEqual(before);
    await runOn(servers[1], ['stream', 'backup', 'B', join(folder.path, 'second'), '--no-progress']);
    await run('stream', 'rm', 'B', '-f');
    expect(await restored(servers[0], 'second')).toEqual(before);
  });
});
