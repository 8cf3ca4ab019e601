import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { absent, findPeer } from '../kit/peers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { Program } from '../server/program.js';

const peer = findPeer('nats-server');
const title =
  peer === null ? `monitoring beside nats-server (${absent('nats-server')})` : 'monitoring beside nats-server';

/** What nats-server shows of things that there are none of here: feature flags, waiting for disks. */
const ABSENT = [/^feature_flags(?:\.|$)/, /^disk_io_wait_stats(?:\.|$)/, /^account_detail\.imports\b/];
/** What is shown here and there only if it was set. */
const MORE = [/^websocket\.handshake_timeout$/];

const CONFIG = `
  listen: "127.0.0.1:-1"
  http: "127.0.0.1:-1"
  websocket { listen: "127.0.0.1:-1", no_tls: true, same_origin: true }
  authorization { users = [{ user: a, password: b }] }
  server_tags: [x]
  server_metadata { k: v }`;

/** The paths of all keys of a JSON value; elements of arrays are alike. */
function keysOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => keysOf(item, `${path}[]`)))];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const own = path === '' ? key : `${path}.${key}`;
    return [own, ...keysOf(item, own)];
  });
}

/** A server with the same clients in it, that did the same. */
class Scene {
  readonly program: Program;
  private readonly folder: string;
  private readonly clients: NatsConnection[] = [];
  private monitoring = '';

  constructor(folder: string, command: ConstructorParameters<typeof Program>[0]) {
    this.folder = folder;
    mkdirSync(folder);
    writeFileSync(join(folder, 'x.conf'), CONFIG);
    this.program = new Program(command, ['-c', 'x.conf', '--ports_file_dir', '.'], folder);
  }

  async play(): Promise<void> {
    const file = join(this.folder, `nats-server_${this.program.pid}.ports`);
    const read = () => {
      try {
        return readFileSync(file, 'utf8');
      } catch {
        return '';
      }
    };
    await until(() => read() !== '', 'the ports file', 10_000);
    const { nats, monitoring } = JSON.parse(read());
    this.monitoring = monitoring[0];
    const one = await this.client(nats[0], 'one');
    // The server may list them in any order: each has every key.
    one.subscribe('foo.*', { queue: 'p', max: 9 });
    one.subscribe('bar', { queue: 'q', max: 7 });
    one.publish('foo.a', 'hello');
    await one.flush();
    await (await this.client(nats[0], 'two')).close();
    // The round trip time is known after the first PING of the server.
    await one.rtt();
  }

  async get(path: string): Promise<{ status: number; type: string | null; body: string }> {
    const answer = await fetch(`${this.monitoring}${path}`);
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
  }

  async stop(): Promise<void> {
    for (const client of this.clients) await client.close();
    await this.program.kill();
  }

  private async client(servers: string, name: string): Promise<NatsConnection> {
    const client = await connect({ servers, name, user: 'a', pass: 'b', reconnect: false });
    this.clients.push(client);
    return client;
  }
}

describe.skipIf(peer === null)(title, () => {
  const folder = tempFolder();
  let own: Scene;
  let other: Scene;
  beforeAll(async () => {
    own = new Scene(join(folder.path, 'own'), 'nats-server');
    other = new Scene(join(folder.path, 'other'), { path: peer! });
    await Promise.all([own.play(), other.play()]);
    const closed = async (scene: Scene) => JSON.parse((await scene.get('/connz?state=closed')).body).total === 1;
    for (let i = 0; i < 100 && !((await closed(own)) && (await closed(other))); i++) await new Promise(setImmediate);
  });
  afterAll(async () => {
    await Promise.all([own?.stop(), other?.stop()]);
    folder.remove();
  });

  const pages = [
    ...[
      '/varz',
      '/connz',
      '/connz?subs=1',
      '/connz?subs=detail&auth=1',
      '/connz?state=closed',
      '/connz?state=any&auth=true',
    ],
    ...[
      '/connz?limit=1&state=all',
      '/connz?user=a&auth=1',
      '/connz?acc=$G',
      '/subsz',
      '/subsz?subs=1&test=foo.x&acc=$G',
    ],
    ...['/subscriptionsz', '/routez', '/leafz', '/gatewayz', '/jsz', '/jsz?streams=1', '/accountz', '/accountz?acc=$G'],
    ...['/accstatz', '/healthz', '/healthz?details=1', '/healthz?js-enabled-only=true'],
  ];
  for (const path of pages) {
    it(`${path} has the same keys in the same order`, async () => {
      const [mine, theirs] = await Promise.all([own.get(path), other.get(path)]);
      expect([mine.status, mine.type]).toEqual([theirs.status, theirs.type]);
      const without = (body: string, rules: RegExp[]) =>
        keysOf(JSON.parse(body)).filter((key) => !rules.some((rule) => rule.test(key)));
      expect(without(mine.body, MORE)).toEqual(without(theirs.body, ABSENT));
    });
  }

  const refusals = [
    ...[
      '/connz?sort=bogus',
      '/connz?sort=stop',
      '/connz?sort=reason&state=all',
      '/connz?state=bogus',
      '/connz?limit=abc',
    ],
    ...['/connz?offset=1.5', '/connz?cid=abc', '/connz?cid=-1', '/connz?auth=x', '/connz?subs=x', '/subsz?test=foo.*'],
    ...[
      '/subsz?subs=2',
      '/accountz?acc=nope',
      '/accstatz?unused=maybe',
      '/nosuch',
      '/healthz?stream=s',
      '/healthz?details=x',
    ],
    ...['/healthz?consumer=c&account=$G', '/healthz?stream=s&details=true'],
  ];
  for (const path of refusals) {
    it(`${path} is refused alike`, async () => {
      expect(await own.get(path)).toEqual(await other.get(path));
    });
  }
});
