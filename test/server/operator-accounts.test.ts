// Accounts that come with their JWT: who is in one finds it as a whole.
import { createAccount } from '@nats-io/nkeys';
import { describe, expect, it } from 'vitest';
import type { AccountClaims } from '../../src/auth/account-claims.js';
import { silentLogger } from '../../src/base/logger.js';
import { Accounts } from '../../src/broker/accounts.js';
import { OperatorAccounts } from '../../src/server/operator-accounts.js';
import { newOperator } from '../auth/operator.js';
import { ManualClock } from '../kit/manual-clock.js';

describe('an account whose streams are being opened', () => {
  it('is found when they are there: at first, by whoever comes meanwhile, and by who imports from it', async () => {
    const operator = await newOperator();
    const [key, importerKey] = [createAccount(), createAccount()];
    const [exporter, importer] = [key.getPublicKey(), importerKey.getPublicKey()];
    const exports = [{ name: 'e', subject: 'q', type: 'service' }];
    const imports = [{ name: 'i', subject: 'q', account: exporter, type: 'service' }];
    const opened = new Map<string, () => void>();
    const clock = new ManualClock();
    const accounts = new OperatorAccounts(
      {
        trustedKeys: [operator.key.getPublicKey()],
        ...{ tokens: [operator.token], pinnedAccounts: null, defaultSentinel: '' },
        ...{ resolver: { kind: 'memory' }, preload: [] },
      },
      {
        accounts: new Accounts({ clock, random: Math.random, plugins: () => null }),
        ...{ clock, logger: silentLogger, onChanged: () => {}, onExpired: () => {} },
        onTaken: (account) => new Promise((resolve) => opened.set(account, resolve)),
      },
    );
    accounts.update(exporter, await operator.account('E', key, { exports } as never));
    accounts.update(importer, await operator.account('I', importerKey, { imports } as never));
    const found: string[] = [];
    const look = async (account: string) => {
      const claims = (await accounts.find(account)) as AccountClaims;
      found.push(claims.name);
    };
    const looks = [look(importer), look(exporter), look(exporter)];
    await new Promise(setImmediate);
    expect([[...opened.keys()].toSorted(), found]).toEqual([[exporter, importer].toSorted(), []]);
    opened.get(importer)!();
    await new Promise(setImmediate);
    expect(found).toEqual([]);
    opened.get(exporter)!();
    await Promise.all(looks);
    expect(found.toSorted()).toEqual(['E', 'E', 'I']);
    expect(accounts.find(importer)).toMatchObject({ name: 'I' });
  });
});
