import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import wabtModule from 'wabt';
import { Server } from '../../src/server/server.js';

const CONTRACT = `
  (memory (export "memory") 4)
  (data (i32.const 16) "\\00\\01\\00\\00\\00\\00\\01\\00\\00\\01\\01\\00\\00\\00\\01\\00")
  (func (export "weir_abi") (result i32) i32.const 1)
  (func (export "weir_open") (param i32 i32) (result i32) i32.const 16)`;

/** A plugin whose `weir_message` has the given body; parameter 6 is the payload's address, 7 its length. */
async function pluginOf(body: string): Promise<Uint8Array> {
  const wabt = await wabtModule();
  const parameters = '(param i32 i32 i32 i32 i32 i32 i32 i32 f64 i32)';
  const text = `(module ${CONTRACT} (func (export "weir_message") ${parameters} (result i32) ${body}))`;
  return wabt.parseWat('plugin.wat', text).toBinary({}).buffer;
}

describe('a server with real clients', () => {
  let server: Server;
  beforeEach(async () => {
    server = new Server();
    await server.start();
  });
  afterEach(() => server.stop());

  it('delivers to plain, wildcard and queue subscribers', async () => {
    const client = await connect({ servers: server.clientUrl });
    const received: string[] = [];
    const note = (name: string) => (_: unknown, message: { string(): string }) =>
      void received.push(`${name}:${message.string()}`);
    client.subscribe('a.b', { callback: note('plain') });
    client.subscribe('a.*', { callback: note('star') });
    client.subscribe('>', { queue: 'q', callback: note('queue') });
    client.subscribe('a.>', { queue: 'q', callback: note('queue') });
    await client.flush();
    client.publish('a.b', 'x');
    await client.flush();
    expect(received.sort()).toEqual(['plain:x', 'queue:x', 'star:x']);
    await client.close();
  });

  it('answers requests, and says when nobody listens', async () => {
    const client = await connect({ servers: server.clientUrl });
    client.subscribe('double', {
      callback: (_, message) => void message.respond(String(Number(message.string()) * 2)),
    });
    expect((await client.request('double', '21')).string()).toBe('42');
    await expect(client.request('nobody', '')).rejects.toThrow(/no responders/i);
    await client.close();
  });

  it('carries payloads of a megabyte whole', async () => {
    const client = await connect({ servers: server.clientUrl });
    const payload = new Uint8Array(1024 * 1024).map((_, i) => i * 31);
    const arrived = new Promise<Uint8Array>((resolve) => {
      client.subscribe('big', { callback: (_, message) => resolve(message.data) });
    });
    client.publish('big', payload);
    expect(Buffer.from(await arrived).equals(Buffer.from(payload))).toBe(true);
    await client.close();
  });

  it('installs a plugin by request and runs it before fan-out', async () => {
    const client = await connect({ servers: server.clientUrl });
    // Drops messages whose payload begins with "0".
    const wasm = await pluginOf('(i32.eq (i32.load8_u (local.get 6)) (i32.const 48))');
    const installed = (await client.request('$WEIR.API.PLUGIN.INSTALL.nonzero', wasm)).json<{ version: number }>();
    expect(installed.version).toBe(1);
    const definition = JSON.stringify({ plugin: 'nonzero', subject: 'sensors.>' });
    const attached = (await client.request('$WEIR.API.ATTACHMENT.CREATE.keep', definition)).json<{ error?: object }>();
    expect(attached.error).toBeUndefined();
    const received: string[] = [];
    client.subscribe('sensors.*', { callback: (_, message) => void received.push(message.string()) });
    for (const payload of ['1', '0', '2']) client.publish('sensors.a', payload);
    await client.flush();
    expect(received).toEqual(['1', '2']);
    await client.close();
  });

  it('contains a plugin that never ends, tells the requester, keeps the message, and serves others', async () => {
    const client = await connect({ servers: server.clientUrl });
    await server.host.install('endless', await pluginOf('(loop (br 0)) i32.const 0'));
    server.host.attach({ name: 'stuck', plugin: 'endless', subject: 'bad.>' });
    const dead: string[] = [];
    client.subscribe('$WEIR.DEAD.stuck', {
      callback: (_, message) => void dead.push(message.headers?.get('Weir-Cause') ?? ''),
    });
    client.publish('bad.one', 'x');
    const answer = await client.request('bad.two', 'y');
    expect(answer.headers?.code).toBe(500);
    client.subscribe('good', { callback: (_, message) => void message.respond('still here') });
    expect((await client.request('good')).string()).toBe('still here');
    expect(dead).toEqual(['fuel']);
    await client.close();
  });

  it('refuses what is not a module with a text that says why', async () => {
    const client = await connect({ servers: server.clientUrl });
    const answer = (await client.request('$WEIR.API.PLUGIN.INSTALL.x', 'hello')).json<{
      error: { err_code: number; description: string };
    }>();
    expect(answer.error.err_code).toBe(20010);
    expect(answer.error.description).toContain('does not begin with');
    await client.close();
  });
});

describe('users and permissions', () => {
  it('lets in who may come in, and refuses what they may not do', async () => {
    const users = [
      {
        name: 'sensor',
        password: 'p',
        permissions: { publish: { allow: ['out.>'] }, subscribe: { deny: ['secret.>'] } },
      },
    ];
    const server = new Server({ options: { authorization: { users } } });
    await server.start();
    await expect(connect({ servers: server.clientUrl, user: 'sensor', pass: 'no', reconnect: false })).rejects.toThrow(
      /authorization/i,
    );
    const client = await connect({ servers: server.clientUrl, user: 'sensor', pass: 'p' });
    const subscription = client.subscribe('secret.x');
    await expect(subscription.closed.then((error) => String(error))).resolves.toMatch(/permission/i);
    const seen: string[] = [];
    client.subscribe('>', { callback: (_, message) => void seen.push(message.subject) });
    client.publish('other', '');
    client.publish('out.a', '');
    await client.flush();
    expect(seen).toEqual(['out.a']);
    await client.close();
    await server.stop();
  });
});
