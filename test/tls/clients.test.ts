import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { judged, startWeirOn, type WeirUnderTest } from '../kit/judged.js';
import { type Address, RawClient } from '../kit/raw-client.js';
import { until } from '../kit/wait.js';
import { makeCertificates, pinOf } from './certificates.js';

const DEADLINE_MS = 10_000;
let files: ReturnType<typeof makeCertificates>;
const open: { close(): unknown }[] = [];

beforeAll(() => {
  files = makeCertificates();
});
afterAll(() => files.folder.remove());
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
});

function block(more = ''): string {
  const { server } = files;
  return `tls { cert_file: ${JSON.stringify(server.certFile)}, key_file: ${JSON.stringify(server.keyFile)}, ${more} }\n`;
}

async function client(url: string, tls: NodeConnectionOptions['tls'] | null, more = {}): Promise<NatsConnection> {
  const connection = await connect({
    servers: url,
    reconnect: false,
    timeout: DEADLINE_MS,
    tls: tls === null ? null : { ca: files.ca, ...tls },
    ...more,
  });
  open.push(connection);
  return connection;
}

async function works(connection: NatsConnection): Promise<void> {
  const subscription = connection.subscribe('works', { max: 1 });
  connection.publish('works', 'yes');
  for await (const message of subscription) expect(message.string()).toBe('yes');
}

/** Reads INFO in plain, then does TLS, as a client does. */
async function upgraded({ host, port }: Address, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const plain = connectTcp(port, host);
  await new Promise((resolve, reject) => {
    plain.once('data', resolve);
    plain.once('error', reject);
  });
  const socket = connectTls({ socket: plain, ca: files.ca, servername: 'localhost', ...options });
  open.push({ close: () => socket.destroy() });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
  return socket;
}

judged('TLS for clients', (start) => {
  it('is required, and INFO says so', async () => {
    const server = await start(block());
    const connection = await client(server.url, {});
    expect(connection.info).toMatchObject({ tls_required: true });
    expect(connection.info?.tls_available).toBeUndefined();
    await works(connection);
  });

  it('ends who speaks in plain', async () => {
    const server = await start(block());
    const raw = await RawClient.open(server.address);
    expect(JSON.parse((await raw.line()).slice(5))).toMatchObject({ tls_required: true });
    raw.send('CONNECT {}\r\nPING\r\n');
    await raw.rest(DEADLINE_MS);
    expect(raw.closed).toBe(true);
  });

  it('takes messages of any size', async () => {
    const server = await start(block());
    const [one, other] = [await client(server.url, {}), await client(server.url, {})];
    const sizes = [0, 1, 100, 16_384, 70_000, 1_000_000];
    const got: number[] = [];
    const subscription = one.subscribe('sizes', { max: sizes.length });
    await one.flush();
    for (const size of sizes) other.publish('sizes', new Uint8Array(size).fill(size % 251));
    for await (const { data } of subscription) {
      expect(data.every((byte) => byte === data.length % 251)).toBe(true);
      got.push(data.length);
    }
    expect(got).toEqual(sizes);
  });

  it('may be left to the client', async () => {
    const server = await start(`${block()}allow_non_tls: true`);
    const plain = await client(server.url, null);
    expect(plain.info).toMatchObject({ tls_available: true });
    expect(plain.info?.tls_required).toBeUndefined();
    await works(plain);
    await works(await client(server.url, {}));
  });

  it('comes before INFO', async () => {
    const server = await start(block('handshake_first: true'));
    await works(await client(server.url, { handshakeFirst: true }));
    const raw = await RawClient.open(server.address);
    raw.send('CONNECT {}\r\n');
    expect((await raw.rest(DEADLINE_MS)).includes('INFO')).toBe(false);
  });

  it('comes before INFO, or after it', async () => {
    const server = await start(block('handshake_first: "200ms"'));
    await works(await client(server.url, { handshakeFirst: true }));
    await works(await client(server.url, {}));
  });

  it('asks for certificates', async () => {
    const server = await start(block(`ca_file: ${JSON.stringify(files.caFile)}, verify: true`));
    const { ann, stranger, expired } = files;
    const known = await client(server.url, { cert: ann.cert, key: ann.key });
    expect(known.info).toMatchObject({ tls_required: true, tls_verify: true });
    await works(known);
    await expect(client(server.url, {})).rejects.toThrow();
    await expect(client(server.url, { cert: stranger.cert, key: stranger.key })).rejects.toThrow();
    await expect(client(server.url, { cert: expired.cert, key: expired.key })).rejects.toThrow();
  });

  it('takes certificates with certain keys only', async () => {
    const { ann, bob, caFile } = files;
    const pins = `ca_file: ${JSON.stringify(caFile)}, verify: true, pinned_certs: ["${pinOf(ann.cert).toUpperCase()}"]`;
    const server = await start(block(pins));
    await works(await client(server.url, { cert: ann.cert, key: ann.key }));
    await expect(client(server.url, { cert: bob.cert, key: bob.key })).rejects.toThrow();
  });

  it('says by certificate who a client is', async () => {
    const { ann, bob, caFile } = files;
    const server = await start(`${block(`ca_file: ${JSON.stringify(caFile)}, verify_and_map: true`)}
      authorization { users = [
        { user: "ann@weir.test", permissions { publish: "for.ann" } }
        { user: "CN=bob,OU=tests,O=Weir" }
      ] }`);
    const listener = await client(server.url, { cert: bob.cert, key: bob.key });
    const heard: string[] = [];
    listener.subscribe('for.*', { callback: (_error, { subject }) => void heard.push(subject) });
    await listener.flush();
    const publisher = await client(server.url, { cert: ann.cert, key: ann.key });
    for (const subject of ['for.bob', 'for.ann']) publisher.publish(subject);
    await publisher.flush();
    await listener.flush();
    expect(heard).toEqual(['for.ann']);
    const other = files.issue({ subject: ['CN=nobody'] });
    await expect(client(server.url, { cert: other.cert, key: other.key })).rejects.toThrow(/authorization/i);
  });

  it('has a lowest version', async () => {
    const server = await start(block('min_version: "1.3"'));
    await expect(upgraded(server.address, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
    expect((await upgraded(server.address)).getProtocol()).toBe('TLSv1.3');
  });

  it('has the cipher suites that it is told', async () => {
    const server = await start(block('cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]'));
    const socket = await upgraded(server.address, { maxVersion: 'TLSv1.2' });
    expect(socket.getCipher().standardName).toBe('TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
    const other = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } as const;
    await expect(upgraded(server.address, other)).rejects.toThrow();
  });

  it('shows the certificate that the client asks for', async () => {
    const pair = ({ certFile, keyFile }: { certFile: string; keyFile: string }) =>
      `{ cert_file: ${JSON.stringify(certFile)}, key_file: ${JSON.stringify(keyFile)} }`;
    const server = await start(`tls { certs: [${pair(files.server)}, ${pair(files.second)}] }`);
    const nameFor = async (servername: string) =>
      (await upgraded(server.address, { servername, checkServerIdentity: () => undefined })).getPeerCertificate()
        .subject.CN;
    expect(await nameFor('second.test')).toBe('second');
    expect(await nameFor('localhost')).toBe('server');
  });

  it('does not wait for ever', async () => {
    const server = await start(block('timeout: 0.2'));
    const raw = await RawClient.open(server.address);
    await raw.line();
    await raw.rest(DEADLINE_MS);
    expect(raw.closed).toBe(true);
  });
});

describe('TLS of weir', () => {
  let weir: WeirUnderTest;
  const start = async (config: string) => {
    weir = await startWeirOn(config);
    return weir;
  };
  afterEach(() => weir.stop());

  it('tells who speaks in plain why it is not heard', async () => {
    await start(block());
    const raw = await RawClient.open(weir.address);
    await raw.line();
    raw.send('CONNECT {}\r\n');
    await raw.expect("-ERR 'Secure Connection - TLS Required'\r\n");
    await raw.expectClosed(DEADLINE_MS);
    expect(weir.lines.join('\n')).toContain(
      'TLS handshake error: tls: first record does not look like a TLS handshake',
    );
    const [record] = weir.server.door.closedConnections.entries();
    expect(record.reason).toBe('TLS Handshake Failure');
  });

  it('takes other certificates by a reload, and nobody is cut off', async () => {
    const { second } = files;
    await start(block());
    const before = await client(weir.url, {});
    const own = (await upgraded(weir.address)).getPeerCertificate().subject.CN;
    await weir.reload(
      `tls { cert_file: ${JSON.stringify(second.certFile)}, key_file: ${JSON.stringify(second.keyFile)} }`,
    );
    expect(weir.lines).toContain('info Reloaded: tls = enabled');
    const now = (await upgraded(weir.address)).getPeerCertificate().subject.CN;
    expect([own, now]).toEqual(['server', 'second']);
    await works(before);
    await weir.reload('');
    expect(weir.lines).toContain('info Reloaded: tls = disabled');
    await works(await client(weir.url, null));
    await works(before);
  });

  it('ends connections whose certificate a reload takes off the list, or whose user is gone', async () => {
    const { ann, bob, caFile } = files;
    const config = (pins: string[], users: string) =>
      `${block(`ca_file: ${JSON.stringify(caFile)}, verify_and_map: true, pinned_certs: ${JSON.stringify(pins)}`)}
      authorization { users = [${users}] }`;
    const [pin, other] = [pinOf(ann.cert), pinOf(bob.cert)];
    const both = '{ user: "ann@weir.test" }, { user: "CN=bob,OU=tests,O=Weir" }';
    await start(config([pin, other], both));
    const enter = (who: typeof ann) => client(weir.url, { cert: who.cert, key: who.key });
    const [one, two] = [await enter(ann), await enter(bob)];
    await weir.reload(config([pin], both));
    await two.closed();
    await works(one);
    await weir.reload(config([pin], '{ user: "CN=bob,OU=tests,O=Weir" }'));
    expect(String(await one.closed())).toMatch(/authorization/i);
  });

  it('keeps what it had when the new certificate is none', async () => {
    await start(block());
    const bad = files.save('bad', { cert: files.server.cert, key: files.second.key });
    const config = `tls { cert_file: ${JSON.stringify(bad.certFile)}, key_file: ${JSON.stringify(bad.keyFile)} }`;
    await expect(weir.reload(config)).rejects.toThrow(/error parsing X509 certificate\/key pair/);
    await works(await client(weir.url, {}));
  });

  it('shows what was agreed on', async () => {
    await start(`${block()}http: "127.0.0.1:-1"`);
    const connection = await client(weir.url, {});
    const [base] = weir.server.urls.monitoring!;
    const look = (path: string) => fetch(`${base}${path}`).then((answer) => answer.json());
    await connection.flush();
    expect(await look('/connz')).toMatchObject({
      connections: [{ tls_version: '1.3', tls_cipher_suite: expect.stringMatching(/^TLS_/) }],
    });
    expect(await look('/varz')).toMatchObject({ tls_required: true, tls_timeout: 2 });
  });

  it('shows whose certificates clients have', async () => {
    const { ann, caFile } = files;
    await start(
      `${block(`ca_file: ${JSON.stringify(caFile)}, verify: true, handshake_first: true`)}http: "127.0.0.1:-1"`,
    );
    await client(weir.url, { cert: ann.cert, key: ann.key, handshakeFirst: true });
    const [base] = weir.server.urls.monitoring!;
    const { connections } = (await fetch(`${base}/connz?auth=1`).then((answer) => answer.json())) as never;
    expect(connections).toMatchObject([
      {
        tls_first: true,
        tls_peer_certs: [
          { subject: 'CN=ann,OU=tests,O=Weir', spki_sha256: pinOf(ann.cert), cert_sha256: expect.any(String) },
        ],
      },
    ]);
  });

  it('carries monitoring', async () => {
    await start(`${block()}https: "127.0.0.1:-1"`);
    const [url] = weir.server.urls.monitoring!;
    expect(url).toMatch(/^https:/);
    const { get } = await import('node:https');
    const body = await new Promise<string>((resolve, reject) => {
      get(`${url}/varz`, { ca: files.ca }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      }).on('error', reject);
    });
    expect(JSON.parse(body)).toMatchObject({ https_port: expect.any(Number), http_port: 0 });
  });

  it('begins no more handshakes in a second than it may', async () => {
    await start(block('connection_rate_limit: 1'));
    const settled = await Promise.allSettled([1, 2, 3, 4].map(() => upgraded(weir.address)));
    expect(settled.some(({ status }) => status === 'rejected')).toBe(true);
    expect(settled.some(({ status }) => status === 'fulfilled')).toBe(true);
  });

  it('leaves nothing behind when clients go while they shake hands', async () => {
    await start(block());
    for (let i = 0; i < 20; i++) {
      const raw = await RawClient.open(weir.address);
      await raw.line();
      raw.send('\x16\x03\x01');
      await raw.close();
    }
    await until(() => weir.server.door.sessions.size === 0, 'the sessions to end', DEADLINE_MS);
  });
});
