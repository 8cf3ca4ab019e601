import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createAccount } from '@nats-io/nkeys';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { judged, startWeirOn } from '../kit/judged.js';
import { absent, findPeer } from '../kit/peers.js';
import { newOperator, newUser } from './operator.js';

const DEADLINE_MS = 10_000;
const CONFIG = `
  server_name: sysy
  accounts {
    $SYS { users: [{ user: admin, password: p }] }
    A { users: [{ user: ann, password: p, permissions { publish: { allow: [">"], deny: ["no"] } } }] }
  }`;

const open: NatsConnection[] = [];
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
});
const client = async (url: string, user: string, more = {}) => {
  const connection = await connect({ servers: url, reconnect: false, user, pass: 'p', timeout: DEADLINE_MS, ...more });
  open.push(connection);
  return connection;
};
// biome-ignore lint/suspicious/noExplicitAny: answers are looked into at will, and every look is an expectation.
type Json = Record<string, any>;
const ask = async (connection: NatsConnection, subject: string, payload: object | '' = ''): Promise<Json> => {
  const body = payload === '' ? '' : JSON.stringify(payload);
  return (await connection.request(subject, body, { timeout: DEADLINE_MS })).json() as Json;
};
/** The first message on a subject that suits. */
const first = async (connection: NatsConnection, filter: string, suits: (event: Json) => boolean) => {
  const subscription = connection.subscribe(filter);
  await connection.flush();
  return async () => {
    for await (const message of subscription) {
      const event = message.json() as Json;
      if (suits(event)) return event;
    }
    throw new Error(`nothing on ${filter}`);
  };
};

judged('the system account', (start) => {
  it('is told how the server is', async () => {
    const { url } = await start(CONFIG);
    const admin = await client(url, 'admin');
    await client(url, 'ann', { name: 'client of ann' });
    const stats = await ask(admin, '$SYS.REQ.SERVER.PING');
    expect(stats).toMatchObject({
      server: { name: 'sysy', id: expect.stringMatching(/^N/), ver: expect.any(String), seq: expect.any(Number) },
      statsz: { connections: 2, active_accounts: expect.any(Number), sent: { msgs: expect.any(Number) } },
    });
    const { id } = stats.server;
    expect(await ask(admin, `$SYS.REQ.SERVER.${id}.STATSZ`)).toMatchObject({ statsz: { connections: 2 } });
    expect(await ask(admin, '$SYS.REQ.SERVER.PING.IDZ')).toEqual({ name: 'sysy', host: expect.any(String), id });
    expect(await ask(admin, '$SYS.REQ.SERVER.PING.VARZ')).toMatchObject({
      server: { id },
      data: { server_name: 'sysy', connections: 2 },
    });
    const connz = await ask(admin, `$SYS.REQ.SERVER.${id}.CONNZ`, { auth: true, user: 'ann' });
    expect(connz.data.connections).toMatchObject([{ name: 'client of ann', authorized_user: 'ann', account: 'A' }]);
    expect((await ask(admin, '$SYS.REQ.SERVER.PING.HEALTHZ')).data).toMatchObject({ status: 'ok' });
    expect((await ask(admin, '$SYS.REQ.SERVER.PING.SUBSZ')).data.num_subscriptions).toEqual(expect.any(Number));
    expect((await ask(admin, '$SYS.REQ.SERVER.PING.ROUTEZ')).data).toMatchObject({ num_routes: 0 });
  });

  it('names the servers that it means', async () => {
    const { url } = await start(CONFIG);
    const admin = await client(url, 'admin');
    expect((await ask(admin, '$SYS.REQ.SERVER.PING.VARZ', { server_name: 'sys' })).data.server_name).toBe('sysy');
    const other = ask(admin, '$SYS.REQ.SERVER.PING.VARZ', { server_name: 'other' });
    await expect(Promise.race([other, admin.flush().then(() => 'silence')])).resolves.toBe('silence');
    other.catch(() => {});
    expect(await ask(admin, '$SYS.REQ.SERVER.PING.CONNZ', { sort: 'nonsense' })).toMatchObject({
      error: { description: expect.stringContaining('invalid sorting option: nonsense') },
    });
  });

  it('sees accounts', async () => {
    const { url } = await start(CONFIG);
    const admin = await client(url, 'admin');
    await client(url, 'ann');
    const { data } = await ask(admin, '$SYS.REQ.SERVER.PING.ACCOUNTZ');
    expect(data.system_account).toBe('$SYS');
    expect(data.accounts).toEqual(expect.arrayContaining(['$G', '$SYS', 'A']));
    expect((await ask(admin, '$SYS.REQ.ACCOUNT.A.INFO')).data).toMatchObject({
      account_name: 'A',
      client_connections: 1,
      expired: false,
      complete: true,
    });
    expect((await ask(admin, '$SYS.REQ.ACCOUNT.A.CONNZ')).data).toMatchObject({ num_connections: 1 });
    expect((await ask(admin, '$SYS.REQ.ACCOUNT.PING.STATZ')).data.account_statz).toEqual(
      expect.arrayContaining([expect.objectContaining({ acc: 'A', conns: 1, total_conns: 1 })]),
    );
  });

  it('lets everybody ask about themselves, and nobody about others', async () => {
    const { url } = await start(CONFIG);
    const [admin, ann] = [await client(url, 'admin'), await client(url, 'ann')];
    expect((await ask(ann, '$SYS.REQ.USER.INFO')).data).toMatchObject({
      user: 'ann',
      account: 'A',
      permissions: { publish: { allow: ['>'], deny: ['no'] } },
    });
    const own = await ask(ann, '$SYS.REQ.SERVER.PING.CONNZ');
    expect(own.data.connections).toHaveLength(1);
    expect((await ask(ann, '$SYS.REQ.ACCOUNT.PING.STATZ')).data.account_statz).toMatchObject([{ acc: 'A' }]);
    await expect(ask(ann, '$SYS.REQ.SERVER.PING.VARZ')).rejects.toThrow(/no responders/i);
    await expect(ask(ann, '$SYS.REQ.ACCOUNT.$SYS.INFO')).rejects.toThrow(/no responders/i);
    await admin.flush();
  });

  it('counts who listens, for whom it lets ask', async () => {
    const { url } = await start(`accounts {
      $SYS { users: [{ user: admin, password: p }], exports: [{ service: "$SYS.DEBUG.SUBSCRIBERS" }] }
      A { users: [{ user: ann, password: p }], imports: [{ service: { account: "$SYS", subject: "$SYS.DEBUG.SUBSCRIBERS" } }] }
    }`);
    const [admin, ann] = [await client(url, 'admin'), await client(url, 'ann')];
    for (const [filter, queue] of [['a.b'], ['a.*'], ['a.>', 'q'], ['c', 'q']])
      ann.subscribe(filter, { callback: () => {}, ...(queue !== undefined && { queue }) });
    await ann.flush();
    const count = (by: NatsConnection, what: string) =>
      by.request('$SYS.DEBUG.SUBSCRIBERS', what, { timeout: DEADLINE_MS }).then((answer) => answer.string());
    expect(await count(ann, 'a.b')).toBe('3');
    expect(await count(ann, 'a.x')).toBe('2');
    expect(await count(ann, 'a.b q')).toBe('1');
    expect(await count(ann, 'a.*')).toBe('2');
    expect(await count(ann, 'nobody')).toBe('0');
    expect(await count(admin, 'a.b')).toBe('0');
    expect(await ask(admin, '$SYS.REQ.ACCOUNT.NSUBS', { acc: 'A', subject: 'a.b' })).toBe(3);
    const queue = Buffer.from('q').toString('base64');
    expect(await ask(admin, '$SYS.REQ.ACCOUNT.NSUBS', { acc: 'A', subject: '>', queue })).toBe(2);
  });

  it('hears who comes and goes', async () => {
    const { url } = await start(CONFIG);
    const admin = await client(url, 'admin');
    const came = await first(admin, '$SYS.ACCOUNT.A.CONNECT', () => true);
    const went = await first(admin, '$SYS.ACCOUNT.A.DISCONNECT', () => true);
    const counted = await first(admin, '$SYS.ACCOUNT.A.SERVER.CONNS', ({ conns }) => conns === 1);
    const refused = await first(admin, '$SYS.SERVER.*.CLIENT.AUTH.ERR', () => true);
    const ann = await client(url, 'ann', { name: 'short visit' });
    expect(await came()).toMatchObject({
      type: 'io.nats.server.advisory.v1.client_connect',
      server: { name: 'sysy' },
      client: { acc: 'A', user: 'ann', name: 'short visit', host: '127.0.0.1', kind: 'Client', client_type: 'nats' },
    });
    expect(await counted()).toMatchObject({ acc: 'A', conns: 1 });
    ann.publish('x', 'four');
    await ann.flush();
    await ann.close();
    expect(await went()).toMatchObject({
      type: 'io.nats.server.advisory.v1.client_disconnect',
      client: { user: 'ann' },
      sent: { msgs: 1, bytes: 4 },
      reason: 'Client Closed',
    });
    await expect(client(url, 'ann', { pass: 'wrong' })).rejects.toThrow();
    expect(await refused()).toMatchObject({ reason: 'Authentication Failure', client: { user: 'ann' } });
  });

  it('ends connections', async () => {
    const { url } = await start(CONFIG);
    const [admin, ann] = [await client(url, 'admin'), await client(url, 'ann')];
    const { server } = await ask(admin, '$SYS.REQ.SERVER.PING');
    const leaving = (async () => {
      for await (const status of ann.status()) if (status.type === 'ldm') return true;
      return false;
    })();
    const cid = ann.info!.client_id;
    expect((await ask(admin, `$SYS.REQ.SERVER.${server.id}.LDM`, { cid })).error).toBeUndefined();
    expect(await leaving).toBe(true);
    expect((await ask(admin, `$SYS.REQ.SERVER.${server.id}.KICK`, { cid })).error).toBeUndefined();
    await ann.closed();
    expect(await ask(admin, `$SYS.REQ.SERVER.${server.id}.KICK`, { cid: 4711 })).toMatchObject({
      error: { code: 500, description: 'no such client or leafnode id' },
    });
  });

  it('changes accounts of an operator, and those who are in them feel it', async () => {
    const operator = await newOperator();
    const account = createAccount();
    const key = account.getPublicKey();
    const server = await start(await operator.config({ [key]: await operator.account('A', account) }));
    const enter = async (of: typeof account) => {
      const user = await newUser(of);
      const login = { servers: server.url, reconnect: false, authenticator: user.authenticator, timeout: DEADLINE_MS };
      const connection = await connect(login);
      open.push(connection);
      return { user, connection };
    };
    const admin = (await enter(operator.system)).connection;
    const [ann, bob] = [await enter(account), await enter(account)];
    const lookup = await admin
      .request(`$SYS.REQ.ACCOUNT.${key}.CLAIMS.LOOKUP`, '', { timeout: 1000 })
      .catch(() => null);
    if (lookup !== null) expect(lookup.string()).toMatch(/^eyJ/);
    const revocations = { [ann.user.key.getPublicKey()]: Math.floor(Date.now() / 1000) + 5 };
    const token = await operator.account('A', account, { revocations });
    const answer = (
      await admin.request(`$SYS.REQ.ACCOUNT.${key}.CLAIMS.UPDATE`, token, { timeout: DEADLINE_MS })
    ).json();
    expect(answer).toMatchObject({ data: { account: key, code: 200, message: 'jwt updated' } });
    expect(String(await ann.connection.closed())).toMatch(/revoked/i);
    await bob.connection.flush();
    const wrong = await (await newOperator()).account('A', account);
    const refused = (
      await admin.request(`$SYS.REQ.ACCOUNT.${key}.CLAIMS.UPDATE`, wrong, { timeout: DEADLINE_MS })
    ).json();
    expect(refused).toMatchObject({ error: { code: 500 } });
  });
});

describe('the nats command', () => {
  const nats = findPeer('nats');
  it.skipIf(nats === null)(
    `sees the server${nats === null ? ` (${absent('nats')})` : ''}`,
    async () => {
      const weir = await startWeirOn(`${CONFIG}\nhttp: "127.0.0.1:-1"`);
      try {
        await client(weir.url, 'ann', { name: 'client of ann' });
        const run = async (...words: string[]) => {
          const login = ['--server', weir.url, '--user', 'admin', '--password', 'p', '--timeout', '10s'];
          const { stdout, stderr } = await promisify(execFile)(nats!, [...login, ...words], {
            env: { ...process.env, NATS_CONTEXT: '', XDG_CONFIG_HOME: '/nonexistent', NO_COLOR: '1' },
            timeout: 60_000,
          });
          return stdout + stderr;
        };
        expect(await run('server', 'ls', '1')).toContain('sysy');
        expect(await run('server', 'info')).toMatch(/sysy/);
        expect(await run('server', 'ping', '1')).toMatch(/sysy\s+rtt=/);
        expect(await run('server', 'report', 'connections', '1')).toContain('client of ann');
        expect(await run('server', 'report', 'accounts')).toMatch(/\bA\b/);
        expect(await run('server', 'check', 'connection')).toMatch(/OK/);
        expect(await run('server', 'request', 'variables')).toMatch(/"server_name": ?"sysy"/);
        expect(await run('server', 'account', 'info', 'A')).toMatch(/Account/);
        expect(await run('account', 'info')).toMatch(/admin/);
      } finally {
        await weir.stop();
      }
    },
    120_000,
  );
});
