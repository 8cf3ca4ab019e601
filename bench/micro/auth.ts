import { sign } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import bcrypt from 'bcryptjs';
import { type AccountClaims, decodeAccountClaims } from '../../src/auth/account-claims.js';
import type { Authentication, ConnectionFacts, Credentials } from '../../src/auth/authentication.js';
import { Authenticator } from '../../src/auth/authenticator.js';
import { OperatorAuthenticator } from '../../src/auth/operator-authenticator.js';
import { type Key, newKey, tokenOf } from '../keys.js';
import type { MicroFigure } from '../micro.js';

const NOTHING: Credentials = { user: '', password: '', token: '', nkey: '', jwt: '', signature: '' };
const NONCE = 'bench-nonce-123';
const LOGINS = 2_000;
const STORM = 200;
const COST = 11;
/** How much of the storm is looked at. */
const STORM_MS = 3_000;

const signatureOf = (key: Key) => sign(null, Buffer.from(NONCE), key.secret).toString('base64url');
const facts: ConnectionFacts = {
  ...{ type: 'STANDARD', host: '127.0.0.1', nonce: NONCE, certificate: null },
  ...{ note: () => {}, warn: () => {}, describe: () => ({}) },
};

async function perLogin(authentication: Authentication, logins: readonly Credentials[]): Promise<number> {
  const startNs = performance.now() * 1e6;
  for (const login of logins)
    if ((await authentication.authenticate(login, facts)) === null) throw new Error('a login was refused');
  return (performance.now() * 1e6 - startNs) / logins.length;
}

async function nkeyLogin(): Promise<MicroFigure> {
  const keys = Array.from({ length: LOGINS }, () => newKey('user'));
  const users = keys.map(({ text }) => ({ name: text, password: '', nkey: text }));
  const logins = keys.map((key) => ({ ...NOTHING, nkey: key.text, signature: signatureOf(key) }));
  const ns = await perLogin(new Authenticator({ users }), logins);
  return { name: 'login by nkey', ns, note: `${Math.round(1e9 / ns)} a second` };
}

async function jwtLogin(): Promise<MicroFigure> {
  const [operator, account] = [newKey('operator'), newKey('account')];
  const claims: AccountClaims = decodeAccountClaims(tokenOf(operator, account, { type: 'account' }));
  const never = () => Promise.reject(new Error('nobody is to be asked'));
  const callouts = { ask: never, cipher: never } as never;
  const settings = { pinnedAccounts: null, defaultSentinel: '', nowMs: () => Date.now() };
  const authentication = new OperatorAuthenticator({ find: () => claims }, callouts, settings);
  const permissions = { pub: { allow: ['orders.>'] }, sub: { allow: ['_INBOX.>'] } };
  const logins = Array.from({ length: LOGINS }, () => {
    const user = newKey('user');
    const jwt = tokenOf(account, user, { type: 'user', ...permissions });
    return { ...NOTHING, jwt, signature: signatureOf(user) };
  });
  const ns = await perLogin(authentication, logins);
  return { name: 'login by JWT', ns, note: `${Math.round(1e9 / ns)} a second` };
}

/** The longest that the event loop did not turn while many passwords were checked. */
async function bcryptStorm(): Promise<MicroFigure> {
  const password = bcrypt.hashSync('secret', COST);
  const authentication = new Authenticator({ users: [{ name: 'ann', password }] });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let checked = 0;
  for (let i = 0; i < STORM; i++) {
    const verdict = authentication.authenticate({ ...NOTHING, user: 'ann', password: 'secret' }, facts);
    void Promise.resolve(verdict).then((identity) => {
      if (identity !== null) checked++;
    });
  }
  await new Promise((resolve) => setTimeout(resolve, STORM_MS));
  delay.disable();
  const note = `longest delay of the event loop, ${checked} of ${STORM} checked in ${STORM_MS / 1000} s`;
  await authentication.close();
  return { name: `${STORM} bcrypt logins of cost ${COST}`, ns: delay.max, note };
}

/** Who somebody is, and what finding that out does to everybody else. */
export async function benches(): Promise<MicroFigure[]> {
  return [await nkeyLogin(), await jwtLogin(), await bcryptStorm()];
}
