import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Server } from '../../src/server/server.js';
import { until } from '../kit/wait.js';
import { rejectsAll, watPlugin } from './wat-plugin.js';
import { Cli, type CliOptions, weir } from './weir.js';

let server: Server;
let client: NatsConnection;
beforeEach(async () => {
  server = new Server();
  await server.start();
  client = await connect({ servers: server.clientUrl });
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

const run = (args: string[], options?: CliOptions) => weir([...args, '-s', server.clientUrl], options);

/** What arrives on a subject, as `payload` or `name: value | payload`. */
async function listen(subject: string): Promise<string[]> {
  const received: string[] = [];
  client.subscribe(subject, {
    callback: (_, message) => {
      const headers = message.headers?.keys().map((name) => `${name}: ${message.headers!.values(name)}`) ?? [];
      received.push([...headers, message.string()].join(' | '));
    },
  });
  await client.flush();
  return received;
}

describe('weir pub', () => {
  test('publishes its argument, with headers, as often as asked', async () => {
    const received = await listen('a.b');
    const done = await run(['pub', 'a.b', 'hello', '-H', 'Unit: C', '-H', 'Unit: F', '--count', '2']);
    expect(done).toMatchObject({ code: 0, stderr: '', stdout: 'published 2 messages, 10 bytes, to "a.b"\n' });
    await until(() => received.length === 2, 'two messages');
    expect(received).toEqual(['Unit: C,F | hello', 'Unit: C,F | hello']);
  });

  test('publishes stdin, whole or line by line', async () => {
    const received = await listen('a');
    expect(await run(['pub', 'a'], { input: 'one\ntwo\n' })).toMatchObject({ code: 0 });
    expect(await run(['pub', 'a', '--lines', '--json'], { input: 'one\ntwo\n' })).toMatchObject({
      code: 0,
      stdout: `${JSON.stringify({ subject: 'a', messages: 2, bytes: 6 }, null, 2)}\n`,
    });
    await until(() => received.length === 3, 'three messages');
    expect(received).toEqual(['one\ntwo\n', 'one', 'two']);
  });

  test('takes the server from NATS_URL', async () => {
    const received = await listen('a');
    expect(await weir(['pub', 'a', 'x'], { env: { NATS_URL: server.clientUrl } })).toMatchObject({ code: 0 });
    await until(() => received.length === 1, 'a message');
  });

  test('says that there is no server, in one line', async () => {
    const done = await weir(['pub', 'a', 'x', '-s', '127.0.0.1:1']);
    expect(done).toMatchObject({ code: 1, stdout: '' });
    expect(done.stderr).toMatch(/^weir: cannot connect to nats:\/\/127\.0\.0\.1:1: .*weir serve\)\n$/);
  });
});

describe('weir sub', () => {
  test('prints messages and ends after so many', async () => {
    const cli = new Cli(['sub', 'a.*', '--count', '2', '-s', server.clientUrl]);
    await cli.says('subscribed to "a.*"');
    client.publish('a.x', 'first');
    client.publish('a.y', 'second', { reply: 'back' });
    expect(await cli.ended).toMatchObject({
      code: 0,
      stdout: '[#1] a.x\nfirst\n\n[#2] a.y (reply to back)\nsecond\n\n',
    });
  });

  test('prints lines of JSON, bytes that are no text in base64', async () => {
    const cli = new Cli(['sub', 'a', '--count', '2', '--json', '-s', server.clientUrl]);
    await cli.says('subscribed');
    client.publish('a', 'é');
    client.publish('a', new Uint8Array([0xff, 0]));
    const lines = (await cli.ended).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { subject: 'a', data: 'é' },
      { subject: 'a', data_base64: '/wA=' },
    ]);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('ends with 0 at %s', async (signal) => {
    const cli = new Cli(['sub', 'a', '--raw', '-s', server.clientUrl]);
    await cli.says('subscribed');
    client.publish('a', 'x');
    await until(() => cli.stdout === 'x\n', 'the message');
    expect(await cli.signal(signal)).toMatchObject({ code: 0, signal: null, stderr: 'subscribed to "a"\n' });
  });

  test('survives an outage of the server, and says so', async () => {
    const port = Number(new URL(server.clientUrl).port);
    const cli = new Cli(['sub', 'a', '--raw', '--count', '1', '-s', server.clientUrl]);
    await cli.says('subscribed');
    await client.close();
    await server.stop();
    await cli.says(`lost 127.0.0.1:${port}; reconnecting`);
    server = new Server({ options: { port } });
    await server.start();
    await cli.says('reconnected');
    client = await connect({ servers: server.clientUrl });
    client.publish('a', 'x');
    expect(await cli.ended).toMatchObject({ code: 0, stdout: 'x\n' });
  });

  test('shares a queue group', async () => {
    const settings = ['sub', 'a', '--queue', 'workers', '--raw', '-s', server.clientUrl];
    const members = [new Cli(settings), new Cli(settings)];
    for (const member of members) await member.says('in queue group "workers"');
    for (let i = 0; i < 50; i++) client.publish('a', '.');
    await client.flush();
    await until(() => members[0]!.stdout.length + members[1]!.stdout.length === 100, 'all messages, once each');
    for (const member of members) await member.signal('SIGINT');
    expect(members[0]!.stdout.length + members[1]!.stdout.length).toBe(100);
  });
});

describe('weir req', () => {
  test('prints the reply', async () => {
    client.subscribe('double', {
      callback: (_, message) => void message.respond(String(Number(message.string()) * 2)),
    });
    await client.flush();
    expect(await run(['req', 'double', '21', '--raw'])).toMatchObject({ code: 0, stdout: '42\n', stderr: '' });
  });

  test('fails when nobody listens, and when nobody answers', async () => {
    expect(await run(['req', 'nobody', 'x'])).toMatchObject({
      code: 1,
      stderr: 'weir: no responders: nobody is subscribed to "nobody"\n',
    });
    await listen('silent');
    expect(await run(['req', 'silent', 'x', '--timeout', '50'])).toMatchObject({
      code: 1,
      stderr: 'weir: no reply on "silent" within 50 ms\n',
    });
  });

  test('fails when a plugin rejects the request', async () => {
    await server.host.install('no', await watPlugin(rejectsAll));
    server.host.attach({ name: 'no', plugin: 'no', subject: 'guarded' });
    const done = await run(['req', 'guarded', 'x']);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/^weir: "guarded" was rejected: 400.*\n$/);
  });
});
