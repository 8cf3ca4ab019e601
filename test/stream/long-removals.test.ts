// Removals that take long leave the others their turns.
import { expect, it } from 'vitest';
import { LogFilter } from '../../src/storage/log-filter.js';
import { MemoryLog } from '../../src/storage/memory-log.js';
import type { StreamConfig } from '../../src/stream/stream-config.js';
import { sweep } from '../../src/stream/sweep.js';
import { eventually } from '../kit/wait.js';
import { silentListener } from '../storage/opened.js';
import { messageOf } from '../storage/random-operations.js';
import { describeStreams } from './servers.js';

const MESSAGES = 20_000;

describeStreams('long removals', (at, storage) => {
  const fill = async (name: string, more: object = {}) => {
    const { js, manager } = at();
    await manager.streams.add({ name, subjects: [`${name}.>`], storage, ...more });
    for (let from = 0; from < MESSAGES; from += 2000)
      await Promise.all(Array.from({ length: 2000 }, (_, i) => js.publish(`${name}.${i % 100}`, 'x')));
  };
  const stateOf = async (name: string) => (await at().manager.streams.info(name)).state;

  it('a purge lets requests and messages through, and leaves what came in meanwhile', async () => {
    await fill('P1');
    const { js, manager } = at();
    const purge = manager.streams.purge('P1', { filter: 'P1.*', keep: 5 });
    const published = js.publish('P1.1', 'meanwhile');
    const { purged } = await purge;
    await published;
    const { messages } = await stateOf('P1');
    expect(purged + messages).toBe(MESSAGES + 1);
    expect([5, 6]).toContain(messages);
  });

  it('a purge up to a sequence', async () => {
    await fill('P2');
    expect(await at().manager.streams.purge('P2', { seq: 15_001 })).toMatchObject({ purged: 15_000 });
    expect(await stateOf('P2')).toMatchObject({ messages: 5000, first_seq: 15_001 });
  });

  it('lower limits hold when they are answered', async () => {
    await fill('P3');
    const { manager } = at();
    await manager.streams.update('P3', { max_msgs_per_subject: 3 });
    expect(await stateOf('P3')).toMatchObject({ messages: 300, num_subjects: 100 });
    await manager.streams.update('P3', { max_msgs: 10 });
    expect(await stateOf('P3')).toMatchObject({ messages: 10 });
  });

  it('what no consumer waits for any more goes', async () => {
    const { manager } = at();
    await manager.streams.add({ name: 'P4', subjects: ['P4.>'], retention: 'interest', storage });
    for (const name of ['one', 'other'])
      await manager.consumers.add('P4', { durable_name: name, ack_policy: 'explicit' });
    await fill('P4', { retention: 'interest' });
    expect((await stateOf('P4')).messages).toBe(MESSAGES);
    for (const name of ['one', 'other']) await manager.consumers.delete('P4', name);
    await eventually(async () => (await stateOf('P4')).messages === 0, 'an empty stream');
  });
});

it.each([null, 's.*'])('a purge keeps as many as it is to, whatever others remove meanwhile: %s', async (subject) => {
  const filter = subject === null ? null : LogFilter.of([subject]);
  const log = new MemoryLog(silentListener);
  for (let i = 0; i < 5000; i++) log.append(messageOf(`s.${i % 3}`, 'x'), { timeMs: 1, timeNs: 0 });
  const purge = sweep({ log, config: {} as StreamConfig, closed: false }, { filter, keep: 100 });
  // The first part is gone. Somebody takes most of the rest, and others come.
  expect(log.state.messages).toBe(4000);
  expect(log.trimMessages(1500)).toBe(2500);
  for (let i = 0; i < 10; i++) log.append(messageOf('s.new', 'x'), { timeMs: 1, timeNs: 0 });
  expect(await purge).toBe(1000 + 1400);
  expect(log.state).toMatchObject({ messages: 110, firstSequence: 4901 });
  await log.close();
});
