// What a stream remembers beside its log does not outlive the messages it is about.
import { headers } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { composeMessage, NO_BYTES } from '../../src/message/message.js';
import { MemoryLog } from '../../src/storage/memory-log.js';
import { Expiry } from '../../src/stream/expiry.js';
import { Ledger } from '../../src/stream/ledger.js';
import { TimeHeap } from '../../src/stream/time-heap.js';
import { ManualClock } from '../kit/manual-clock.js';
import { eventually, sleep } from '../kit/wait.js';
import { silentListener } from '../storage/opened.js';
import { describeStreams } from './servers.js';

const KEPT = 100;
const TAKEN = 20_000;

it('times of messages that limits removed are forgotten, however far off they are', () => {
  let first = 1;
  const heap = new TimeHeap((sequence) => sequence >= first);
  for (let sequence = 1; sequence <= TAKEN; sequence++) {
    heap.add(1e9 + ((sequence * 7919) % TAKEN), sequence);
    first = Math.max(1, sequence - KEPT + 1);
    expect(heap.size).toBeLessThanOrEqual(KEPT * 3);
  }
  // What counts is still there, in its order.
  const due: number[] = [];
  for (let taken = heap.take(2e9); taken > 0; taken = heap.take(2e9)) if (taken >= first) due.push(taken);
  const live = Array.from({ length: KEPT }, (_, i) => first + i);
  expect(due).toEqual(live.toSorted((a, b) => ((a * 7919) % TAKEN) - ((b * 7919) % TAKEN)));
});

it('lifetimes of messages that a limit or a purge removed are forgotten', () => {
  const clock = new ManualClock();
  const log = new MemoryLog({
    ...silentListener,
    onRemoved: (sequence, subject) => expiry.onRemoved(sequence, subject),
  });
  const stream = { config: { max_age: 0 }, log, surroundings: { clock }, appendOwn: () => {} };
  const expiry = new Expiry(stream as unknown as ConstructorParameters<typeof Expiry>[0]);
  const message = composeMessage({ subject: Buffer.from('a'), reply: null, headers: NO_BYTES, payload: NO_BYTES });
  const take = (count: number) => {
    for (let i = 0; i < count; i++) {
      const sequence = log.append(message, { timeMs: clock.nowMs(), timeNs: 0 });
      // Every other one stays for ever.
      expiry.add(sequence, sequence % 2 === 0 ? -1 : 3600, clock.nowMs());
      log.trimMessages(KEPT);
    }
  };
  take(TAKEN);
  expect(expiry.remembered).toBeLessThanOrEqual(KEPT * 3);
  log.purge({});
  expiry.onPurged();
  expect(expiry.remembered).toBe(0);
  take(KEPT);
  expect(expiry.remembered).toBe(KEPT);
  clock.advance(3601 * 1000);
  expect(log.state.messages).toBe(KEPT / 2);
});

it('deliveries of messages that were given up are counted no longer than they are there', () => {
  const ledger = new Ledger(1);
  const giveUp = (sequence: number) => {
    ledger.deliver(sequence, true, 0);
    ledger.giveUp(sequence);
  };
  for (let sequence = 1; sequence <= 5; sequence++) giveUp(sequence);
  ledger.deliver(6, true, 0);
  expect(ledger.onRemoved(1)).toBe(false);
  expect([...ledger.redeliveries.keys()]).toEqual([2, 3, 4, 5]);
  ledger.onRemovedBelow(4);
  expect([...ledger.redeliveries.keys()]).toEqual([4, 5]);
  expect([...ledger.pending.keys()]).toEqual([6]);
  expect(ledger.onRemoved(6)).toBe(true);
  expect(ledger.pending.size).toBe(0);
});

describeStreams('after a purge', (at, storage) => {
  it('messages grow old, whatever lifetimes those before had', async () => {
    const { js, manager } = at();
    const max_age = 1e9;
    await manager.streams.add({
      name: 'A',
      subjects: ['A'],
      storage,
      max_age,
      duplicate_window: max_age,
      allow_msg_ttl: true,
    });
    const forEver = headers();
    forEver.set('Nats-TTL', 'never');
    for (let i = 0; i < 5; i++) await js.publish('A', '', { headers: forEver });
    await manager.streams.purge('A');
    await js.publish('A', '');
    // Not due together with the one before.
    await sleep(200);
    await js.publish('A', '');
    const isEmpty = async () => (await manager.streams.info('A')).state.messages === 0;
    await eventually(isEmpty, 'the messages to go', 15_000);
  }, 30_000);
});
