import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOptions } from '../../src/config/load-options.js';
import { Server } from '../../src/server/server.js';
import { until } from '../kit/wait.js';

// biome-ignore lint/suspicious/noExplicitAny: JSON whose shape the expectations check
type Json = Record<string, any>;

let server: Server;
const clients: NatsConnection[] = [];

async function start(config = ''): Promise<void> {
  const options = await loadOptions({
    arguments: { values: { config: 'x.conf' }, words: [] },
    env: {},
    readFile: () => `listen: "127.0.0.1:-1"\nhttp: "127.0.0.1:-1"\n${config}`,
  });
  // Every route is kept, so that what the cache holds is known.
  server = new Server({ options, random: () => 0 });
  await server.start();
}

async function client(name: string, options: object = {}): Promise<NatsConnection> {
  const connection = await connect({ servers: server.clientUrl, name, reconnect: false, ...options });
  clients.push(connection);
  return connection;
}

function get(path: string, init?: RequestInit): Promise<Response> {
  return fetch(`${server.urls.monitoring![0]}${path}`, init);
}

async function json(path: string): Promise<Json> {
  const answer = await get(path);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/json');
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  return (await answer.json()) as Json;
}

const names = ({ connections }: Json) => connections.map((connection: Json) => connection.name);

afterEach(async () => {
  for (const connection of clients.splice(0)) await connection.close();
  await server.stop();
});

describe('/varz', () => {
  it('counts what happened', async () => {
    await start('server_name: n1\nserver_tags: [a]\nmax_connections: 0');
    const one = await client('one');
    one.subscribe('a.>');
    one.publish('a.b', 'hello');
    await one.flush();
    await (await client('two')).close();
    await json('/varz');
    const varz = await json('/varz');
    expect(varz).toMatchObject({
      server_id: server.identity.id,
      server_name: 'n1',
      host: '127.0.0.1',
      port: server.identity.port,
      max_connections: -1,
      connections: 1,
      total_connections: 2,
      in_msgs: 1,
      in_bytes: 5,
      out_msgs: 1,
      out_bytes: 5,
      tags: ['a'],
      http_req_stats: { '/varz': 2 },
      config_digest: server.options.configDigest,
      slow_consumers: 0,
    });
    expect(varz.http_port).toBe(Number(new URL(server.urls.monitoring![0]).port));
    expect(varz.mem).toBeGreaterThan(1e6);
  });
});

describe('/connz', () => {
  beforeEach(async () => {
    await start('authorization { users = [{ user: a, password: p }, { user: b, password: p }] }');
    const one = await client('one', { user: 'a', pass: 'p' });
    const two = await client('two', { user: 'b', pass: 'p' });
    one.subscribe('x.*');
    two.subscribe('y', { queue: 'q', max: 9 });
    two.subscribe('z.>');
    await one.flush();
    two.publish('x.1', 'ab');
    two.publish('x.2', 'cd');
    await two.flush();
    const three = await client('three', { user: 'b', pass: 'p' });
    await three.close();
    await until(() => server.door.sessions.size === 2, 'the third to be gone');
  });

  it('shows open, closed or all connections', async () => {
    expect(names(await json('/connz'))).toEqual(['one', 'two']);
    expect(names(await json('/connz?state=CLOSED'))).toEqual(['three']);
    expect(names(await json('/connz?state=any'))).toEqual(['one', 'two', 'three']);
    const { connections } = await json('/connz?state=closed');
    expect(connections[0]).toMatchObject({ reason: 'Client Closed', kind: 'Client', type: 'nats' });
    expect(connections[0].stop).toMatch(/^\d{4}-.*Z$/);
  });

  it('shows users and subscriptions only if asked', async () => {
    const [plain] = (await json('/connz')).connections;
    expect(plain.authorized_user).toBeUndefined();
    expect(plain.subscriptions_list).toBeUndefined();
    const listed = await json('/connz?auth=true&subs=1');
    expect(listed.connections.map((one: Json) => [one.authorized_user, one.subscriptions_list])).toEqual([
      ['a', ['x.*']],
      ['b', ['y', 'z.>']],
    ]);
    const detailed = await json('/connz?subs=detail');
    expect(detailed.connections[1].subscriptions_list_detail[0]).toEqual({
      subject: 'y',
      qgroup: 'q',
      sid: expect.any(String),
      msgs: 0,
      max: 9,
      cid: detailed.connections[1].cid,
    });
  });

  it('finds by id, user, account and subject', async () => {
    const { connections } = await json('/connz');
    const found = await json(`/connz?cid=${connections[1].cid}`);
    expect([names(found), found.limit]).toEqual([['two'], 1]);
    expect(names(await json('/connz?user=a'))).toEqual(['one']);
    expect(names(await json('/connz?acc=$G'))).toEqual(['one', 'two']);
    expect(names(await json('/connz?acc=other'))).toEqual([]);
    expect(names(await json('/connz?acc=$G&filter_subject=z.1'))).toEqual(['two']);
    expect(names(await json('/connz?mqtt_client=x'))).toEqual([]);
  });

  it('sorts, and gives a page', async () => {
    expect(names(await json('/connz?sort=subs'))).toEqual(['two', 'one']);
    expect(names(await json('/connz?sort=msgs_to'))).toEqual(['one', 'two']);
    expect(names(await json('/connz?sort=msgs_from'))).toEqual(['two', 'one']);
    expect(names(await json('/connz?sort=bytes_from'))).toEqual(['two', 'one']);
    expect(names(await json('/connz?state=closed&sort=stop'))).toEqual(['three']);
    const page = await json('/connz?offset=1&limit=1');
    expect([names(page), page.num_connections, page.total, page.offset, page.limit]).toEqual([['two'], 1, 2, 1, 1]);
    expect((await json('/connz?limit=-5&offset=-1')).limit).toBe(1024);
    for (const sort of ['cid', 'start', 'pending', 'bytes_to', 'last', 'idle', 'uptime', 'rtt'])
      expect(names(await json(`/connz?sort=${sort}`))).toHaveLength(2);
  });

  const refusals: [string, string][] = [
    ['sort=bogus', 'invalid sorting option: bogus'],
    ['sort=toString', 'invalid sorting option: toString'],
    ['sort=stop', 'sort by stop only valid on closed connections'],
    ['sort=reason&state=any', 'sort by reason only valid on closed connections'],
    ['state=bogus', 'Error decoding state for bogus'],
    ['limit=abc', 'Error decoding int for \'limit\': strconv.Atoi: parsing "abc": invalid syntax'],
    ['cid=-1', 'Error decoding uint64 for \'cid\': strconv.ParseUint: parsing "-1": invalid syntax'],
    ['auth=x', 'Error decoding boolean for \'auth\': strconv.ParseBool: parsing "x": invalid syntax'],
    ['filter_subject=a', 'filter by subject only valid with account filtering'],
  ];
  for (const [query, text] of refusals) {
    it(`refuses ${query}`, async () => {
      const answer = await get(`/connz?${query}`);
      expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
        400,
        'text/plain; charset=utf-8',
        text,
      ]);
    });
  }
});

describe('/subsz', () => {
  it('counts, lists and tests', async () => {
    await start();
    const one = await client('one');
    one.subscribe('a.*');
    one.subscribe('b').unsubscribe();
    for (let i = 0; i < 4; i++) one.publish('a.b', '');
    await one.flush();
    const figures = await json('/subsz');
    expect(figures).toMatchObject({ num_matches: 4, max_fanout: 1, avg_fanout: 1, num_cache: 1, total: 0 });
    expect(figures.num_inserts - figures.num_removes).toBe(figures.num_subscriptions);
    expect(figures.cache_hit_rate).toBe(0.75);
    expect(figures.subscriptions_list).toBeUndefined();
    const listed = await json('/subscriptionsz?subs=1');
    expect(listed.subscriptions_list).toEqual([
      { account: '$G', account_tag: '$G', subject: 'a.*', sid: '1', msgs: 4, cid: expect.any(Number) },
    ]);
    expect((await json('/subsz?subs=1&test=a.x')).total).toBe(1);
    expect((await json('/subsz?subs=1&test=b.x')).total).toBe(0);
    expect((await json('/subsz?subs=1&acc=other')).total).toBe(0);
    const refused = await get('/subsz?test=a.*');
    expect(await refused.text()).toBe('invalid test subject, must be valid publish subject: a.*');
  });
});

describe('/healthz', () => {
  const health = async (query = '') => {
    const answer = await get(`/healthz${query}`);
    return [answer.status, await answer.json()];
  };

  it('is well', async () => {
    await start();
    for (const query of ['', '?js-enabled-only=true', '?js-server-only=1', '?details=true'])
      expect(await health(query)).toEqual([200, { status: 'ok' }]);
  });

  it('refuses questions that make no sense', async () => {
    await start();
    const error = '"account" must not be empty when checking stream health';
    expect(await health('?stream=s')).toEqual([400, { status: 'error', error }]);
    expect(await health('?stream=s&details=1')).toEqual([
      400,
      { status: 'error', errors: [{ type: 'BAD_REQUEST', error }] },
    ]);
    expect((await get('/healthz?details=x')).status).toBe(400);
  });

  it('is not well while clients are seen off', async () => {
    await start();
    await client('one');
    server.options.lameDuckGraceMs = 30_000;
    void server.lameDuck();
    await until(() => server.lameDuckMode, 'lame duck mode');
    expect((await health())[0]).toBe(500);
  });
});

describe('other pages', () => {
  it('say that there is nothing', async () => {
    await start();
    expect(await json('/routez')).toMatchObject({ num_routes: 0, routes: [] });
    expect(await json('/leafz')).toMatchObject({ leafnodes: 0, leafs: [] });
    expect(await json('/gatewayz')).toMatchObject({ outbound_gateways: {}, inbound_gateways: {} });
    expect(await json('/jsz?acc=x&streams=1')).toMatchObject({ disabled: true, streams: 0, messages: 0 });
    expect(await json('/accountz')).toMatchObject({ accounts: ['$G', '$SYS'] });
    expect((await json('/accountz?acc=$G')).account_detail).toMatchObject({
      account_name: '$G',
      client_connections: 0,
    });
    expect(await (await get('/accountz?acc=x')).text()).toBe('Account x does not exist');
    expect(await json('/accstatz')).toMatchObject({ account_statz: [] });
    expect((await json('/accstatz?unused=1')).account_statz[0]).toMatchObject({ acc: '$G', conns: 0 });
    expect(await json('/pluginz')).toMatchObject({ plugins: [], attachments: [] });
  });

  it('are all linked from the first one, behind the base path', async () => {
    await start('http_base_path: "/nats/one"');
    const index = await (await get('/nats/one/')).text();
    const links = [...index.matchAll(/href="([^"]+)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(10);
    for (const link of links) expect((await get(link)).status, link).toBe(200);
    expect((await get('/varz')).status).toBe(404);
    expect((await get('/nats/onevarz')).status).toBe(404);
  });

  it('that are not there, and other methods, are refused', async () => {
    await start();
    const missing = await get('/nosuch');
    expect([missing.status, await missing.text()]).toEqual([404, '404 page not found\n']);
    expect((await get('/__proto__')).status).toBe(404);
    expect((await get('//varz')).status).toBe(404);
    expect((await get('/varz', { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await get('/varz', { method: 'HEAD' })).status).toBe(200);
  });
});

describe('/metrics', () => {
  it('is valid Prometheus text with the exporter’s names', async () => {
    await start('websocket { listen: "127.0.0.1:-1", no_tls: true }');
    const one = await client('one');
    one.subscribe('a');
    one.publish('a', 'xyz');
    await one.flush();
    const answer = await get('/metrics');
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = readPrometheus(await answer.text());
    const id = server.identity.id;
    const value = (name: string) => samples.get(`${name}{server_id="${id}"}`);
    expect(value('gnatsd_varz_connections')).toBe(1);
    expect(value('gnatsd_varz_in_bytes')).toBe(3);
    expect(value('gnatsd_varz_max_payload')).toBe(1048576);
    expect(value('gnatsd_varz_slow_consumer_stats_clients')).toBe(0);
    expect(value('gnatsd_connz_num_connections')).toBe(1);
    expect(value('gnatsd_connz_subscriptions')).toBe(1);
    expect(value('gnatsd_healthz_status')).toBe(0);
    expect(samples.get('weir_attachments')).toBe(0);
    expect(samples.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  it('scrapes leave nothing behind', async () => {
    await start();
    await get('/metrics').then((answer) => answer.text());
    const before = process.getActiveResourcesInfo().length;
    for (let i = 0; i < 20; i++) await get('/metrics').then((answer) => answer.text());
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before + 1);
  });
});

/** Samples by name and labels. Fails on a line that is not of the format, a sample without type, and one that is there twice. */
function readPrometheus(text: string): Map<string, number> {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/.exec(line);
    if (type !== null) {
      expect(types.has(type[1]), line).toBe(false);
      types.set(type[1], type[2]);
      continue;
    }
    if (/^# HELP [a-zA-Z_:][a-zA-Z0-9_:]* ./.test(line)) continue;
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:\w+="(?:[^"\\\n]|\\.)*",?)+\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$/.exec(
      line,
    );
    expect(sample, line).not.toBeNull();
    const [, name, labels = '', value] = sample!;
    expect(types.has(name), line).toBe(true);
    expect(samples.has(name + labels), line).toBe(false);
    samples.set(name + labels, Number(value));
  }
  return samples;
}
