import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect, type NatsConnection, wsconnect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import type { Logger } from '../../src/base/logger.js';
import { silentLogger } from '../../src/base/logger.js';
import { loadOptions } from '../../src/config/load-options.js';
import { Server } from '../../src/server/server.js';
import { selfSigned } from '../kit/certificate.js';
import { until } from '../kit/wait.js';

let server: Server;
const lines: string[] = [];
const closing: (() => unknown)[] = [];

/** Starts a server whose `websocket` block has these lines, beside other lines of the file. */
async function start(block: string, rest = '', files: Record<string, string> = {}): Promise<string> {
  const config = `port: -1\nhost: 127.0.0.1\nwebsocket {\nlisten: "127.0.0.1:-1"\n${block}\n}\n${rest}`;
  const options = await loadOptions({
    arguments: { values: { config: 'x.conf' }, words: [] },
    env: {},
    readFile: (path) => files[path] ?? config,
  });
  lines.length = 0;
  const note = (text: string) => void lines.push(text);
  const logger: Logger = { ...silentLogger, info: note, warn: note, error: note };
  server = new Server({ options, logger });
  await server.start();
  closing.push(() => server.stop());
  return server.urls.websocket![0];
}

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A client of the official library, by WebSocket. */
async function client(
  url: string,
  more: Partial<ConnectionOptions> = {},
  socket: ClientOptions = {},
): Promise<NatsConnection> {
  const connection = await wsconnect({
    servers: url,
    reconnect: false,
    ...more,
    wsFactory: (address: string) =>
      Promise.resolve({
        socket: new WebSocket(address, socket) as unknown as globalThis.WebSocket,
        encrypted: address.startsWith('wss:'),
      }),
  } as ConnectionOptions);
  closing.push(() => connection.close());
  return connection;
}

async function tcpClient(more: Partial<ConnectionOptions> = {}): Promise<NatsConnection> {
  const connection = await connect({ servers: server.clientUrl, reconnect: false, ...more });
  closing.push(() => connection.close());
  return connection;
}

/** What the server answers to an upgrade that it refuses: status and text. */
function refusal(url: string, socket: ClientOptions = {}): Promise<{ status: number; text: string }> {
  const asked = new WebSocket(url, socket);
  return new Promise((resolve, reject) => {
    asked.on('open', () => reject(new Error('the upgrade was accepted')));
    asked.on('error', () => {});
    asked.on('unexpected-response', (_, response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
  });
}

describe('clients by WebSocket', () => {
  for (const compression of [false, true]) {
    it(`exchange messages with clients by TCP ${compression ? 'with' : 'without'} compression`, async () => {
      const url = await start(`no_tls: true\ncompression: ${compression}`);
      const [one, other] = [await client(url), await tcpClient()];
      const seen: string[] = [];
      one.subscribe('a.>', { callback: (_, message) => void seen.push(`one:${message.subject}:${message.string()}`) });
      other.subscribe('a.>', {
        callback: (_, message) => void seen.push(`other:${message.subject}:${message.string()}`),
      });
      await Promise.all([one.flush(), other.flush()]);
      const long = 'x'.repeat(5000);
      one.publish('a.short', 's');
      one.publish('a.long', long);
      await one.flush();
      other.publish('a.back', long);
      await other.flush();
      await until(() => seen.length === 6, 'six messages');
      expect(seen.filter((text) => text.startsWith('one:'))).toEqual([
        'one:a.short:s',
        `one:a.long:${long}`,
        `one:a.back:${long}`,
      ]);
      await expect(one.request('nobody', '')).rejects.toThrow(/no responders/i);
      other.subscribe('double', {
        callback: (_, message) => void message.respond(`${message.string()}${message.string()}`),
      });
      await other.flush();
      expect((await one.request('double', 'ab')).string()).toBe('abab');
    });

    it(`carry a megabyte whole ${compression ? 'with' : 'without'} compression`, async () => {
      const url = await start(`no_tls: true\ncompression: ${compression}`);
      const connection = await client(url);
      const payload = Buffer.alloc(1024 * 1024, 'all work and no play makes a dull test\n');
      const arrived = new Promise<Uint8Array>((resolve) => {
        connection.subscribe('big', { callback: (_, message) => resolve(message.data) });
      });
      connection.publish('big', payload);
      expect(Buffer.from(await arrived).equals(payload)).toBe(true);
    });
  }

  it('agree on compression when both want it, without memory between messages', async () => {
    const extensions = async (url: string) => {
      const socket = new WebSocket(url);
      closing.push(() => socket.terminate());
      await once(socket, 'open');
      return socket.extensions;
    };
    expect(await extensions(await start('no_tls: true'))).toBe('');
    const agreed = await extensions(await start('no_tls: true\ncompression: true'));
    expect(agreed).toBe('permessage-deflate');
  });

  it('learn the address of their port, and nothing about TLS that is not there', async () => {
    const url = await start('no_tls: true');
    const { port, tls_required, client_ip } = (await client(url)).info as unknown as Record<string, unknown>;
    expect(String(port)).toBe(new URL(url).port);
    expect(tls_required).toBeUndefined();
    expect(client_ip).toBe('127.0.0.1');
  });

  it('are told of the advertised address', async () => {
    const url = await start('no_tls: true\nadvertise: "ws.example:443"');
    expect((await client(url)).info?.connect_urls).toEqual(['ws.example:443']);
  });

  it('are closed by lame duck mode like all others', async () => {
    const url = await start('no_tls: true', 'lame_duck_grace_period: "10ms"');
    const connection = await client(url);
    const events: string[] = [];
    void (async () => {
      for await (const status of connection.status()) events.push(status.type);
    })();
    await connection.flush();
    await server.lameDuck();
    await connection.closed();
    expect(events).toContain('ldm');
  });

  it('are shown by their kind and by the address that a proxy names', async () => {
    const url = await start('no_tls: true');
    await client(url, { name: 'browser' }, { headers: { 'X-Forwarded-For': '203.0.113.7' } });
    const [session] = [...server.door.sessions.values()];
    expect(session.transport.kind).toBe('websocket');
    expect(session.remoteHost).toBe('203.0.113.7');
    await client(url, {}, { headers: { 'X-Forwarded-For': 'not an address' } });
    expect([...server.door.sessions.values()][1].remoteHost).toBe('127.0.0.1');
  });
});

describe('TLS', () => {
  const { cert, key } = selfSigned('weir.test');
  const block = 'tls { cert_file: cert.pem, key_file: key.pem }';

  it('carries clients, and INFO says so', async () => {
    const url = await start(block, 'http: "127.0.0.1:-1"', { 'cert.pem': cert, 'key.pem': key });
    expect(url).toMatch(/^wss:/);
    expect(lines.some((line) => line.startsWith('Listening for websocket clients on wss://127.0.0.1:'))).toBe(true);
    const connection = await client(url, {}, { ca: cert });
    expect(connection.info?.tls_required).toBe(true);
    expect((await connection.rtt()) >= 0).toBe(true);
    expect(server.door.sessions.values().next().value?.transport.secure).toBe(true);
    const connz = await fetch(`${server.urls.monitoring![0]}/connz`).then((answer) => answer.json());
    expect(connz).toMatchObject({
      connections: [{ type: 'websocket', tls_version: '1.3', tls_cipher_suite: expect.stringMatching(/^TLS_/) }],
    });
  });

  it('refuses who does not trust it, and goes on', async () => {
    const url = await start(block, '', { 'cert.pem': cert, 'key.pem': key });
    await expect(client(url)).rejects.toThrow();
    await until(() => lines.some((line) => line.includes('TLS handshake error')), 'a line about the handshake');
    await client(url, {}, { ca: cert });
  });

  it('asks for certificates of clients', async () => {
    const own = selfSigned('client');
    const files = { 'cert.pem': cert, 'key.pem': key, 'ca.pem': own.cert };
    const url = await start('tls { cert_file: cert.pem, key_file: key.pem, ca_file: ca.pem, verify: true }', '', files);
    await expect(client(url, {}, { ca: cert })).rejects.toThrow();
    await client(url, {}, { ca: cert, cert: own.cert, key: own.key });
  });

  it('a certificate that is none is told at the start', async () => {
    await expect(start(block, '', { 'cert.pem': 'x', 'key.pem': 'y' })).rejects.toThrow(/error parsing X509/);
  });
});

describe('who may come in', () => {
  const users =
    'authorization { users = [{ user: alice, password: pw, permissions { publish: "ok.>" } }, { user: bob, password: "" }] }';

  it('is the same as by TCP', async () => {
    const url = await start('no_tls: true', users);
    await expect(client(url)).rejects.toThrow(/authorization/i);
    await client(url, { user: 'alice', pass: 'pw' });
  });

  it('may be told by cookies', async () => {
    const url = await start('no_tls: true\nuser_cookie: who\npass_cookie: "how"', users);
    const cookie = (text: string) => ({ headers: { Cookie: text } });
    await expect(client(url, {}, cookie('who=alice; how=wrong'))).rejects.toThrow(/authorization/i);
    const connection = await client(url, {}, cookie('other=1; who=alice; how="pw"'));
    expect([...server.door.sessions.values()].map((session) => session.identity?.userName)).toEqual(['alice']);
    await expect(connection.request('no.way', '')).rejects.toThrow(/permission/i);
    // What CONNECT says comes first.
    await expect(client(url, { user: 'bob', pass: 'x' }, cookie('who=alice; how=pw'))).rejects.toThrow(
      /authorization/i,
    );
  });

  it('may be told by a token in a cookie', async () => {
    const url = await start('no_tls: true\ntoken_cookie: t', 'authorization { token: "a b%" }');
    await client(url, {}, { headers: { Cookie: 't=a%20b%25' } });
    await expect(client(url, {}, { headers: { Cookie: 't=other' } })).rejects.toThrow(/authorization/i);
  });

  it('may be others than by TCP', async () => {
    const url = await start('no_tls: true\nauthorization { user: page, password: pp }');
    await tcpClient();
    await expect(client(url)).rejects.toThrow(/authorization/i);
    expect((await client(url, { user: 'page', pass: 'pp' })).info?.auth_required).toBe(true);
    expect((await tcpClient()).info?.auth_required).toBeUndefined();
  });

  it('may be a user for everybody who says nothing', async () => {
    const url = await start('no_tls: true\nno_auth_user: alice', users);
    const connection = await client(url);
    await expect(connection.request('no.way', '')).rejects.toThrow(/permission/i);
    await expect(tcpClient()).rejects.toThrow(/authorization/i);
  });

  it('has so much time', async () => {
    const url = await start('no_tls: true\nauthorization { token: x, timeout: 0.05 }');
    const socket = new WebSocket(url);
    closing.push(() => socket.terminate());
    let text = '';
    socket.on('message', (data) => {
      text += data.toString();
    });
    await once(socket, 'close');
    expect(text).toContain("-ERR 'Authentication Timeout'");
  });
});

describe('the handshake', () => {
  it('checks where a page came from', async () => {
    const url = await start('no_tls: true\nallowed_origins: ["https://app.example", "http://dev.example:3000"]');
    const from = (origin: string) => ({ origin });
    await client(url);
    await client(url, {}, from('https://APP.example'));
    await client(url, {}, from('http://dev.example:3000'));
    for (const origin of [
      'http://app.example',
      'https://app.example:444',
      'http://dev.example',
      'https://evil.example',
      'null',
    ]) {
      expect((await refusal(url, from(origin))).status, origin).toBe(403);
    }
    expect(lines.at(-1)).toMatch(/^127\.0\.0\.1:\d+ - websocket handshake error: origin not allowed: /);
  });

  it('can ask for the same origin', async () => {
    const url = await start('no_tls: true\nsame_origin: true');
    await client(url, {}, { origin: url.replace('ws:', 'http:') });
    const other = await refusal(url, { origin: 'http://127.0.0.1:1' });
    expect(other).toEqual({ status: 403, text: 'origin not allowed: not same origin\n' });
  });

  it('refuses paths of features that are not there yet', async () => {
    const url = await start('no_tls: true');
    expect((await refusal(`${url}/leafnode`)).text).toBe('leafnode connections are not supported yet\n');
    expect((await refusal(`${url}/some/mqtt?x=1`)).status).toBe(404);
    await client(`${url}/any/other/path?x=y`);
  });

  it('answers with configured headers', async () => {
    const url = await start('no_tls: true\nheaders { X-One: "1", Strict-Transport-Security: "max-age=1" }');
    const socket = new WebSocket(url);
    closing.push(() => socket.terminate());
    const [response] = await once(socket, 'upgrade');
    expect(response.headers).toMatchObject({ 'x-one': '1', 'strict-transport-security': 'max-age=1' });
  });

  it('tells others than WebSocket clients what this port is', async () => {
    const url = await start('no_tls: true');
    const asked = request(url.replace('ws:', 'http:'));
    asked.end();
    const [response] = await once(asked, 'response');
    response.resume();
    expect(response.statusCode).toBe(400);
    const old = connectTcp(Number(new URL(url).port), '127.0.0.1');
    closing.push(() => old.destroy());
    old.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n');
    old.write('Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\nSec-WebSocket-Version: 7\r\n\r\n');
    const [answer] = await once(old, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('does not wait for ever', async () => {
    const url = await start('no_tls: true\nhandshake_timeout: "100ms"');
    const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
    closing.push(() => socket.destroy());
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
    socket.resume();
    await once(socket, 'close');
  });
});

describe('frames', () => {
  /** A WebSocket that sends and receives NATS lines itself. */
  async function raw(url: string): Promise<{ socket: WebSocket; text: () => string }> {
    const socket = new WebSocket(url);
    closing.push(() => socket.terminate());
    let text = '';
    socket.on('message', (data) => {
      text += data.toString('latin1' as never);
    });
    await once(socket, 'open');
    return { socket, text: () => text };
  }

  it('may end anywhere, be fragments, and be texts', async () => {
    const { socket, text } = await raw(await start('no_tls: true'));
    const whole = 'CONNECT {"verbose":false}\r\nSUB a 1\r\nPUB a 5\r\nhello\r\nPING\r\n';
    for (const letter of whole) socket.send(letter, { binary: true });
    await until(() => text().endsWith('MSG a 1 5\r\nhello\r\nPONG\r\n'), 'the message');
    const [first, ...rest] = whole.slice(whole.indexOf('PUB')).match(/.{1,7}/gs)!;
    socket.send(first, { binary: false, fin: false });
    for (const part of rest) socket.send(part, { fin: part === rest.at(-1) });
    await until(() => text().split('PONG').length === 3, 'the second message');
    expect(text().split('MSG a 1 5\r\nhello\r\n')).toHaveLength(3);
  });

  it('larger than several payloads end the connection', async () => {
    const { socket } = await raw(await start('no_tls: true', 'max_payload: 1kb'));
    socket.on('error', () => {});
    socket.send(Buffer.alloc(8 * 1024 + 1, 'PING\r\n'));
    const [code] = await once(socket, 'close');
    expect(code).toBe(1009);
    await until(() => server.door.sessions.size === 0, 'the session to end');
  });

  it('of a client that does not read wait up to a limit; then it is a slow consumer, and others go on', async () => {
    const url = await start('no_tls: true', 'max_pending: 1mb\nmax_payload: 256kb\nno_fast_producer_stall: true');
    const { socket } = await raw(url);
    socket.send('CONNECT {"verbose":false}\r\nSUB flood 1\r\nPING\r\n');
    await until(
      () => [...server.door.sessions.values()].some((session) => session.subscriptions.size === 1),
      'the subscription',
    );
    socket.pause();
    const sender = await tcpClient();
    const payload = Buffer.alloc(128 * 1024);
    for (let sent = 0; sent < 500 && server.door.slowConsumers === 0; sent++) {
      sender.publish('flood', payload);
      await sender.flush();
    }
    expect(server.door.slowConsumers).toBe(1);
    await until(() => server.door.sessions.size === 1, 'the slow consumer to be gone');
    const [closed] = [...server.door.closedConnections.entries()];
    expect(closed).toMatchObject({ kind: 'websocket', reason: 'Slow Consumer (Pending Bytes)' });
    await sender.flush();
  });

  it('of a client that goes away end its session', async () => {
    const { socket } = await raw(await start('no_tls: true'));
    await until(() => server.door.sessions.size === 1, 'the session');
    socket.terminate();
    await until(() => server.door.sessions.size === 0, 'the session to end');
  });
});
