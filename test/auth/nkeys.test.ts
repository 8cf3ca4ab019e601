import { createAccount, createCurve, createUser, type KeyPair } from '@nats-io/nkeys';
import { connect, nkeyAuthenticator, usernamePasswordAuthenticator } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeKey, encodeKey, isKey, verifyKey } from '../../src/auth/nkey.js';
import { judged } from '../kit/judged.js';
import { RawClient } from '../kit/raw-client.js';
import { until } from '../kit/wait.js';

describe('nkeys', () => {
  it('are read and written as others do', () => {
    const user = createUser().getPublicKey();
    const raw = decodeKey('user', user)!;
    expect(raw).toHaveLength(32);
    expect(encodeKey('user', raw)).toBe(user);
    expect(isKey('account', user)).toBe(false);
    expect(isKey('account', createAccount().getPublicKey())).toBe(true);
    const curve = createCurve();
    expect(decodeKey('curve', curve.getPublicKey())).toHaveLength(32);
  });

  it('with any letter changed are none', () => {
    const user = createUser().getPublicKey();
    for (let i = 0; i < user.length; i++) {
      const other = user.slice(0, i) + (user[i] === 'A' ? 'B' : 'A') + user.slice(i + 1);
      expect(decodeKey('user', other), other).toBeNull();
    }
    for (const wrong of ['', 'U', user.slice(1), `${user}A`, user.toLowerCase(), `${user.slice(0, -1)}1`])
      expect(decodeKey('user', wrong), wrong).toBeNull();
  });

  it('tell who signed', () => {
    const [one, other] = [createUser(), createUser()];
    const signed = Buffer.from('a nonce');
    const signature = one.sign(signed);
    expect(verifyKey('user', one.getPublicKey(), signed, signature)).toBe(true);
    expect(verifyKey('user', one.getPublicKey(), signed, signature), 'again').toBe(true);
    expect(verifyKey('account', one.getPublicKey(), signed, signature)).toBe(false);
    expect(verifyKey('user', other.getPublicKey(), signed, signature)).toBe(false);
    expect(verifyKey('user', one.getPublicKey(), Buffer.from('another'), signature)).toBe(false);
    expect(verifyKey('user', one.getPublicKey(), signed, signature.subarray(1))).toBe(false);
    expect(verifyKey('user', 'nonsense', signed, signature)).toBe(false);
  });
});

judged('nkey users', (start) => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const connection of open.splice(0)) await connection.close();
  });
  const config = (key: KeyPair) => `authorization { users = [
      { nkey: ${key.getPublicKey()}, permissions { publish: "mine.>" } }
      { user: ann, password: secret }
    ] }`;
  const client = async (url: string, key: KeyPair) => {
    const authenticator = nkeyAuthenticator(key.getSeed());
    const connection = await connect({ servers: url, authenticator, reconnect: false });
    open.push(connection);
    return connection;
  };

  it('sign what the server says', async () => {
    const key = createUser();
    const { url } = await start(config(key));
    const connection = await client(url, key);
    expect(connection.info).toMatchObject({ auth_required: true });
    const errors: string[] = [];
    void (async () => {
      for await (const status of connection.status()) if (status.type === 'error') errors.push(status.error.message);
    })();
    connection.publish('mine.a');
    connection.publish('theirs');
    await until(() => errors.length > 0, 'an error', 10_000);
    expect(errors.join()).toMatch(/Permissions Violation for Publish to "theirs"/i);
  });

  it('stand beside users with passwords', async () => {
    const { url } = await start(config(createUser()));
    const authenticator = usernamePasswordAuthenticator('ann', 'secret');
    open.push(await connect({ servers: url, authenticator, reconnect: false }));
  });

  it('who are others are refused', async () => {
    const { url } = await start(config(createUser()));
    await expect(client(url, createUser())).rejects.toThrow(/authorization/i);
  });

  it('must sign this nonce, and no other', async () => {
    const key = createUser();
    const { address } = await start(config(key));
    const attempt = async (sign: (nonce: string) => string) => {
      const raw = await RawClient.open(address);
      const { nonce } = JSON.parse((await raw.line()).slice(5));
      expect(nonce).toMatch(/^[\w-]{15}$/);
      const fields = { nkey: key.getPublicKey(), sig: sign(nonce), verbose: false, pedantic: false };
      raw.send(`CONNECT ${JSON.stringify(fields)}\r\nPING\r\n`);
      const answer = await raw.line();
      await raw.close();
      return answer;
    };
    const signature = (nonce: string) => Buffer.from(key.sign(Buffer.from(nonce)));
    expect(await attempt((nonce) => signature(nonce).toString('base64url'))).toBe('PONG');
    expect(await attempt((nonce) => signature(nonce).toString('base64'))).toBe('PONG');
    const refused = "-ERR 'Authorization Violation'";
    expect(await attempt((nonce) => signature(`${nonce}x`).toString('base64url'))).toBe(refused);
    expect(await attempt(() => '')).toBe(refused);
    expect(await attempt(() => '%%%')).toBe(refused);
  });

  it('may be who is unnamed', async () => {
    const key = createUser();
    const { url } = await start(`no_auth_user: ${key.getPublicKey()}\n${config(key)}`);
    const connection = await connect({ servers: url, reconnect: false });
    open.push(connection);
    await connection.flush();
  });
});
