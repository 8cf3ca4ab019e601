import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAccount, createUser } from '@nats-io/nkeys';
import bcrypt from 'bcryptjs';
import { newOperator, newUser } from '../../test/auth/operator.js';
import { type Attack, written } from './attack.js';
import type { Field } from './field.js';
import { endings, inTurns } from './raw.js';

const ANYBODY = 'no_auth_user: probe\n';
const PROBE = '{ user: probe, password: probe }';

/** Logins that fail, so many at a time; answers how they ended. */
async function logins(field: Field, count: number, fields: (i: number) => object): Promise<string> {
  const told: string[] = [];
  await inTurns(count, 100, async (i) => {
    const raw = field.raw();
    await raw.saw('INFO');
    void raw.send(`CONNECT ${JSON.stringify({ verbose: false, ...fields(i) })}\r\nPING\r\n`);
    told.push(await raw.end());
  });
  return endings(told);
}

const plain: Attack = {
  id: 'auth-plain',
  title: 'wrong passwords, plain',
  config: () => `authorization { users: [${PROBE}, { user: ann, password: s3cret }] }\n${ANYBODY}`,
  async run(field) {
    const count = field.amount(10_000);
    const ending = await logins(field, count, (i) => ({ user: i % 2 === 0 ? 'ann' : `nobody${i}`, pass: `guess${i}` }));
    return { amount: `${written(count)} logins`, ending };
  },
};

const hashed: Attack = {
  id: 'auth-bcrypt',
  title: 'wrong passwords, bcrypt of cost 11',
  config: () =>
    `authorization { timeout: 30, users: [${PROBE}, { user: ann, password: "${bcrypt.hashSync('s3cret', 11)}" }] }\n${ANYBODY}`,
  async run(field) {
    const count = field.amount(100);
    const ending = await logins(field, count, (i) => ({ user: 'ann', pass: `guess${i}` }));
    return { amount: `${written(count)} logins, 100 at a time`, ending };
  },
};

const nkeys: Attack & { key: string } = {
  key: '',
  id: 'auth-nkey',
  title: 'nkeys with signatures of somebody else',
  config() {
    this.key = createUser().getPublicKey();
    return `authorization { users: [${PROBE}, { nkey: ${this.key} }] }\n${ANYBODY}`;
  },
  async run(field) {
    const count = field.amount(5_000);
    const signature = Buffer.alloc(64, 7).toString('base64url');
    const ending = await logins(field, count, () => ({ nkey: this.key, sig: signature }));
    return { amount: `${written(count)} logins`, ending };
  },
};

/** A server with an operator; who behaves shows a bearer's JWT. */
async function withOperator(rest: string): Promise<{ config: string; credentials: object }> {
  const operator = await newOperator();
  const account = createAccount();
  const config = await operator.config({ [account.getPublicKey()]: await operator.account('A', account) }, rest);
  const { jwt } = await newUser(account, { bearer_token: true } as never);
  return { config, credentials: { jwt } };
}

const strangers: Attack & { jwt: object } = {
  id: 'auth-jwt',
  title: 'JWTs that strangers signed, or that were changed',
  jwt: {},
  async config() {
    const { config, credentials } = await withOperator('');
    this.jwt = credentials;
    return config;
  },
  credentials() {
    return this.jwt;
  },
  async run(field) {
    const count = field.amount(5_000);
    const tokens = await Promise.all(Array.from({ length: 20 }, () => newUser(createAccount())));
    const sig = Buffer.alloc(64, 7).toString('base64url');
    const ending = await logins(field, count, (i) => {
      const { jwt } = tokens[i % tokens.length];
      const at = 40 + (i % (jwt.length - 80));
      return { sig, jwt: i % 2 === 0 ? jwt : `${jwt.slice(0, at)}A${jwt.slice(at + 1)}` };
    });
    return { amount: `${written(count)} logins`, ending };
  },
};

const resolver: Attack & { jwt: object; asked: number } = {
  id: 'jwt-resolver',
  title: 'JWTs of accounts that nobody knows, with a URL resolver that never answers',
  jwt: {},
  asked: 0,
  async config() {
    const resolving = createServer(() => this.asked++);
    resolving.listen(0, '127.0.0.1').unref();
    await new Promise((resolve) => resolving.once('listening', resolve));
    const url = `http://127.0.0.1:${(resolving.address() as AddressInfo).port}/accounts/`;
    const { config, credentials } = await withOperator('');
    this.jwt = credentials;
    return config.replace('resolver: MEMORY', `resolver: URL("${url}")`);
  },
  credentials() {
    return this.jwt;
  },
  bounds: { stallMs: 600, latencyMs: 600 },
  async run(field) {
    this.asked = 0;
    const count = field.amount(2_000);
    const users = await Promise.all(Array.from({ length: count }, () => newUser(createAccount())));
    const raws = field.crowd(count);
    const sig = Buffer.alloc(64, 7).toString('base64url');
    for (const [i, raw] of raws.entries())
      void raw.saw('INFO').then(() => raw.send(`CONNECT ${JSON.stringify({ jwt: users[i].jwt, sig })}\r\n`));
    const ended = await Promise.all(raws.map((raw) => raw.end()));
    return {
      amount: `${written(count)} logins, ${written(this.asked)} questions to the resolver`,
      ending: endings(ended),
    };
  },
};

/** Those who say they are somebody else. */
export const loginAttacks: readonly Attack[] = [plain, hashed, nkeys, strangers, resolver];
