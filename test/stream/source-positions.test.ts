// Where a stream goes on taking messages of others when its configuration changed.
import { expect, it } from 'vitest';
import { composeMessage } from '../../src/message/message.js';
import { MemoryLog } from '../../src/storage/memory-log.js';
import { headerBlock } from '../../src/stream/headers.js';
import type { Taken, Taker } from '../../src/stream/inflow.js';
import { SourceMarks } from '../../src/stream/source-marks.js';
import { Sources } from '../../src/stream/sources.js';
import { FaultDisk } from '../storage/fault-disk.js';
import { openLog, silentListener } from '../storage/opened.js';
import { messageOf } from '../storage/random-operations.js';

const TIME = { timeMs: 1_700_000_000_000, timeNs: 0 };

it('behind what it took, durable or not', async () => {
  const there = new MemoryLog(silentListener);
  for (let i = 0; i < 5; i++) there.append(messageOf('s', 'x'), TIME);
  const origin = { log: there, config: { retention: 'limits' }, closed: false, followers: new Set() };
  const log = await openLog(new FaultDisk());
  for (const sequence of [2, 3]) {
    const headers = headerBlock([['Nats-Stream-Source', `S ${sequence} > > s`]]);
    const texts = { subject: Buffer.from('s'), reply: null };
    log.append(composeMessage({ ...texts, headers, payload: Buffer.from('x') }), TIME);
    if (sequence === 2) expect(await log.flush()).toBeNull();
  }
  const taken: number[] = [];
  const takeSourced = ({ sequence }: Taken) => taken.push(sequence) > 0;
  const taker = { log, nowMs: 0, config: {}, findOrigin: () => origin, takeSourced } as unknown as Taker;
  new Sources(taker, [{ name: 'S' }], new SourceMarks(log, null, () => {})).lookAgain();
  expect(log.committedSequence).toBe(1);
  expect(taken).toEqual([4, 5]);
  await log.close();
});

it('removes what was left behind where messages wait to be taken, once all that was taken is durable', async () => {
  const there = new MemoryLog(silentListener);
  for (let i = 0; i < 5; i++) there.append(messageOf('s', 'x'), TIME);
  const gone: number[] = [];
  const onTaken = (sequence: number) => gone.push(sequence);
  const config = { retention: 'workqueue' };
  const origin = { log: there, config, identity: 'i', closed: false, followers: new Set(), onTaken };
  const log = await openLog(new FaultDisk());
  const headers = headerBlock([['Nats-Stream-Source', 'S 3 > > s i']]);
  const texts = { subject: Buffer.from('s'), reply: null };
  log.append(composeMessage({ ...texts, headers, payload: Buffer.from('x') }), TIME);
  const taker = { log, nowMs: 0, config: {}, findOrigin: () => origin, takeSourced: () => false } as unknown as Taker;
  const sources = new Sources(taker, [{ name: 'S' }], new SourceMarks(log, null, () => {}));
  sources.lookAgain();
  expect(gone).toEqual([]);
  expect(await log.flush()).toBeNull();
  sources.onCommit();
  expect(gone).toEqual([1, 2, 3]);
  await log.close();
});
