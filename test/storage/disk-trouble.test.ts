import { describe, expect, test, vi } from 'vitest';
import type { Failure } from '../../src/base/failure.js';
import { type LogListener, REFUSED, StoredMessage } from '../../src/storage/message-log.js';
import { ManualClock } from '../kit/manual-clock.js';
import { FaultDisk } from './fault-disk.js';
import { FOLDER, openLog, silentListener } from './opened.js';
import { newSeed, Random } from './random.js';
import { messageOf, readOut } from './random-operations.js';

const TIME = { timeMs: 1, timeNs: 0 };

interface Told {
  troubles: (string | null)[];
  committed: number[];
  listener: LogListener;
}

function told(): Told {
  const troubles: (string | null)[] = [];
  const committed: number[] = [];
  const listener = {
    ...silentListener,
    onTrouble: (trouble: Failure | null) => troubles.push(trouble === null ? null : trouble.code),
    onCommit: (sequence: number) => committed.push(sequence),
  };
  return { troubles, committed, listener };
}

describe.each(['ENOSPC', 'EIO'])('a disk that answers %s', (code) => {
  test.each(['write', 'sync'])('to a %s stops the log, until it takes it', async (kind) => {
    const disk = new FaultDisk();
    const { troubles, committed, listener } = told();
    const log = await openLog(disk, { listener, clock: new ManualClock() });
    log.append(messageOf('s', 'before'), TIME);
    expect(await log.flush()).toBeNull();

    disk.fault = (step) => (step.kind === kind ? code : null);
    expect(log.append(messageOf('s', 'during'), TIME)).toBe(2);
    expect(await log.flush()).toMatchObject({ code });
    expect(log.trouble).toMatchObject({ code });
    expect(log.trouble?.message).toContain('cannot write to the log');
    expect(log.append(messageOf('s', 'refused'), TIME)).toBe(REFUSED.DISK);
    expect(committed).toEqual([1]);
    const into = new StoredMessage();
    expect(log.next(1, null, into)).toBe(true);
    expect(readOut(into).payload).toBe('before');
    expect(log.next(2, null, into)).toBe(false);

    disk.fault = () => null;
    expect(await log.flush()).toBeNull();
    expect(log.trouble).toBeNull();
    expect(troubles).toEqual([code, null]);
    expect(committed).toEqual([1, 2]);
    expect(log.append(messageOf('s', 'after'), TIME)).toBe(3);
    expect(await log.flush()).toBeNull();

    // What was written during the trouble is durable as well: not what the failed sync claimed.
    const again = await openLog(disk.afterPowerLoss(new Random(1)));
    for (const [i, payload] of ['before', 'during', 'after'].entries()) {
      expect(again.read(i + 1, into)).toBe(true);
      expect(readOut(into).payload).toBe(payload);
    }
    expect(again.damages).toEqual([]);
    await again.close();
    await log.close();
  });
});

describe('a disk that fails', () => {
  test('is tried again after a while, without being asked', async () => {
    const disk = new FaultDisk();
    const clock = new ManualClock();
    let recovered = () => {};
    const recovery = new Promise<void>((resolve) => (recovered = resolve));
    const onTrouble = (trouble: Failure | null) => trouble ?? recovered();
    const log = await openLog(disk, { clock, listener: { ...silentListener, onTrouble } });
    disk.fault = (step) => (step.kind === 'write' ? 'EIO' : null);
    log.append(messageOf('s', 'x'), TIME);
    expect(await log.flush()).not.toBeNull();
    disk.fault = () => null;
    clock.advance(10_000);
    await recovery;
    expect(await log.flush()).toBeNull();
    await log.close();
  });

  test('to make a new segment loses nothing', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { segmentBytes: 1000, clock: new ManualClock() });
    for (let i = 0; i < 10; i++) log.append(messageOf('s', 'x'.repeat(200)), TIME);
    expect(await log.flush()).toBeNull();
    disk.fault = (step) => (step.kind === 'name' && step.path.endsWith('.log') ? 'ENOSPC' : null);
    for (let i = 0; i < 20; i++) log.append(messageOf('s', 'y'.repeat(200)), TIME);
    expect(await log.flush()).toMatchObject({ code: 'ENOSPC' });
    disk.fault = () => null;
    expect(await log.flush()).toBeNull();
    await log.close();
    const again = await openLog(disk);
    expect(again.state.messages).toBe(30);
    expect(again.damages).toEqual([]);
    await again.close();
  });

  test('does not lose removals with the segment they were to be written in', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { segmentBytes: 1000, clock: new ManualClock() });
    for (let i = 0; i < 4; i++) log.append(messageOf('s', 'x'.repeat(300)), TIME);
    expect(await log.flush()).toBeNull();
    disk.fault = (step) => (step.kind === 'write' ? 'EIO' : null);
    // The second segment gets this message, and the removal, which fills it.
    log.remove(1);
    log.append(messageOf('s', 'y'.repeat(960)), TIME);
    expect(await log.flush()).not.toBeNull();
    // It has no message left, and the next removal closes it before it has a file.
    log.remove(5);
    expect(await log.flush()).not.toBeNull();
    disk.fault = () => null;
    expect(await log.flush()).toBeNull();
    const again = await openLog(disk.afterPowerLoss(new Random(1)));
    expect(again.state).toMatchObject({ messages: 3, firstSequence: 2, lastSequence: 5 });
    expect(again.damages).toEqual([]);
    await again.close();
    await log.close();
  });

  test('and then the power: what was deleted to make room is not taken for lost', async () => {
    const disk = new FaultDisk();
    const options = { segmentBytes: 1000, clock: new ManualClock() };
    const before = await openLog(disk, options);
    for (let i = 0; i < 12; i++) before.append(messageOf('s', 'x'.repeat(300)), TIME);
    await before.close();
    const log = await openLog(disk, options);
    // The power fails before what is deleted is durably so.
    const after: FaultDisk[] = [];
    disk.fault = ({ kind }) => {
      const isGone = !disk.names.has(`${FOLDER}/00000001.log`);
      if (kind === 'sync' && isGone)
        for (let seed = 0; seed < 20; seed++) after.push(disk.afterPowerLoss(new Random(seed)));
      return kind === 'write' ? 'ENOSPC' : null;
    };
    log.trimMessages(1);
    expect(await log.flush()).not.toBeNull();
    await vi.waitFor(() => expect(after.length).toBeGreaterThan(0), 10_000);
    for (const [seed, left] of after.entries()) {
      const again = await openLog(left, options);
      expect(again.damages, `seed ${seed}`).toEqual([]);
      expect(again.read(12, new StoredMessage())).toBe(true);
      await again.close();
    }
    await log.close();
  });

  test('at random loses nothing that was acknowledged', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    const disk = new FaultDisk();
    let chance = 0;
    disk.fault = (step) => (step.kind !== 'read' && random.next(100) < chance ? random.pick(['EIO', 'ENOSPC']) : null);
    const { listener, committed } = told();
    const log = await openLog(disk, { listener, segmentBytes: 2000, clock: new ManualClock() });
    const payloads = new Map<number, string>();
    for (let round = 0; round < 200; round++) {
      chance = random.next(3) === 0 ? 30 : 0;
      for (let i = 0; i < 5; i++) {
        const payload = `${round}.${i}`.repeat(random.next(60));
        const sequence = log.append(messageOf('s', payload), TIME);
        if (sequence > 0) payloads.set(sequence, payload);
      }
      if (random.next(10) === 0) log.remove(1 + random.next(log.state.lastSequence));
      await log.flush();
    }
    const acknowledged = committed.at(-1)!;
    const into = new StoredMessage();
    const here = [...payloads.keys()].filter((sequence) => log.read(sequence, into));
    const again = await openLog(disk.afterPowerLoss(random));
    for (const sequence of here.filter((each) => each <= acknowledged)) {
      expect(again.read(sequence, into), `seed ${seed}, sequence ${sequence}`).toBe(true);
      expect(readOut(into).payload).toBe(payloads.get(sequence));
    }
    expect(again.damages).toEqual([]);
    await again.close();
    chance = 0;
    await log.close();
  });
});

describe('a full disk', () => {
  test.each([90, undefined])('takes messages again when those before %s are purged', async (before) => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { segmentBytes: 4000, clock: new ManualClock() });
    for (let i = 0; i < 100; i++) log.append(messageOf('s', 'x'.repeat(200)), TIME);
    expect(await log.flush()).toBeNull();
    const used = () => [...disk.names.values()].reduce((sum, { now }) => sum + now.length, 0);
    const limit = used() + 500;
    disk.fault = (step) => (step.kind === 'write' && used() + step.bytes > limit ? 'ENOSPC' : null);
    for (let i = 0; i < 10; i++) log.append(messageOf('s', 'y'.repeat(200)), TIME);
    expect(await log.flush()).toMatchObject({ code: 'ENOSPC' });
    log.purge(before === undefined ? {} : { before });
    for (let tries = 0; tries < 20 && (await log.flush()) !== null; tries++);
    expect(log.trouble).toBeNull();
    expect(used()).toBeLessThan(limit / 2);
    await log.close();
    disk.fault = () => null;
    const again = await openLog(disk);
    expect(again.state).toMatchObject({ messages: before === undefined ? 0 : 21, lastSequence: 110 });
    expect(again.damages).toEqual([]);
    await again.close();
  });

  test('does not stop reads that fail for a moment', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk);
    for (let i = 0; i < 10; i++) log.append(messageOf('s', `${i}`), TIME);
    await log.close();
    const again = await openLog(disk);
    const into = new StoredMessage();
    disk.fault = (step) => (step.kind === 'read' ? 'EIO' : null);
    expect(again.read(3, into)).toBe(false);
    expect(again.damages.length).toBe(1);
    disk.fault = () => null;
    expect(again.read(3, into)).toBe(true);
    expect(again.damages).toEqual([]);
    expect(again.state.messages).toBe(10);
    expect(disk.names.has(`${FOLDER}/00000001.log`)).toBe(true);
    await again.close();
  });
});

describe('what a process wrote and had not synced when it was killed', () => {
  test.each([false, true])('is on the disk when the next one has read it (compressed: %s)', async (compress) => {
    const disk = new FaultDisk();
    const options = { clock: new ManualClock(), compress };
    const log = await openLog(disk, options);
    log.append(messageOf('s', 'synced'), TIME);
    expect(await log.flush()).toBeNull();
    // The process ends there.
    disk.fault = ({ kind }) => (kind === 'sync' ? 'CRASHED' : null);
    log.append(messageOf('s', 'written'), TIME);
    expect(await log.flush()).not.toBeNull();

    // Zeros that are written ahead and cut off would have it synced by the way.
    const content = disk.names.get(`${FOLDER}/00000001.log`)!;
    const bytes = content.now.findLastIndex((byte) => byte !== 0) + 1;
    content.now = content.now.slice(0, bytes);
    content.changes.push({ kind: 'truncate', bytes });

    const killed = disk.afterKill();
    expect((await openLog(killed, options)).state.lastSequence).toBe(2);
    // Nothing that was not synced gets to the disk.
    const nothing = { next: () => 0 } as unknown as Random;
    expect((await openLog(disk.afterKill().afterPowerLoss(nothing), options)).state.lastSequence).toBe(1);
    expect((await openLog(killed.afterPowerLoss(nothing), options)).state.lastSequence).toBe(2);
  });
});
