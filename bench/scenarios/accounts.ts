import { setTimeout as sleep } from 'node:timers/promises';
import type { Run, Scenario } from '../scenario.js';
import { withConfiguration } from './configuration.js';

const ACCOUNTS = 1_000;
const USERS = 10;
/** After this long without work a server has given back what it gives back. */
const SETTLE_MS = 1_500;

/** Accounts with users that have passwords: what every server takes. */
function withAccounts(count: number): string {
  const users = (account: number) =>
    Array.from({ length: USERS }, (_, i) => `{ user: user-${account}-${i}, password: "password-${account}-${i}" }`);
  const accounts = Array.from({ length: count }, (_, i) => `  A${i} { users: [${users(i).join(', ')}] }\n`);
  return `accounts {\n${accounts.join('')}}\n`;
}

/** Starts a server and leaves it alone: how long it took, and what it keeps. */
async function startOne(run: Run, args: string[]): Promise<{ readyMs: number; bytes: number }> {
  const server = await run.start(args);
  await sleep(run.scale(SETTLE_MS));
  const found = { readyMs: server.readyMs, bytes: server.residentBytes };
  await server.stop();
  return found;
}

const title = `${ACCOUNTS.toLocaleString('en')} accounts with ${USERS} users each`;

export const accounts: Scenario = {
  id: 'accounts-1000',
  newestOnly: true,
  metrics: [
    { id: 'accounts-load', title: `${title}: time to ready, beyond without`, unit: 'ms', better: 'lower', limit: 500 },
    { id: 'accounts-memory', title: `${title}: memory, beyond without`, unit: 'MB', better: 'lower', limit: 50 },
  ],
  run: (run) =>
    withConfiguration(
      () => withAccounts(run.scale(ACCOUNTS)),
      async (args) => {
        const without = await startOne(run, []);
        const loaded = await startOne(run, args);
        return {
          'accounts-load': loaded.readyMs - without.readyMs,
          'accounts-memory': (loaded.bytes - without.bytes) / 1e6,
        };
      },
    ),
};
