import bcrypt from 'bcryptjs';
import { type Key, newKey, tokenOf } from '../keys.js';
import type { Credentials, LoginResult } from '../load/orders.js';
import type { Run, Sample, Scenario } from '../scenario.js';
import type { ServerProcess } from '../server-process.js';
import { withConfiguration } from './configuration.js';

/** Different users, who come in turn. */
const USERS = 200;
/** Logins under way in each of the two load processes. */
const AT_ONCE = 16;
const STORM = 200;
const COST = 11;
/** A check takes a tenth of a second or more, and they are made one after the other. */
const STORM_MS_MAX = 300_000;

/** Who may come in, and how they do. */
interface Guests {
  configuration: string;
  credentials: Credentials[];
}

const credentialsOf = (key: Key, fields: object): Credentials => ({
  fields,
  key: key.secret.export({ format: 'jwk' }),
});

function byNkey(count: number): Guests {
  const keys = Array.from({ length: count }, () => newKey('user'));
  const users = keys.map(({ text }) => `{ nkey: ${text} }`);
  return {
    configuration: `authorization { users: [\n${users.join('\n')}\n] }\n`,
    credentials: keys.map((key) => credentialsOf(key, { nkey: key.text })),
  };
}

const UNLIMITED = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };

/** Users with permissions of an account that the server knows. */
function byJwt(count: number): Guests {
  const [operator, system, account] = [newKey('operator'), newKey('account'), newKey('account')];
  const accountToken = (key: Key) => `${key.text}: ${tokenOf(operator, key, { type: 'account', limits: UNLIMITED })}`;
  const preload = [system, account].map(accountToken).join('\n');
  const operatorToken = tokenOf(operator, operator, { type: 'operator', system_account: system.text });
  const users = Array.from({ length: count }, () => newKey('user'));
  const rules = { pub: { allow: ['orders.>'] }, sub: { allow: ['_INBOX.>'] }, subs: -1, data: -1, payload: -1 };
  return {
    configuration: `operator: ${operatorToken}\nresolver: MEMORY\nsystem_account: ${system.text}\nresolver_preload: {\n${preload}\n}\n`,
    credentials: users.map((key) => credentialsOf(key, { jwt: tokenOf(account, key, { type: 'user', ...rules }) })),
  };
}

/** Logins in a second, from both load processes, and what each process used meanwhile. */
async function loginsOf(run: Run, { configuration, credentials }: Guests) {
  return withConfiguration(
    () => configuration,
    async (args) => {
      const server = await run.start(args);
      const processes = [run.sender, run.receiver];
      const order = { port: server.port, atOnce: AT_ONCE, credentials };
      await Promise.all(processes.map((load) => load.ask('newcomer', 'open', order)));
      const both = (ms: number) =>
        Promise.all(processes.map((load) => load.ask<LoginResult>('newcomer', 'run', ms, null)));
      await both(run.warmMs);
      const before = await cpuOf(run, server);
      const results = await both(run.runMs);
      const cpu = (await cpuOf(run, server)).map((seconds, i) => seconds - before[i]);
      const perSecond = results.reduce((sum, { logins, elapsedMs }) => sum + logins / (elapsedMs / 1000), 0);
      await server.stop();
      return { perSecond, seconds: Math.max(...results.map(({ elapsedMs }) => elapsedMs)) / 1000, cpu };
    },
  );
}

async function cpuOf(run: Run, server: ServerProcess): Promise<number[]> {
  return [server.cpuSeconds, await run.sender.cpuSeconds(), await run.receiver.cpuSeconds()];
}

const logins: Scenario = {
  id: 'logins',
  newestOnly: true,
  metrics: [
    { id: 'logins-nkey', title: 'logins by nkey', unit: 'logins/s', better: 'higher', limit: 2_000 },
    { id: 'logins-jwt', title: 'logins by JWT', unit: 'logins/s', better: 'higher', limit: 2_000 },
  ],
  async run(run): Promise<Sample> {
    const users = run.scale(USERS);
    const [nkey, jwt] = [await loginsOf(run, byNkey(users)), await loginsOf(run, byJwt(users))];
    const [serverCores, senderCores, receiverCores] = nkey.cpu.map(
      (seconds, i) => (seconds + jwt.cpu[i]) / (nkey.seconds + jwt.seconds),
    );
    const cores = { serverCores, senderCores, receiverCores };
    return { 'logins-nkey': nkey.perSecond, 'logins-jwt': jwt.perSecond, ...cores };
  },
};

const storm: Scenario = {
  id: 'bcrypt-storm',
  leftOut: 'quick',
  only: 'weir',
  runsMax: 3,
  metrics: [
    {
      ...{
        id: 'bcrypt-storm',
        title: `event loop late while ${STORM} log in at once, bcrypt of cost ${COST}: longest`,
      },
      ...{ unit: 'ms', better: 'lower', limit: 20 },
    },
  ],
  run(run) {
    const user = { user: 'ann', password: bcrypt.hashSync('secret', COST) };
    return withConfiguration(
      () => `authorization: ${JSON.stringify({ timeout: STORM_MS_MAX / 1000, users: [user] })}\n`,
      async (args) => {
        const server = await run.start(args, { inside: true });
        const count = run.scale(STORM);
        const credentials = [{ fields: { user: 'ann', pass: 'secret' }, key: null }];
        await run.sender.ask('newcomer', 'open', { port: server.port, atOnce: count, credentials });
        // What it said before is of its start.
        await server.inside();
        await run.sender.ask('newcomer', 'run', STORM_MS_MAX, count);
        return { 'bcrypt-storm': (await server.inside()).loopMaxMs };
      },
    );
  },
};

export const loginRows: Scenario[] = [logins, storm];
