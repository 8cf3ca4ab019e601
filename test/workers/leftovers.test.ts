import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import type { RemoteGuest } from '../../src/workers/remote-guest.js';
import { WorkerTier } from '../../src/workers/tier.js';
import { log, writingGuest } from '../hostile/guest.js';
import { type Came, sendAll, settingsOf } from './calls.js';

let tier: WorkerTier;
beforeEach(() => {
  tier = new WorkerTier(systemClock, () => 1);
});
afterEach(() => tier.close());

/** How many log lines its last words have. */
const drained = (one: RemoteGuest) =>
  new Promise<number>((resolve) => one.drain(({ outbox }) => resolve(outbox.logs.length)));

it('what a message said is not said again by a request for which the guest is not called', async () => {
  const came: Came[] = [];
  const one = tier.guest(settingsOf(await writingGuest(0, log(1, 'hi'))));
  sendAll(one, came, ['a']);
  const { fuelUsed } = await one.open();
  expect(came).toMatchObject([{ verdict: 0 }]);
  expect(fuelUsed).toBe(0);
  one.setBudget({ ...DEFAULT_BUDGET, memoryBytesMax: DEFAULT_BUDGET.memoryBytesMax / 2 }, 50);
  expect(await drained(one)).toBe(0);
});

it('nor by one behind a trap', async () => {
  const came: Came[] = [];
  const message = '(if (i32.eq (i32.load8_u (local.get 6)) (i32.const 116)) (then unreachable))';
  const one = tier.guest(settingsOf(await writingGuest(0, log(1, 'hi'), { message })));
  sendAll(one, came, ['a', 'trap']);
  expect(await drained(one)).toBe(0);
  expect(came).toMatchObject([{ verdict: 0 }, { cause: 'trap' }]);
});
