import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Account } from '../../src/broker/account.js';
import { ClientSubscriptions } from '../../src/client/subscriptions.js';
import { composeMessage, NO_BYTES } from '../../src/message/message.js';

const COUNT = 10_000;

function holderOf(account: Account) {
  return { account, permissions: null, label: '', userLabel: '', membership: { subscriptionsMax: -1 } };
}

/** `COUNT` subscriptions of one client, and how many messages it got. */
function crowd(account: Account) {
  const told = { messages: 0 };
  const holder = {
    ...holderOf(account),
    sendError() {},
    deliver: (leg: { subscription: { closed: boolean } }) => {
      if (leg.subscription.closed) return false;
      told.messages++;
      return true;
    },
  };
  const subscriptions = new ClientSubscriptions(holder as never, { limits: { subscriptionTokensMax: 0 } } as never);
  for (let i = 0; i < COUNT; i++) {
    const [filter, sid] = [`a.${i}`, String(i)];
    const tokens = Int32Array.from([0, filter.length, filter.length + 1, filter.length + 1 + sid.length]);
    expect(subscriptions.add(Buffer.from(`${filter} ${sid}`), tokens, false)).toBe(null);
  }
  return { subscriptions, told };
}

const message = (subject: string) =>
  composeMessage({ subject: Buffer.from(subject), reply: null, headers: null, payload: NO_BYTES });

describe('ClientSubscriptions', () => {
  it('delivers nothing after the end, and takes many out a part at a time', async () => {
    const account = new Account('A', null, Math.random);
    const { subscriptions, told } = crowd(account);
    expect(account.publish(message('a.1'))).toBe(1);
    subscriptions.end();
    subscriptions.clear();
    expect(account.subscriptions).toBeGreaterThan(COUNT / 2);
    for (const subject of ['a.1', 'a.5000']) expect(account.publish(message(subject))).toBe(0);
    expect(told.messages).toBe(1);
    for (let turns = 0; account.subscriptions > 0 && turns < COUNT; turns++) await turn();
    expect(account.subscriptions).toBe(0);
    expect(account.hasInterest('a.5000')).toBe(false);
  });
});
