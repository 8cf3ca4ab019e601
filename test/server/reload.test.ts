import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type Logger, silentLogger } from '../../src/base/logger.js';
import { loadOptions } from '../../src/config/load-options.js';
import { Server } from '../../src/server/server.js';
import { dropsAll, dropsEmpty, watPlugin } from '../cli/wat-plugin.js';
import { selfSigned } from '../kit/certificate.js';
import { addressOf, RawClient } from '../kit/raw-client.js';
import { tempFolder } from '../kit/temp-folder.js';

/** bcrypt of "pw". */
const HASH = '$2b$04$iSQtvGNzuKUR8pCT490wZ.7KxlR96DW5JhOvIT6vaW9VfnLTDPiEK';

let server: Server;
const lines: string[] = [];
const clients: RawClient[] = [];
const files: Record<string, string> = {};

function load(config: string) {
  return loadOptions({
    arguments: { values: { config: 'x.conf' }, words: [] },
    env: {},
    readFile: (path) => files[path] ?? `listen: "127.0.0.1:-1"\n${config}`,
  });
}

async function start(config: string): Promise<void> {
  lines.length = 0;
  const note = (text: string) => void lines.push(text);
  const logger: Logger = { ...silentLogger, info: note, warn: note, error: note };
  server = new Server({ options: await load(config), logger });
  await server.start();
}

async function reload(config: string): Promise<void> {
  lines.length = 0;
  await server.reload(await load(config));
}

async function client(fields: object = {}): Promise<RawClient> {
  const connected = await RawClient.connected(addressOf(server.clientUrl), fields);
  clients.push(connected);
  return connected;
}

afterEach(async () => {
  for (const connected of clients.splice(0)) await connected.close();
  await server.stop();
});

describe('users', () => {
  const users = (...list: string[]) => `authorization { users = [\n${list.join('\n')}\n] }`;

  it('that are gone are disconnected, with nats-server’s error; the others stay', async () => {
    await start(users('{ user: a, password: pw }', '{ user: b, password: pw }'));
    const [a, b] = [await client({ user: 'a', pass: 'pw' }), await client({ user: 'b', pass: 'pw' })];
    await reload(users('{ user: b, password: pw }', '{ user: c, password: pw }'));
    expect(await a.rest()).toBe("-ERR 'Authorization Violation'\r\n");
    await b.expectQuiet();
    await client({ user: 'c', pass: 'pw' });
    expect(lines).toContain('Reloaded: authorization users');
  });

  it('whose password changed are disconnected', async () => {
    await start(users('{ user: a, password: pw }'));
    const a = await client({ user: 'a', pass: 'pw' });
    await reload(users('{ user: a, password: other }'));
    expect(await a.rest()).toContain('Authorization Violation');
  });

  it('with hashed passwords stay without being asked again, and are asked when the hash changed', async () => {
    await start(users(`{ user: a, password: "${HASH}" }`));
    const a = await client({ user: 'a', pass: 'pw' });
    await reload(users(`{ user: a, password: "${HASH}", permissions { publish: x } }`));
    a.send('PUB y 0\r\n\r\n');
    expect(await a.line()).toBe(`-ERR 'Permissions Violation for Publish to "y"'`);
    await reload(users('{ user: a, password: "$2b$04$iSQtvGNzuKUR8pCT490wZ.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }'));
    expect(await a.rest()).toContain('Authorization Violation');
  });

  it('lose subscriptions that they may not have any more, and keep the others', async () => {
    await start(users('{ user: a, password: pw }', '{ user: b, password: pw }'));
    const [a, b] = [await client({ user: 'a', pass: 'pw' }), await client({ user: 'b', pass: 'pw' })];
    a.send('SUB secret.x 1\r\nSUB open.x 2\r\n');
    await a.expectQuiet();
    await reload(
      users('{ user: a, password: pw, permissions { subscribe { deny: "secret.>" } } }', '{ user: b, password: pw }'),
    );
    expect(await a.line()).toBe(`-ERR 'Permissions Violation for Subscription to "secret.x" (sid "1")'`);
    b.send('PUB secret.x 1\r\nx\r\nPUB open.x 1\r\ny\r\n');
    await b.expectQuiet();
    await a.expect('MSG open.x 2 1\r\ny\r\n');
  });

  it('that there were none of: who did not say who it is has to go', async () => {
    await start('');
    const anybody = await client();
    const silent = await RawClient.open(addressOf(server.clientUrl));
    clients.push(silent);
    await silent.line();
    await reload('authorization { token: t }');
    expect(await anybody.rest()).toContain('Authorization Violation');
    expect(await silent.rest()).toContain('Authorization Violation');
    await client({ auth_token: 't' });
  });

  it('that there are none of any more: everybody stays and may come', async () => {
    await start('authorization { token: t }');
    const known = await client({ auth_token: 't' });
    await reload('');
    await known.expectQuiet();
    await client();
  });
});

describe('limits', () => {
  it('max_payload: clients are told, and held to it', async () => {
    await start('max_payload: 100');
    const one = await client({ protocol: 1 });
    expect(await one.line()).toMatch(/"connect_info":true/);
    await reload('max_payload: 10');
    expect(JSON.parse((await one.line()).slice(5)).max_payload).toBe(10);
    one.send(`PUB a 11\r\n${'x'.repeat(11)}\r\n`);
    expect(await one.rest()).toBe("-ERR 'Maximum Payload Violation'\r\n");
    expect(lines).toContain('Reloaded: max_payload = 10');
  });

  it('max_connections: the newest ones too many are closed', async () => {
    await start('');
    const three = [await client(), await client(), await client()];
    await reload('max_connections: 1');
    await three[0].expectQuiet();
    for (const surplus of three.slice(1)) expect(await surplus.rest()).toBe("-ERR 'maximum connections exceeded'\r\n");
    expect(lines).toEqual(['Closed 2 connections to fall within max_connections', 'Reloaded: max_connections = 1']);
  });

  it('max_subscriptions, max_control_line and lame duck times', async () => {
    await start('');
    const one = await client();
    await reload('max_subs: 1\nmax_control_line: 64\nlame_duck_duration: "31s"');
    one.send('SUB a 1\r\nSUB b 2\r\n');
    expect(await one.line()).toBe("-ERR 'maximum subscriptions exceeded'");
    one.send(`SUB ${'x'.repeat(80)} 3\r\n`);
    expect(await one.rest()).toBe("-ERR 'maximum control line exceeded'\r\n");
    expect(server.options.lameDuckDurationMs).toBe(31_000);
  });

  it('client_advertise: clients are told', async () => {
    await start('');
    const one = await client({ protocol: 1 });
    await one.line();
    await reload('client_advertise: "pub.example:4333"');
    const info = JSON.parse((await one.line()).slice(5));
    expect(info).toMatchObject({ host: 'pub.example', port: 4333 });
  });
});

describe('what needs a restart', () => {
  it('is refused, and nothing of the rest happens', async () => {
    await start('authorization { token: t }\nmax_payload: 100');
    const one = await client({ auth_token: 't' });
    const next = load('authorization { token: other }\nmax_payload: 10\nserver_name: n');
    await expect(next.then((options) => server.reload(options))).rejects.toThrow(
      'config reload not supported for ServerName: old=, new=n',
    );
    await one.expectQuiet();
    await client({ auth_token: 't' });
    expect(server.door.limits.payloadBytesMax).toBe(100);
  });
});

describe('plugins', () => {
  const folder = tempFolder();
  const wasm = join(folder.path, 'p.wasm');
  const bad = join(folder.path, 'bad.wasm');
  beforeEach(async () => {
    writeFileSync(wasm, await watPlugin(dropsEmpty));
    writeFileSync(bad, 'not a module');
  });
  const config = (...attachments: string[]) =>
    `plugins { modules { p: ${wasm} }\nattachments {\n${attachments.join('\n')}\n} }`;
  const attached = () => server.host.attachments.all().map(({ name, declaration }) => `${name} ${declaration.subject}`);

  it('come, change and go; one that stays as it was keeps its counters', async () => {
    await start(config('one { plugin: p, subject: "a.>" }', 'two { plugin: p, subject: "b.>" }'));
    const one = server.host.attachments.get('one');
    await reload(config('one { plugin: p, subject: "a.>" }', 'three { plugin: p, subject: "c.>" }'));
    expect(attached()).toEqual(['one a.>', 'three c.>']);
    expect(server.host.attachments.get('one')).toBe(one);
    await reload(config('one { plugin: p, subject: "d.>" }'));
    expect(attached()).toEqual(['one d.>']);
    await reload('');
    expect(attached()).toEqual([]);
    expect(server.host.registry.names()).toEqual([]);
  });

  it('of the same name with other bytes are taken', async () => {
    await start(config('one { plugin: p, subject: "a.>" }'));
    writeFileSync(wasm, await watPlugin(dropsAll));
    await reload(config('one { plugin: p, subject: "a.>" }'));
    expect(server.host.attachments.get('one')?.version.number).toBe(2);
  });

  it('that cannot run refuse the reload, and those that run go on', async () => {
    await start(config('one { plugin: p, subject: "a.>" }'));
    const one = server.host.attachments.get('one');
    const refused = [
      `plugins { modules { p: ${wasm}, q: ${bad} }\nattachments { one { plugin: p, subject: "z.>" } } }`,
      config('one { plugin: p, subject: "z.>" }', 'two { plugin: nope, subject: "b.>" }'),
      `plugins { modules { p: ${join(folder.path, 'gone.wasm')} } }`,
    ];
    for (const text of refused) {
      await expect(reload(text)).rejects.toThrow(/plugin "(?:q|nope|p)"/);
      expect(attached()).toEqual(['one a.>']);
      expect(server.host.attachments.get('one')).toBe(one);
    }
  });

  it('that cannot run refuse the start: no message passes by a plugin that is declared', async () => {
    await start('');
    const other = new Server({ options: await load(config('one { plugin: nope, subject: "a.>" }')) });
    await expect(other.start()).rejects.toThrow('attachment "one": there is no plugin "nope"');
  });
});

describe('websocket', () => {
  it('takes another certificate for connections from now on', async () => {
    const [first, second] = [selfSigned('one'), selfSigned('two')];
    const config = 'websocket { listen: "127.0.0.1:-1", tls { cert_file: c.pem, key_file: k.pem } }';
    Object.assign(files, { 'c.pem': first.cert, 'k.pem': first.key });
    await start(config);
    const trusts = (ca: string) =>
      new Promise<boolean>((resolve) => {
        const socket = new WebSocket(server.urls.websocket![0], { ca });
        socket.on('error', () => resolve(false));
        socket.on('open', () => {
          socket.terminate();
          resolve(true);
        });
      });
    expect([await trusts(first.cert), await trusts(second.cert)]).toEqual([true, false]);
    Object.assign(files, { 'c.pem': second.cert, 'k.pem': second.key });
    await reload(config);
    expect([await trusts(first.cert), await trusts(second.cert)]).toEqual([false, true]);
    files['c.pem'] = 'no certificate';
    await expect(reload(config)).rejects.toThrow(/error parsing X509/);
    expect(await trusts(second.cert)).toBe(true);
  });
});
