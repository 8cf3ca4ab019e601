import { describe, expect, test } from 'vitest';
import type { FileLog, FileLogOptions } from '../../src/storage/file-log.js';
import { LogFilter } from '../../src/storage/log-filter.js';
import type { Maintenance } from '../../src/storage/maintenance.js';
import { StoredMessage } from '../../src/storage/message-log.js';
import { until } from '../kit/wait.js';
import { FaultDisk } from './fault-disk.js';
import { FOLDER, openLog } from './opened.js';
import { messageOf, readOut } from './random-operations.js';

const TIME = { timeMs: 1, timeNs: 0 };
const DEADLINE_MS = 20_000;
const KEY = new Uint8Array(32).fill(5);

function segmentFiles(disk: FaultDisk): string[] {
  return [...disk.names.keys()].filter((path) => path.endsWith('.log')).sort();
}

function bytesOnDisk(disk: FaultDisk): number {
  return segmentFiles(disk).reduce((sum, path) => sum + disk.get(path).length, 0);
}

async function fill(log: FileLog, count: number, subject = (i: number) => `s.${i % 3}`): Promise<void> {
  for (let i = 0; i < count; i++) log.append(messageOf(subject(i), `${i}`.padEnd(200, 'x')), TIME);
  expect(await log.flush()).toBeNull();
}

/** Opened anew from the segments alone, the log says the same. */
async function survives(disk: FaultDisk, log: FileLog, options: Partial<FileLogOptions> = {}): Promise<void> {
  const killed = disk.afterKill();
  killed.names.delete(`${FOLDER}/index`);
  const again = await openLog(killed, options);
  expect({ ...again.state }).toEqual({ ...log.state });
  expect(again.damages).toEqual([]);
  await again.close();
}

describe('a file log, beside its work,', () => {
  test('deletes segments without messages', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { segmentBytes: 4000 });
    await fill(log, 200);
    const before = segmentFiles(disk).length;
    expect(before).toBeGreaterThan(8);
    log.trimMessages(10);
    await log.flush();
    await until(() => segmentFiles(disk).length <= 3, 'segments to go', DEADLINE_MS);
    await survives(disk, log);
    log.purge();
    await log.flush();
    await until(() => segmentFiles(disk).length === 1, 'all but one segment to go', DEADLINE_MS);
    await survives(disk, log);
    await log.close();
  });

  test('keeps nothing in memory of segments whose files wait to be deleted', async () => {
    const log = await openLog(new FaultDisk(), { segmentBytes: 4000 });
    await fill(log, 200);
    const snapshot = await log.snapshot();
    log.trimMessages(10);
    await log.flush();
    const { retired } = (log as unknown as { maintenance: Maintenance }).maintenance;
    expect(retired.length).toBeGreaterThan(8);
    const blocks = retired.flatMap(({ segment }) => segment.loaded);
    expect(blocks.length).toBeGreaterThan(8);
    expect(blocks.filter((block) => block !== null)).toEqual([]);
    snapshot!.release();
    await until(() => retired.length <= 1, 'segments to go', DEADLINE_MS);
    await log.close();
  });

  test('compacts segments of which less than half is left, and once more', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { segmentBytes: 4000 });
    await fill(log, 400);
    for (let round = 0; round < 2; round++) {
      const bytes = bytesOnDisk(disk);
      const into = new StoredMessage();
      let i = 0;
      for (let from = 0; log.next(from, null, into); from = into.sequence + 1) {
        if (i++ % 4 !== 0) log.remove(into.sequence);
      }
      await fill(log, 1);
      await until(() => bytesOnDisk(disk) < bytes * 0.7, 'compaction', DEADLINE_MS);
      await survives(disk, log);
    }
    await log.close();
  });

  test('forgets what was removed only when it is gone', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { segmentBytes: 4000 });
    // Each message replaces the one before on its subject, as in a key-value bucket, but one that stays for ever.
    log.append(messageOf('keep', 'x'.repeat(3000)), TIME);
    for (let i = 0; i < 600; i++) {
      const subject = `key.${i % 5}`;
      log.append(messageOf(subject, 'y'.repeat(150)), TIME);
      log.trimSubject(messageOf(subject, ''), 1);
      if (i % 7 === 0) await log.flush();
    }
    await fill(log, 1);
    await until(() => bytesOnDisk(disk) < 30_000, 'old records to go', DEADLINE_MS);
    expect(log.state.messages).toBe(7);
    await survives(disk, log);
    await log.close();
  });

  test.each([
    ['as they are', null],
    ['encrypted', { cipher: 'aes-256-gcm' as const, key: KEY }],
  ])('compresses closed segments: %s', async (_name, encryption) => {
    const disk = new FaultDisk();
    const options = { segmentBytes: 20_000, compress: true, encryption };
    const log = await openLog(disk, options);
    await fill(log, 1000);
    await until(() => bytesOnDisk(disk) < 150_000, 'compression', DEADLINE_MS);
    const into = new StoredMessage();
    for (let i = 0; i < 1000; i += 37) {
      expect(log.read(i + 1, into)).toBe(true);
      expect(readOut(into).payload).toBe(`${i}`.padEnd(200, 'x'));
    }
    await survives(disk, log, options);
    await log.close();
  });

  test('leaves nothing of an erased message on the disk', async () => {
    for (const where of [3, 60, 100]) {
      const disk = new FaultDisk();
      const log = await openLog(disk, { segmentBytes: 8000 });
      for (let i = 1; i <= 100; i++)
        log.append(messageOf('s', i === where ? 'SECRET'.repeat(20) : 'plain'.repeat(20)), TIME);
      await log.flush();
      const old = [...disk.names.values()];
      expect(await log.erase(where)).toBe(true);
      for (const { now, durable } of [...old, ...disk.names.values()]) {
        expect(Buffer.from(now).includes('SECRET')).toBe(false);
        expect(Buffer.from(durable).includes('SECRET')).toBe(false);
      }
      expect(log.state.messages).toBe(99);
      await survives(disk, log);
      await log.close();
    }
  });
});

describe('a snapshot', () => {
  test('is the log of its moment, whatever happens while it is read', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { segmentBytes: 4000 });
    await fill(log, 100);
    log.purge({ filter: LogFilter.of(['s.1']) });
    const snapshot = (await log.snapshot())!;
    const state = { ...log.state };
    const copy = new FaultDisk();
    await fill(log, 50);
    log.trimMessages(5);
    await log.flush();
    for (const { name, bytes } of snapshot.files) {
      const parts: Uint8Array[] = [];
      for (let at = 0; at < bytes; at += 1000) parts.push(await snapshot.read(name, at, 1000));
      copy.put(`${FOLDER}/${name}`, Buffer.concat(parts));
    }
    snapshot.release();
    const restored = await openLog(copy);
    expect({ ...restored.state }).toEqual(state);
    expect(restored.damages).toEqual([]);
    await restored.close();
    await until(() => segmentFiles(disk).length < 6, 'work that waited for the snapshot', DEADLINE_MS);
    await log.close();
  });
});

describe('a checkpoint', () => {
  test('spares reading closed segments, and what came behind it counts', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { segmentBytes: 4000 });
    await fill(log, 200);
    await log.close();
    const second = await openLog(disk, { segmentBytes: 4000 });
    await fill(second, 60, (i) => `new.${i % 2}`);
    second.remove(7);
    second.purge({ before: 3 });
    second.remove(220);
    await second.flush();
    const killed = disk.afterKill();
    let read = 0;
    killed.fault = ({ kind, bytes }) => {
      if (kind === 'read') read += bytes;
      return null;
    };
    const third = await openLog(killed, { segmentBytes: 4000 });
    expect(read).toBeLessThan(bytesOnDisk(killed) * 0.75);
    expect({ ...third.state }).toEqual({ ...second.state });
    const into = new StoredMessage();
    expect([7, 1, 2, 220].filter((sequence) => third.read(sequence, into))).toEqual([]);
    expect(third.count(LogFilter.of(['new.*']), 0)).toBe(59);
    expect(third.count(LogFilter.of(['s.0']), 0)).toBe(second.count(LogFilter.of(['s.0']), 0));
    await third.close();
    await second.close();
  });
});
