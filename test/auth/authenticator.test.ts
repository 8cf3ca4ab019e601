import bcrypt from 'bcryptjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConnectionFacts, Credentials } from '../../src/auth/authentication.js';
import { Authenticator, type AuthorizationSettings } from '../../src/auth/authenticator.js';
import { PasswordChecker } from '../../src/auth/password-checker.js';

const nothing: Credentials = { user: '', password: '', token: '', nkey: '', jwt: '', signature: '' };
const facts: ConnectionFacts = {
  type: 'STANDARD',
  host: '127.0.0.1',
  nonce: '',
  certificate: null,
  note: () => {},
  warn: () => {},
  describe: () => ({}),
};
const ask = (authenticator: Authenticator, credentials: Partial<Credentials>) =>
  authenticator.authenticate({ ...nothing, ...credentials }, facts);
const anybody = { userName: '', account: '$G', permissions: null, limits: null, expiresMs: null, claims: null };

describe('who may come in', () => {
  const made: Authenticator[] = [];
  const make = (settings: Partial<AuthorizationSettings>) => {
    made.push(new Authenticator({ users: [], ...settings }));
    return made.at(-1)!;
  };
  afterEach(() => Promise.all(made.splice(0).map((authenticator) => authenticator.close())));

  it('everybody, when nobody is named', () => {
    const open = make({});
    expect(open.required).toBe(false);
    expect(ask(open, {})).toEqual(anybody);
    expect(ask(open, { user: 'x', password: 'y', token: 'z' })).toEqual(anybody);
  });

  it('who has the token', () => {
    const closed = make({ token: 't' });
    expect(closed.required).toBe(true);
    expect(ask(closed, { token: 't' })).not.toBeNull();
    for (const credentials of [{}, { token: 'T' }, { token: 'tt' }, { user: 't' }, { password: 't' }]) {
      expect(ask(closed, credentials)).toBeNull();
    }
  });

  it('who knows a user and the password', () => {
    const users = [
      { name: 'ann', password: 'p', permissions: { publish: { allow: ['a'] } } },
      { name: 'bob', password: '' },
    ];
    const closed = make({ users });
    const ann = ask(closed, { user: 'ann', password: 'p' });
    expect(ann).toMatchObject({ userName: 'ann' });
    expect(ask(closed, { user: 'ann', password: 'p' }), 'the same person').toBe(ann);
    expect(ask(closed, { user: 'bob' })).toMatchObject({ userName: 'bob', permissions: null });
    for (const credentials of [{ user: 'ann' }, { user: 'ann', password: 'q' }, { user: 'eve', password: 'p' }, {}]) {
      expect(ask(closed, credentials)).toBeNull();
    }
  });

  it('without credentials, who is taken for a user', () => {
    const users = [{ name: 'guest', password: 'g', permissions: { publish: { allow: ['g'] } } }];
    const half = make({ users, noAuthUser: 'guest' });
    expect(half.required).toBe(false);
    expect(ask(half, {})).toMatchObject({ userName: 'guest' });
    expect(ask(half, { user: 'guest', password: 'wrong' })).toBeNull();
    expect(ask(half, { token: 'something' })).toBeNull();
  });

  it('who knows the password of a bcrypt hash, whichever program made it', async () => {
    const hash = bcrypt.hashSync('secret', 4);
    for (const prefix of ['$2a$', '$2b$', '$2x$', '$2y$']) {
      const closed = make({ users: [{ name: 'ann', password: prefix + hash.slice(4) }] });
      expect(await ask(closed, { user: 'ann', password: 'secret' }), prefix).toMatchObject({ userName: 'ann' });
      expect(await ask(closed, { user: 'ann', password: 'secre' }), prefix).toBeNull();
    }
    const token = make({ token: hash });
    expect(await ask(token, { token: 'secret' })).not.toBeNull();
    expect(await ask(token, { token: hash })).toBeNull();
  });
});

describe('checking passwords in another thread', () => {
  it('answers each question with its own answer', async () => {
    const checker = new PasswordChecker();
    const hashes = ['a', 'b', 'c'].map((password) => bcrypt.hashSync(password, 4));
    const questions = ['a', 'b', 'c'].flatMap((password) => hashes.map((hash) => checker.matches(password, hash)));
    expect(await Promise.all(questions)).toEqual([true, false, false, false, true, false, false, false, true]);
    await checker.close();
  });

  it('says no to what is no hash, and goes on', async () => {
    const checker = new PasswordChecker();
    expect(await checker.matches('a', '$2a$99$nonsense')).toBe(false);
    expect(await checker.matches('a', bcrypt.hashSync('a', 4))).toBe(true);
    await checker.close();
  });

  it('says no to who is still waiting when it is closed, and can be asked again', async () => {
    const checker = new PasswordChecker();
    const waiting = checker.matches('a', bcrypt.hashSync('a', 4));
    await checker.close();
    expect(await waiting).toBe(false);
    expect(await checker.matches('a', bcrypt.hashSync('a', 4))).toBe(true);
    await checker.close();
  });

  it('refuses those who come when too many are waiting', async () => {
    const checker = new PasswordChecker();
    const hash = bcrypt.hashSync('a', 4);
    const answers = Array.from({ length: 1_020 }, () => checker.matches('a', hash));
    expect(await Promise.all(answers.slice(1_000))).toEqual(Array(20).fill(false));
    await checker.close();
  });
});
