import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Account, Algorithms, encodeActivation, encodeGeneric, newScopedSigner, type User } from '@nats-io/jwt';
import { createAccount, createOperator, type KeyPair } from '@nats-io/nkeys';
import { type Authenticator, connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { decodeAccountClaims } from '../../src/auth/account-claims.js';
import { isFrom, stayMs } from '../../src/auth/circumstances.js';
import { decodeJwt } from '../../src/auth/jwt.js';
import { fillTemplate, type TemplateNames } from '../../src/auth/template.js';
import { decodeUserClaims } from '../../src/auth/user-claims.js';
import { judged, startWeirOn } from '../kit/judged.js';
import { optionsOf } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { newOperator, newUser } from './operator.js';

const DEADLINE_MS = 10_000;

judged('JWTs', (start) => {
  const open: NatsConnection[] = [];
  afterEach(async () => {
    for (const connection of open.splice(0)) await connection.close();
  });
  const client = async (url: string, authenticator: Authenticator) => {
    const connection = await connect({ servers: url, authenticator, reconnect: false, timeout: DEADLINE_MS });
    open.push(connection);
    return connection;
  };
  /** A server with one account, its key, and how its users log in. */
  const withAccount = async (claims: Partial<Account> = {}, rest = '') => {
    const operator = await newOperator();
    const account = createAccount();
    const token = await operator.account('A', account, claims);
    const server = await start(await operator.config({ [account.getPublicKey()]: token }, rest));
    const join = async (user: Partial<User> = {}, more: Parameters<typeof newUser>[2] = {}) =>
      client(server.url, (await newUser(account, user, more)).authenticator);
    return { server, account, operator, join };
  };
  const refused = /authorization/i;
  const errorsOf = (connection: NatsConnection) => {
    const errors: string[] = [];
    void (async () => {
      for await (const status of connection.status()) if (status.type === 'error') errors.push(status.error.message);
    })();
    return errors;
  };

  it('let users in whose account an operator vouches for', async () => {
    const { server, join, account } = await withAccount();
    const connection = await join();
    await connection.flush();
    const stranger = await newUser(createAccount());
    await expect(client(server.url, stranger.authenticator)).rejects.toThrow(refused);
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(refused);
    const user = await newUser(account);
    const other = await newUser(account);
    const stolen = { ...user, authenticator: (nonce?: string) => ({ ...other.authenticator(nonce), jwt: user.jwt }) };
    await expect(client(server.url, stolen.authenticator as Authenticator)).rejects.toThrow(refused);
  });

  it('of accounts that somebody else signed are refused', async () => {
    const [operator, other] = [await newOperator(), await newOperator()];
    const account = createAccount();
    const token = await other.account('A', account);
    const server = await start(await operator.config({ [account.getPublicKey()]: token }));
    await expect(client(server.url, (await newUser(account)).authenticator)).rejects.toThrow(refused);
  });

  it('may be signed by signing keys, of the operator and of the account', async () => {
    const [operatorKey, accountKey] = [createOperator(), createAccount()];
    const operator = await newOperator({}, operatorKey);
    const account = createAccount();
    const token = await operator.account('A', account, { signing_keys: [accountKey.getPublicKey()] });
    const server = await start(await operator.config({ [account.getPublicKey()]: token }));
    await client(server.url, (await newUser(account, {}, { signer: accountKey })).authenticator);
    const unknown = await newUser(account, {}, { signer: createAccount() });
    await expect(client(server.url, unknown.authenticator)).rejects.toThrow(refused);
  });

  it('have permissions and limits', async () => {
    const { join } = await withAccount();
    const connection = await join({ pub: { allow: ['mine.>'] }, sub: { deny: ['secret'] }, payload: 10 });
    const errors = errorsOf(connection);
    connection.publish('theirs', '');
    connection.subscribe('secret');
    await connection.flush();
    await expect.poll(() => errors.length, { timeout: DEADLINE_MS }).toBe(2);
    expect(errors.join()).toMatch(/publish.*"theirs".*subscription.*"secret"/is);
    expect(connection.info?.max_payload).toBe(10);
  });

  it('take permissions from the account, or from the template of a signing key', async () => {
    const scoped = createAccount();
    const template = {
      pub: { allow: ['{{name()}}.>', 'team.{{tag(team)}}', 'in.{{account-name()}}'] },
      sub: { allow: ['_INBOX.>'] },
      ...{ subs: -1, data: -1, payload: -1 },
    };
    const { join } = await withAccount({
      default_permissions: { pub: { allow: ['default'] } },
      signing_keys: [newScopedSigner(scoped, 'role', template)],
    });
    const told = async (connection: NatsConnection, subjects: string[]) => {
      const errors = errorsOf(connection);
      for (const subject of [...subjects, 'last']) connection.publish(subject, '');
      await connection.flush();
      await expect.poll(() => errors.some((error) => error.includes('"last"')), { timeout: DEADLINE_MS }).toBe(true);
      return subjects.filter((subject) => !errors.some((error) => error.includes(`"${subject}"`)));
    };
    const user = { tags: ['team:red', 'team:blue'] } as Partial<User>;
    const ann = await join(user, { signer: scoped, scopedUser: true, name: 'ann' });
    const subjects = ['ann.x', 'bob.x', 'team.red', 'team.blue', 'team.green', 'in.A', 'default'];
    expect(await told(ann, subjects)).toEqual(['ann.x', 'team.red', 'team.blue', 'in.A']);
    expect(await told(await join(), subjects)).toEqual(['default']);
    await expect(join({ pub: { allow: ['>'] } }, { signer: scoped, scopedUser: true })).rejects.toThrow(refused);
  });

  it('end: what has expired, is not yet valid or was taken back lets nobody in', async () => {
    const user = await newUser(createAccount());
    const revoked = user.key.getPublicKey();
    const { join } = await withAccount({ revocations: { [revoked]: Math.floor(Date.now() / 1000) + 60 } });
    const now = Math.floor(Date.now() / 1000);
    await expect(join({}, { exp: now - 60 })).rejects.toThrow(refused);
    await expect(join({}, { nbf: now + 600 })).rejects.toThrow(refused);
    await expect(join({}, { key: user.key })).rejects.toThrow(refused);
    await join({}, { exp: now + 600 });
  });

  it('end while a client is there', async () => {
    const { join } = await withAccount();
    const connection = await join({}, { exp: Math.floor(Date.now() / 1000) + 2 });
    expect(String(await connection.closed())).toMatch(/expired/i);
  });

  it('of accounts end while clients are there', async () => {
    const operator = await newOperator();
    const account = createAccount();
    const exp = Math.floor(Date.now() / 1000) + 2;
    const token = await operator.account('A', account, {}, { exp });
    const server = await start(await operator.config({ [account.getPublicKey()]: token }));
    const user = await newUser(account);
    const connection = await client(server.url, user.authenticator);
    expect(String(await connection.closed())).toMatch(/expired/i);
    await expect(client(server.url, user.authenticator)).rejects.toThrow(refused);
  });

  it('may need no signature', async () => {
    const { server, account, join } = await withAccount();
    const bearer = await newUser(account, { bearer_token: true });
    await client(server.url, bearer.bearer);
    await expect(client(server.url, (await newUser(account)).bearer)).rejects.toThrow(refused);
    await join();
  });

  it('say from where, when and how clients may come', async () => {
    const { join } = await withAccount();
    await join({ src: ['127.0.0.0/8', '10.0.0.0/8'] });
    await expect(join({ src: ['10.0.0.0/8'] })).rejects.toThrow(refused);
    await join({ times: [{ start: '00:00:00', end: '23:59:59' }] });
    const hour = new Date().getUTCHours();
    const at = (hours: number) => `${String((hours + 24) % 24).padStart(2, '0')}:00:00`;
    const later = { times: [{ start: at(hour + 2), end: at(hour + 3) }], times_location: 'UTC' } as Partial<User>;
    await expect(join(later)).rejects.toThrow(refused);
    await join({ allowed_connection_types: ['STANDARD', 'WEBSOCKET'] });
    await expect(join({ allowed_connection_types: ['WEBSOCKET'] })).rejects.toThrow(refused);
    await expect(join({ allowed_connection_types: ['NONSENSE' as never] })).rejects.toThrow(refused);
  });

  it('limit what an account may have', async () => {
    const { join } = await withAccount({ limits: { conn: 1, disallow_bearer: true } });
    await join();
    await expect(join()).rejects.toThrow(/maximum account active connections exceeded|EPIPE|ECONNRESET/i);
  });

  it('carry imports and exports, and mappings', async () => {
    const operator = await newOperator();
    const [a, b, c] = [createAccount(), createAccount(), createAccount()];
    const aKey = a.getPublicKey();
    const activation = await encodeActivation('x', b, a, 'stream', { subject: 'private' } as never);
    const tokens = {
      [aKey]: await operator.account('A', a, {
        exports: [
          { name: 's', subject: 'pub.>', type: 'stream' },
          { name: 'q', subject: 'svc', type: 'service' },
          { name: 'p', subject: 'private', type: 'stream', token_req: true },
        ],
        mappings: { from: [{ subject: 'to' }] },
      } as never),
      [b.getPublicKey()]: await operator.account('B', b, {
        imports: [
          { name: 's', account: aKey, subject: 'pub.>', local_subject: 'of_a.>', type: 'stream' },
          { name: 'q', account: aKey, subject: 'svc', local_subject: 'ask', type: 'service' },
          { name: 'p', account: aKey, subject: 'private', type: 'stream', token: activation },
        ] as never,
      }),
      [c.getPublicKey()]: await operator.account('C', c, {
        imports: [{ name: 'p', account: aKey, subject: 'private', type: 'stream' }] as never,
      }),
    };
    const server = await start(await operator.config(tokens));
    const [inA, inB, inC] = await Promise.all(
      [a, b, c].map(async (account) => client(server.url, (await newUser(account)).authenticator)),
    );
    const heard: Record<string, string[]> = { a: [], b: [], c: [] };
    const listen = (connection: NatsConnection, to: string[]) =>
      connection.subscribe('>', {
        callback: (_error, { subject }) => {
          if (!subject.startsWith('_')) to.push(subject);
        },
      });
    listen(inB, heard.b);
    listen(inC, heard.c);
    inA.subscribe('to', { callback: (_error, { subject }) => void heard.a.push(subject) });
    inA.subscribe('svc', { callback: (_error, message) => void message.respond('answer') });
    for (const one of [inA, inB, inC]) await one.flush();
    expect((await inB.request('ask', '', { timeout: DEADLINE_MS })).string()).toBe('answer');
    for (const subject of ['pub.x', 'private', 'from']) inA.publish(subject);
    for (const one of [inA, inB, inC]) await one.flush();
    expect(heard).toEqual({
      a: ['to'],
      b: ['ask', 'of_a.x', 'private'].filter((name) => heard.b.includes(name)),
      c: [],
    });
    expect(heard.b).toEqual(expect.arrayContaining(['of_a.x', 'private']));
  });

  it('are pinned to accounts, and one stands for those who show none', async () => {
    const operator = await newOperator();
    const [a, b] = [createAccount(), createAccount()];
    const sentinel = await newUser(a, { bearer_token: true });
    const server = await start(
      await operator.config(
        {
          [a.getPublicKey()]: await operator.account('A', a),
          [b.getPublicKey()]: await operator.account('B', b),
        },
        `resolver_pinned_accounts: [${a.getPublicKey()}]\ndefault_sentinel: ${sentinel.jwt}`,
      ),
    );
    await client(server.url, (await newUser(a)).authenticator);
    await expect(client(server.url, (await newUser(b)).authenticator)).rejects.toThrow(refused);
    open.push(await connect({ servers: server.url, reconnect: false }));
  });

  it('do not go with users of the configuration', async () => {
    const operator = await newOperator();
    const refuses = async (rest: string, why: RegExp) => {
      await expect(start(await operator.config({}, rest))).rejects.toThrow(why);
    };
    await refuses('accounts { A {} }', /operators do not allow Accounts to be configured directly/);
    await refuses('authorization { users: [{ user: a, password: b }] }', /operators do not allow users/);
    await refuses('trusted_keys: [x]', /trust key "x" required to be a valid public operator nkey/);
    await refuses(
      `trusted_keys: [${operator.key.getPublicKey()}]`,
      /conflicting options for 'TrustedKeys' and 'TrustedOperators'/,
    );
    await expect(start('operator: nonsense')).rejects.toThrow(/error parsing operator JWT/);
  });
});

judged('account resolvers', (start) => {
  const clean: (() => unknown)[] = [];
  afterEach(async () => {
    for (const undo of clean.splice(0).reverse()) await undo();
  });
  const enter = async (url: string, account: KeyPair) => {
    const { authenticator } = await newUser(account);
    const connection = await connect({ servers: url, authenticator, reconnect: false, timeout: DEADLINE_MS });
    clean.push(() => connection.close());
    await connection.flush();
  };

  it('ask a server', async () => {
    const operator = await newOperator();
    const [known, unknown] = [createAccount(), createAccount()];
    const tokens = new Map([
      [known.getPublicKey(), await operator.account('A', known)],
      [operator.system.getPublicKey(), operator.systemToken],
    ]);
    const web = createServer((request, response) => {
      const token = tokens.get(request.url!.split('/').at(-1)!);
      response.writeHead(token === undefined && request.url !== '/jwt/' ? 404 : 200).end(token ?? '');
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    clean.push(() => web.close());
    const { port } = web.address() as AddressInfo;
    const server = await start(`operator: ${operator.token}\nresolver: URL("http://127.0.0.1:${port}/jwt/")`);
    await enter(server.url, known);
    await expect(enter(server.url, unknown)).rejects.toThrow(/authorization/i);
    web.closeAllConnections();
  });

  it('look into a folder', async () => {
    const operator = await newOperator();
    const [known, unknown] = [createAccount(), createAccount()];
    const folder = tempFolder();
    clean.push(folder.remove);
    const keep = (account: KeyPair, token: string) =>
      writeFileSync(join(folder.path, `${account.getPublicKey()}.jwt`), token);
    keep(known, await operator.account('A', known));
    keep(operator.system, operator.systemToken);
    const server = await start(
      `operator: ${operator.token}\nresolver: { type: full, dir: ${JSON.stringify(folder.path)} }`,
    );
    await enter(server.url, known);
    await expect(enter(server.url, unknown)).rejects.toThrow(/authorization/i);
  });

  it('may be deleted there, and who is in such an account has to go', async () => {
    const operator = await newOperator();
    const [gone, stays] = [createAccount(), createAccount()];
    const folder = tempFolder();
    clean.push(folder.remove);
    const tokens = [
      [gone, await operator.account('A', gone)],
      [stays, await operator.account('B', stays)],
    ] as const;
    for (const [account, token] of [...tokens, [operator.system, operator.systemToken] as const])
      writeFileSync(join(folder.path, `${account.getPublicKey()}.jwt`), token);
    const server = await start(
      `operator: ${operator.token}\nresolver: { type: full, allow_delete: true, dir: ${JSON.stringify(folder.path)} }`,
    );
    const come = async (account: KeyPair) => {
      const { authenticator } = await newUser(account);
      const connection = await connect({ servers: server.url, authenticator, reconnect: false, timeout: DEADLINE_MS });
      clean.push(() => void connection.close());
      return connection;
    };
    const [admin, one, other] = await Promise.all([operator.system, gone, stays].map(come));
    const sign = (signer: KeyPair) =>
      encodeGeneric('delete', signer, 'generic', { accounts: [gone.getPublicKey()] }, { algorithm: Algorithms.v2 });
    const ask = async (token: string) =>
      (await admin.request('$SYS.REQ.CLAIMS.DELETE', token, { timeout: 10_000 })).json<{
        data?: object;
        error?: object;
      }>();
    expect((await ask(await sign(createOperator()))).error).toBeDefined();
    await one.flush();
    expect((await ask(await sign(operator.key))).data).toBeDefined();
    await one.closed();
    await expect(enter(server.url, gone)).rejects.toThrow(/authorization|expired|exceeded/i);
    await other.flush();
  });
});

/** What a client hears who comes by WebSocket with these headers and says nothing of who it is. */
async function answerTo(url: string, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(url, { headers });
  const got: string[] = [];
  socket.on('message', (data) => got.push(String(data)));
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send('CONNECT {"verbose":false}\r\nPING\r\n');
  await expect.poll(() => got.join(''), { timeout: DEADLINE_MS }).toMatch(/PONG|-ERR/);
  socket.terminate();
  return got.join('');
}

describe('JWTs of weir', () => {
  it('may come with the configuration again, and in a cookie', async () => {
    const operator = await newOperator();
    const account = createAccount();
    const key = account.getPublicKey();
    const cookie = 'websocket { listen: "127.0.0.1:-1", no_tls: true, jwt_cookie: pass }';
    const config = async (claims: Partial<Account>) =>
      operator.config({ [key]: await operator.account('A', account, claims) }, cookie);
    const weir = await startWeirOn(await config({}));
    try {
      const user = await newUser(account, { bearer_token: true });
      const [url] = weir.server.urls.websocket!;
      const answer = (jwt: string) => answerTo(url, { Cookie: `pass=${jwt}` });
      expect(await answer(user.jwt)).toContain('PONG');
      expect(await answer('nonsense')).toContain("-ERR 'Authorization Violation'");
      await weir.reload(await config({ limits: { disallow_bearer: true } as never }));
      expect(weir.lines).toContain('info Reloaded: account resolver');
      expect(await answer(user.jwt)).toContain("-ERR 'Authorization Violation'");
      const other = await newOperator();
      await expect(weir.reload(await other.config({}, cookie))).rejects.toThrow(
        /config reload not supported for (?:TrustedOperators|SystemAccount)/,
      );
    } finally {
      await weir.stop();
    }
  });

  it('of a configuration that is read again are all taken, or nothing changes', async () => {
    const operator = await newOperator();
    const [good, bad] = [createAccount(), createAccount()];
    const [goodKey, badKey] = [good.getPublicKey(), bad.getPublicKey()];
    const before = await operator.account('before', good);
    const weir = await startWeirOn(await operator.config({ [goodKey]: before }));
    try {
      const { operator: accounts } = weir.server;
      const after = await operator.account('after', good);
      const stranger = await operator.account('B', bad, {}, { signer: createOperator() });
      const both = await operator.config({ [goodKey]: after, [badKey]: stranger }, 'max_payload: 1000');
      await expect(weir.reload(both)).rejects.toThrow(/cannot take the JWT of account "A\w+": .*not signed by trusted/);
      expect(accounts!.store.fetch(goodKey)).toBe(before);
      expect(weir.server.options.payloadBytesMax).toBe(2 ** 20);
      // What was told since is not taken back by a file that says what it said before.
      accounts!.update(goodKey, after);
      await weir.reload(await operator.config({ [goodKey]: before, [badKey]: await operator.account('B', bad) }));
      expect(accounts!.store.fetch(goodKey)).toBe(after);
      expect(accounts!.store.fetch(badKey)).not.toBeNull();
    } finally {
      await weir.stop();
    }
  });

  it('are not taken in by what a header says of where a client is', async () => {
    const operator = await newOperator();
    const account = createAccount();
    const listen = 'websocket { listen: "127.0.0.1:-1", no_tls: true, jwt_cookie: pass }';
    const tokens = { [account.getPublicKey()]: await operator.account('A', account) };
    const weir = await startWeirOn(await operator.config(tokens, listen));
    try {
      const [url] = weir.server.urls.websocket!;
      const answer = async (src: string[]) => {
        const { jwt } = await newUser(account, { bearer_token: true, src });
        return answerTo(url, { Cookie: `pass=${jwt}`, 'X-Forwarded-For': '10.0.0.1' });
      };
      expect(await answer(['10.0.0.0/8'])).toContain("-ERR 'Authorization Violation'");
      expect(await answer(['127.0.0.0/8'])).toContain('PONG');
    } finally {
      await weir.stop();
    }
  });

  it('of operators want to know where accounts come from', async () => {
    const { token } = await newOperator();
    await expect(optionsOf(`operator: ${token}`)).rejects.toThrow(
      /operators require an account resolver to be configured/,
    );
  });

  it('are believed only as a whole', async () => {
    const operator = await newOperator();
    const account = createAccount();
    const token = await operator.account('A', account);
    expect(decodeAccountClaims(token)).toMatchObject({ subject: account.getPublicKey(), name: 'A' });
    expect(decodeJwt(operator.token, 'operator').subject).toBe(operator.key.getPublicKey());
    expect(() => decodeJwt(token, 'user')).toThrow(/expected a claim of type user, found "account"/);
    const [head, body, signature] = token.split('.');
    const other = (text: string) => (text[10] === 'A' ? 'B' : 'A');
    const changed = (text: string) => text.slice(0, 10) + other(text) + text.slice(11);
    for (const wrong of [
      `${head}.${body}`,
      `${changed(head)}.${body}.${signature}`,
      `${head}.${changed(body)}.${signature}`,
      `${head}.${body}.${changed(signature)}`,
      `${head}.${body}.`,
      '..',
      '',
    ])
      expect(() => decodeAccountClaims(wrong), wrong).toThrow();
    const none = Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url');
    expect(() => decodeAccountClaims(`${none}.${body}.${signature}`)).toThrow(/unexpected "none" algorithm/);
  });

  it('of users say whether they are scoped', async () => {
    const account = createAccount();
    const plain = await newUser(account, { pub: { allow: ['a'] } });
    expect(decodeUserClaims(plain.jwt)).toMatchObject({ isScoped: false, limits: { permissions: { publish: {} } } });
    const scoped = await newUser(account, {}, { signer: createAccount(), scopedUser: true });
    expect(decodeUserClaims(scoped.jwt)).toMatchObject({ isScoped: true, issuerAccount: account.getPublicKey() });
  });
});

describe('where clients come from', () => {
  it.each([
    [[], 'anything', true],
    [['192.168.0.0/16'], '192.168.3.4', true],
    [['192.168.0.0/16'], '192.169.3.4', false],
    [['fd00::/8', '10.0.0.0/8'], 'fd12::1', true],
    [['10.0.0.0/8'], 'not an address', false],
    [['10.0.0.0/99'], '10.0.0.1', false],
    [['nonsense'], '10.0.0.1', false],
  ])('%j and %s', (networks, address, expected) => {
    expect(isFrom(networks, address)).toBe(expected);
  });
});

describe('times of the day', () => {
  const at = (time: string) => Date.parse(`2024-03-05T${time}Z`);
  const stay = (start: string, end: string, time: string, timeZone = 'UTC') =>
    stayMs({ times: [{ start, end }], timeZone }, at(time));
  const hours = 3_600_000;

  it('say how long somebody may stay', () => {
    expect(stayMs({ times: [], timeZone: '' }, at('12:00:00'))).toBeNull();
    expect(stay('08:00:00', '17:00:00', '12:00:00')).toBe(5 * hours);
    expect(stay('08:00:00', '17:00:00', '17:00:00')).toBe(0);
    expect(stay('22:00:00', '06:00:00', '23:00:00')).toBe(7 * hours);
    expect(stay('22:00:00', '06:00:00', '05:00:00')).toBe(hours);
    expect(stay('22:00:00', '06:00:00', '12:00:00')).toBe(0);
    expect(stay('08:00:00', '17:00:00', '12:00:00', 'Asia/Tokyo')).toBe(0);
    expect(stay('08:00:00', '17:00:00', '12:00:00', 'Nowhere/Land')).toBe(0);
    expect(stay('8', '17:00:00', '12:00:00')).toBe(0);
  });
});

describe('templates of permissions', () => {
  const names: TemplateNames = {
    userName: 'ann',
    userKey: 'UKEY',
    userTags: ['a:1', 'a:2', 'b:3'],
    accountName: 'acme',
    accountKey: 'AKEY',
    accountTags: ['region:eu'],
  };
  const fill = (allow: string[], deny: string[] = []) => fillTemplate({ publish: { allow, deny } }, names)?.publish;

  it('are filled', () => {
    expect(fill(['{{name()}}.{{subject()}}', '{{ Account-Name() }}.{{account-tag(region)}}'])).toEqual({
      allow: ['ann.UKEY', 'acme.eu'],
      deny: [],
    });
    expect(fill(['{{tag(a)}}.{{tag(b)}}.{{tag(a)}}'])?.allow).toHaveLength(4);
    expect(fill(['plain', '{{ name() }}.x queue'])?.allow).toEqual(['plain', 'ann.x queue']);
  });

  it('never allow more than they say', () => {
    expect(fill(['{{tag(none)}}']), 'nothing is left').toEqual({ allow: [], deny: ['>'] });
    expect(fill(['x'], ['{{tag(none)}}']), 'a ban that says nothing').toBeUndefined();
    expect(fill(['{{unknown()}}'])).toBeUndefined();
    const spaced = fillTemplate({ publish: { allow: ['{{name()}}.x'] } }, { ...names, userName: 'ann evil' });
    expect(spaced?.publish, 'a name with a space').toEqual({ allow: [], deny: ['>'] });
    const many = Array.from({ length: 70 }, (_, i) => `a:${i}`);
    const huge = { publish: { allow: ['{{tag(a)}}.{{tag(a)}}.{{tag(a)}}'] } };
    expect(fillTemplate(huge, { ...names, userTags: many })).toBeNull();
  });
});
