// Who has streams, and how much of them: by configuration, by JWT, and after a reload.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Algorithms, encodeGeneric } from '@nats-io/jwt';
import { createAccount, type KeyPair } from '@nats-io/nkeys';
import { type Authenticator, connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { newOperator, newUser } from '../auth/operator.js';
import { startWeirOn } from '../kit/judged.js';
import { addressOf, RawClient } from '../kit/raw-client.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually } from '../kit/wait.js';

type Weir = Awaited<ReturnType<typeof startWeirOn>>;

interface Answer {
  error?: { err_code: number };
  limits?: Record<string, number>;
  tiers?: Record<string, { limits: Record<string, number> }>;
}

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

async function start(config: string): Promise<Weir> {
  const weir = await startWeirOn(config);
  ended.push(() => weir.stop());
  return weir;
}

async function open(weir: Weir, as: { user?: string; authenticator?: Authenticator }): Promise<NatsConnection> {
  const login = as.user === undefined ? as : { user: as.user, pass: 'p' };
  const connection = await connect({ servers: weir.server.clientUrl, reconnect: false, ...login });
  ended.push(() => connection.close());
  return connection;
}

const ask = async (connection: NatsConnection, subject: string, body: object | string = '') =>
  (
    await connection.request(`$JS.API.${subject}`, typeof body === 'string' ? body : JSON.stringify(body))
  ).json() as Answer;

const folderOf = () => {
  const folder = tempFolder();
  ended.unshift(() => folder.remove());
  return JSON.stringify(folder.path);
};

describe('a reload', () => {
  it('lets nobody into an account before the streams are open that it left behind', async () => {
    const folder = folderOf();
    const own = (name: string) => `${name} { jetstream: enabled, users: [{ user: ${name}, password: p }] }`;
    const config = (...names: string[]) =>
      `jetstream { store_dir: ${folder} }\naccounts {\n${names.map(own).join('\n')}\n}`;
    const weir = await start(config('a', 'b'));
    const before = await open(weir, { user: 'b' });
    const names = Array.from({ length: 20 }, (_, i) => `S${i}`);
    for (const name of names) await ask(before, `STREAM.CREATE.${name}`, { name, subjects: [name], storage: 'file' });
    await weir.reload(config('a'));
    const reloaded = weir.reload(config('a', 'b'));
    while (!weir.server.options.accounts.some(({ name }) => name === 'b')) await turn();
    const early = await RawClient.open(addressOf(weir.url));
    ended.push(() => early.close());
    await early.line();
    early.send(`CONNECT {"user":"b","pass":"p","verbose":false,"headers":true,"no_responders":true}\r\nSUB r.* 1\r\n`);
    for (const name of names) early.send(`PUB ${name} r.${name} 0\r\n\r\n`);
    const answers: string[] = [];
    for (let i = 0; i < names.length; i++) answers.push(`${await early.line()} ${await early.line()}`);
    const stored = names.map((name) => {
      const ack = `{"stream":"${name}","seq":1}`;
      return `MSG r.${name} 1 ${ack.length} ${ack}`;
    });
    expect(answers.toSorted()).toEqual(stored.toSorted());
    await reloaded;
    expect(weir.server.accounts.get('b')?.opening).toBeNull();
  });

  it('gives an account streams, other limits, and takes them away; what is stored stays', async () => {
    const folder = folderOf();
    const config = (streams: string) =>
      `jetstream { store_dir: ${folder} }\naccounts {\n` +
      `A { jetstream: enabled, users: [{ user: a, password: p }] }\nB { ${streams} users: [{ user: b, password: p }] }\n}`;
    const weir = await start(config(''));
    const b = await open(weir, { user: 'b' });
    expect((await ask(b, 'INFO')).error).toMatchObject({ err_code: 10039 });

    await weir.reload(config('jetstream: { max_streams: 1 },'));
    expect((await ask(b, 'INFO')).limits).toMatchObject({ max_streams: 1 });
    const manager = await jetstreamManager(b);
    await manager.streams.add({ name: 'ONE', subjects: ['one'] });
    await jetstream(b).publish('one', 'x');
    expect((await ask(b, 'STREAM.CREATE.TWO', { name: 'TWO' })).error).toMatchObject({ err_code: 10027 });

    await weir.reload(config('jetstream: { max_streams: 2 },'));
    expect((await ask(b, 'STREAM.CREATE.TWO', { name: 'TWO' })).error).toBeUndefined();

    await weir.reload(config(''));
    expect((await ask(b, 'INFO')).error).toMatchObject({ err_code: 10039 });
    await weir.reload(config('jetstream: enabled,'));
    expect((await manager.streams.info('ONE')).state.messages).toBe(1);
  });
});

describe('a JWT', () => {
  it('says what an account may store, and says it anew', async () => {
    const operator = await newOperator();
    const account = createAccount();
    const folder = folderOf();
    const config = async (limits: object) =>
      operator.config(
        { [account.getPublicKey()]: await operator.account('A', account, { limits: limits as never }) },
        `jetstream { store_dir: ${folder} }`,
      );
    const weir = await start(await config({}));
    const { authenticator } = await newUser(account);
    const a = await open(weir, { authenticator });
    expect((await ask(a, 'INFO')).error).toMatchObject({ err_code: 10039 });

    const flat = { mem_storage: 0, disk_storage: 1_000_000, streams: 2, consumer: 3, disk_max_stream_bytes: 500_000 };
    await weir.reload(await config(flat));
    const create = async (name: string, more: object) =>
      (await ask(a, `STREAM.CREATE.${name}`, { name, ...more })).error;
    expect((await ask(a, 'INFO')).limits).toMatchObject({
      ...{ max_memory: 0, max_storage: 1_000_000, max_streams: 2, max_consumers: 3 },
      storage_max_stream_bytes: 500_000,
    });
    expect(await create('M', { storage: 'memory' })).toMatchObject({ err_code: 10028 });
    expect(await create('F', { max_bytes: 600_000 })).toMatchObject({ err_code: 10122 });
    expect(await create('F', { max_bytes: 400_000 })).toBeUndefined();
    expect(await create('G', { max_bytes: 400_000 })).toBeUndefined();
    expect(await create('H', { max_bytes: 1000 })).toMatchObject({ err_code: 10027 });

    await weir.reload(await config({ tiered_limits: { R1: { mem_storage: -1, disk_storage: -1, streams: 3 } } }));
    expect((await ask(a, 'INFO')).tiers?.R1.limits).toMatchObject({ max_memory: -1, max_storage: -1, max_streams: 3 });
    expect(await create('H', { storage: 'memory' })).toBeUndefined();
    expect(await create('I', {})).toMatchObject({ err_code: 10027 });

    await weir.reload(await config({ tiered_limits: { R3: { mem_storage: -1, disk_storage: -1 } } }));
    expect(await create('I', {})).toMatchObject({ err_code: 10120 });
  });

  it('brings back at the start what its account stored', async () => {
    const operator = await newOperator();
    const account = createAccount();
    const token = await operator.account('A', account, { limits: { mem_storage: -1, disk_storage: -1 } as never });
    const config = await operator.config({ [account.getPublicKey()]: token }, `jetstream { store_dir: ${folderOf()} }`);
    const { authenticator } = await newUser(account);
    const first = await startWeirOn(config);
    const connection = await connect({ servers: first.server.clientUrl, reconnect: false, authenticator });
    await (await jetstreamManager(connection)).streams.add({ name: 'S', subjects: ['s'] });
    await jetstream(connection).publish('s', 'x');
    await connection.close();
    await first.stop();
    const again = await open(await start(config), { authenticator });
    expect((await (await jetstreamManager(again)).streams.info('S')).state.messages).toBe(1);
  });
});

describe('an account whose streams are being opened', () => {
  it('is waited for by whoever comes into it, or into one that imports from it', async () => {
    const own = (name: string, more = '') => `${name} { users: [{ user: ${name}, password: p }]\n${more} }\n`;
    const exported = 'exports: [{ service: q }]\n';
    const imported = (from: string) => `imports: [{ service: { account: ${from}, subject: q } }]\n`;
    const accounts = [own('a', exported), own('b', exported + imported('a')), own('c', imported('b')), own('d')];
    const weir = await start(`accounts {\n${accounts.join('')}}`);
    const account = weir.server.accounts.get('a')!;
    let opened = () => {};
    account.opening = new Promise((resolve) => {
      opened = () => {
        account.opening = null;
        resolve();
      };
    });
    const there: string[] = [];
    const coming = ['a', 'b', 'c'].map((user) => open(weir, { user }).then(() => there.push(user)));
    await (await open(weir, { user: 'd' })).flush();
    expect(there).toEqual([]);
    opened();
    await Promise.all(coming);
    expect(there.toSorted()).toEqual(['a', 'b', 'c']);
  });
});

describe('an account that is deleted', () => {
  it('has no streams any more; what is stored stays', async () => {
    const operator = await newOperator();
    const account = createAccount();
    const token = await operator.account('A', account, { limits: { mem_storage: -1, disk_storage: -1 } as never });
    const resolver = tempFolder();
    ended.push(() => resolver.remove());
    const save = (name: KeyPair, jwt: string) => writeFileSync(join(resolver.path, `${name.getPublicKey()}.jwt`), jwt);
    save(account, token);
    save(operator.system, operator.systemToken);
    const weir = await start(
      `operator: ${operator.token}\nresolver: { type: full, allow_delete: true, dir: ${JSON.stringify(resolver.path)} }\n` +
        `system_account: ${operator.system.getPublicKey()}\njetstream { store_dir: ${folderOf()} }`,
    );
    const { authenticator } = await newUser(account);
    const owner = await open(weir, { authenticator });
    await (await jetstreamManager(owner)).streams.add({ name: 'S', subjects: ['s'] });
    await jetstream(owner).publish('s', 'x');
    const admin = await open(weir, { authenticator: (await newUser(operator.system)).authenticator });
    const streams = async () =>
      (await admin.request('$SYS.REQ.SERVER.PING.JSZ')).json<{ data: { streams: number } }>().data.streams;
    expect(await streams()).toBe(1);
    const named = { accounts: [account.getPublicKey()] };
    const wish = await encodeGeneric('delete', operator.key, 'generic', named, { algorithm: Algorithms.v2 });
    await admin.request('$SYS.REQ.CLAIMS.DELETE', wish, { timeout: 10_000 });
    await owner.closed();
    await eventually(async () => (await streams()) === 0, 'its stream to be closed');
    await admin.request(`$SYS.REQ.ACCOUNT.${account.getPublicKey()}.CLAIMS.UPDATE`, token, { timeout: 10_000 });
    const again = await open(weir, { authenticator });
    const messages = async () => (await (await jetstreamManager(again)).streams.info('S')).state.messages;
    await eventually(async () => (await messages().catch(() => 0)) === 1, 'it to be back');
  });
});

describe('a server that stops', () => {
  it('tells those who wait for messages', async () => {
    const weir = await startWeirOn(`jetstream { store_dir: ${folderOf()} }`);
    const connection = await open(weir, {});
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'S', subjects: ['s'] });
    await manager.consumers.add('S', { durable_name: 'c', ack_policy: 'explicit' });
    const answers = connection.subscribe('answers');
    connection.publish('$JS.API.CONSUMER.MSG.NEXT.S.c', '{"expires":60000000000}', { reply: 'answers' });
    await connection.flush();
    const next = answers[Symbol.asyncIterator]().next();
    await weir.stop();
    const { value } = await next;
    expect([value?.headers?.code, value?.headers?.description]).toEqual([409, 'Server Shutdown']);
  });
});
