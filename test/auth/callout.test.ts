import { Algorithms, decode, encodeAuthorizationResponse, encodeUser, type User } from '@nats-io/jwt';
import { createAccount, createCurve, fromPublic, type KeyPair } from '@nats-io/nkeys';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, expect, it } from 'vitest';
import { judged } from '../kit/judged.js';
import { newOperator, newUser } from './operator.js';

const DEADLINE_MS = 10_000;
const v2 = { algorithm: Algorithms.v2 };
// biome-ignore lint/suspicious/noExplicitAny: answers are looked into at will, and every look is an expectation.
type Json = Record<string, any>;

/** What the service says of a request. */
type Say = (request: Json) => Promise<{ jwt?: string; error?: string; issuer?: KeyPair; server?: string } | null>;

judged('auth callout', (start) => {
  const open: NatsConnection[] = [];
  afterEach(async () => {
    for (const connection of open.splice(0)) await connection.close();
  });
  const client = async (servers: string, login: object) => {
    const connection = await connect({ servers, reconnect: false, timeout: DEADLINE_MS, ...login });
    open.push(connection);
    return connection;
  };
  /** Answers requests on a connection, and keeps them. */
  const serve = async (connection: NatsConnection, issuer: KeyPair, { say, curve }: { say: Say; curve?: KeyPair }) => {
    const requests: Json[] = [];
    connection.subscribe('$SYS.REQ.USER.AUTH', {
      callback: (_error, message) => {
        void (async () => {
          const xkey = message.headers?.get('Nats-Server-Xkey') ?? '';
          const token = curve === undefined ? message.data : curve.open(message.data, xkey)!;
          const request = decode(new TextDecoder().decode(token)) as Json;
          requests.push(request);
          const said = await say(request);
          if (said === null) return;
          const { jwt = '', error = '', issuer: signer = issuer, server = request.iss } = said;
          const user = fromPublic(request.nats.user_nkey);
          const answer = await encodeAuthorizationResponse(
            user,
            fromPublic(server),
            signer,
            { jwt, error } as never,
            v2,
          );
          const bytes = new TextEncoder().encode(answer);
          message.respond(curve === undefined ? bytes : curve.seal(bytes, xkey));
        })();
      },
    });
    await connection.flush();
    return requests;
  };
  const config = (issuer: KeyPair, more = '') => `
    accounts { AUTH { users: [{ user: auth, password: p }, { user: probe, password: p }] }, A {}, B {} }
    authorization {
      timeout: 2
      auth_callout { issuer: ${issuer.getPublicKey()}, account: AUTH, auth_users: [auth, probe] ${more} }
    }`;
  const userJwt = (issuer: KeyPair, key: string, claims: Partial<User> = {}, more = {}) =>
    encodeUser('named by the service', fromPublic(key), issuer, claims, { ...v2, aud: 'A', ...more });
  const auth = { user: 'auth', pass: 'p' };
  const refused = /authorization/i;

  it('lets a service say who somebody is, where, and what it may do', async () => {
    const issuer = createAccount();
    const { url } = await start(config(issuer));
    const service = await client(url, auth);
    const requests = await serve(service, issuer, {
      say: async ({ nats }) => {
        if (nats.connect_opts.pass !== 'right') return { error: 'wrong password' };
        return {
          jwt: await userJwt(issuer, nats.user_nkey, { pub: { allow: ['mine', '$SYS.REQ.USER.INFO', '_INBOX.>'] } }),
        };
      },
    });
    const ann = await client(url, { user: 'ann', pass: 'right', name: 'client of ann' });
    const info = (await ann.request('$SYS.REQ.USER.INFO', '', { timeout: DEADLINE_MS })).json() as Json;
    expect(info.data).toMatchObject({ account: 'A', user: 'named by the service' });
    expect(requests[0]).toMatchObject({
      aud: 'nats-authorization-request',
      iss: expect.stringMatching(/^N/),
      nats: {
        server_id: { id: requests[0].iss, name: expect.any(String) },
        user_nkey: expect.stringMatching(/^U/),
        client_info: { host: '127.0.0.1', id: expect.any(Number), user: 'ann', kind: 'Client', type: 'nats' },
        connect_opts: { user: 'ann', pass: 'right', name: 'client of ann', lang: 'nats.js', protocol: 1 },
        type: 'authorization_request',
        version: 2,
      },
    });
    await expect(client(url, { user: 'ann', pass: 'wrong' })).rejects.toThrow(refused);
    await expect(client(url, { user: 'auth', pass: 'wrong' })).rejects.toThrow(refused);
    expect(requests).toHaveLength(2);
  });

  it('believes only what the service signed for this request', async () => {
    const issuer = createAccount();
    const { url } = await start(config(issuer));
    const service = await client(url, auth);
    let say: Say = async () => null;
    await serve(service, issuer, { say: (request) => say(request) });
    const attempt = async (wrong: Say) => {
      say = wrong;
      await expect(client(url, { user: 'ann' })).rejects.toThrow(refused);
    };
    const stranger = createAccount();
    await attempt(async ({ nats }) => ({ jwt: await userJwt(issuer, nats.user_nkey), issuer: stranger }));
    await attempt(async ({ nats }) => ({ jwt: await userJwt(stranger, nats.user_nkey) }));
    await attempt(async ({ nats }) => ({ jwt: await userJwt(issuer, nats.user_nkey, {}, { aud: 'NOWHERE' }) }));
    await attempt(async () => ({ jwt: (await newUser(issuer)).jwt }));
    await attempt(async () => ({ jwt: 'nonsense' }));
    await attempt(async () => ({ error: 'no' }));
    say = async ({ nats }) => ({ jwt: await userJwt(issuer, nats.user_nkey, {}, { aud: 'B' }) });
    await client(url, { user: 'ann' });
  });

  it('encrypts where there is a key', async () => {
    const [issuer, curve] = [createAccount(), createCurve()];
    const { url } = await start(config(issuer, `, xkey: ${curve.getPublicKey()}`));
    const service = await client(url, auth);
    const requests = await serve(service, issuer, {
      curve,
      say: async ({ nats }) => ({ jwt: await userJwt(issuer, nats.user_nkey) }),
    });
    await client(url, { user: 'ann' });
    expect(requests[0].nats.server_id.xkey).toMatch(/^X/);
  });

  it('does not wait for ever, and nobody makes requests up', async () => {
    const issuer = createAccount();
    const { url } = await start(config(issuer).replace('timeout: 2', 'timeout: 0.3'));
    await expect(client(url, { user: 'ann' })).rejects.toThrow(/authorization|authentication timeout/i);
    const probe = await client(url, { user: 'probe', pass: 'p' });
    const errors: string[] = [];
    void (async () => {
      for await (const status of probe.status()) if (status.type === 'error') errors.push(status.error.message);
    })();
    probe.publish('$SYS.REQ.USER.AUTH', 'made up');
    await expect.poll(() => errors.join(), { timeout: DEADLINE_MS }).toMatch(/\$SYS\.REQ\.USER\.AUTH/);
  });

  it('is asked by accounts of an operator', async () => {
    const operator = await newOperator();
    const [authAccount, target] = [createAccount(), createAccount()];
    const service = await newUser(authAccount);
    const sentinel = await newUser(authAccount, { bearer_token: true });
    const targetKey = target.getPublicKey();
    const token = await operator.account('AUTH', authAccount, {
      authorization: { auth_users: [service.key.getPublicKey()], allowed_accounts: [targetKey] },
    } as never);
    const tokens = { [authAccount.getPublicKey()]: token, [targetKey]: await operator.account('A', target) };
    const { url } = await start(await operator.config(tokens));
    const connection = await client(url, { authenticator: service.authenticator });
    await serve(connection, authAccount, {
      say: async ({ nats }) =>
        nats.connect_opts.auth_token === 'right'
          ? { jwt: await encodeUser('ann', fromPublic(nats.user_nkey), target, {}, v2) }
          : { error: 'no' },
    });
    const login = (token: string) => ({
      authenticator: () => ({ ...sentinel.bearer(''), auth_token: token }),
    });
    const ann = await client(url, login('right'));
    const info = (await ann.request('$SYS.REQ.USER.INFO', '', { timeout: DEADLINE_MS })).json() as Json;
    expect(info.data).toMatchObject({ account: targetKey });
    await expect(client(url, login('wrong'))).rejects.toThrow(refused);
  });

  it('needs an issuer and users that the server itself knows', async () => {
    const refuses = async (block: string, why: RegExp) => {
      await expect(start(`authorization { auth_callout { ${block} } }`)).rejects.toThrow(why);
    };
    const issuer = createAccount().getPublicKey();
    await refuses('auth_users: [a]', /Authorization callouts require an issuer to be specified/);
    await refuses(`issuer: ${issuer}`, /Authorization callouts require authorized users to be specified/);
    await refuses(
      'issuer: nobody, auth_users: [a]',
      /Expected callout user to be a valid public account nkey, got "nobody"/,
    );
    await refuses(
      `issuer: ${issuer}, auth_users: [a], xkey: x`,
      /Expected callout xkey to be a valid public xkey, got "x"/,
    );
  });
});
