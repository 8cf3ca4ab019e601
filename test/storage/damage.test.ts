import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { composeMessage } from '../../src/message/message.js';
import { BlockCache } from '../../src/storage/block-cache.js';
import type { FileLog, FileLogOptions } from '../../src/storage/file-log.js';
import { type LogDamage, StoredMessage } from '../../src/storage/message-log.js';
import { HEADER_BYTES } from '../../src/storage/segment-header.js';
import { FaultDisk } from './fault-disk.js';
import { FOLDER, openLog, silentListener } from './opened.js';
import { messageOf, readOut } from './random-operations.js';

const KEY = new Uint8Array(32).fill(3);
const SEGMENT = `${FOLDER}/00000001.log`;
const INDEX = `${FOLDER}/index`;
const TIME = { timeMs: 1_700_000_000_000, timeNs: 0 };
const MESSAGES = 14;
/** Thousands of logs are opened. */
const TIMEOUT_MS = 120_000;

const KINDS: [string, Partial<FileLogOptions>][] = [
  ['plain', {}],
  ['encrypted', { encryption: { cipher: 'aes-256-gcm', key: KEY } }],
];

/** A disk with one segment of single commits, and a second one. */
async function written(options: Partial<FileLogOptions>, segmentBytes = 1000): Promise<FaultDisk> {
  const disk = new FaultDisk();
  const log = await openLog(disk, { ...options, segmentBytes });
  for (let i = 1; i <= MESSAGES; i++) {
    log.append(messageOf('s', payloadOf(i)), TIME);
    await log.flush();
  }
  await log.close();
  return disk;
}

function payloadOf(sequence: number): string {
  return `${sequence}:${'p'.repeat(60)}`;
}

function readAll(log: FileLog): number[] {
  const into = new StoredMessage();
  const found: number[] = [];
  for (let from = 0; log.next(from, null, into); from = into.sequence + 1) {
    expect(readOut(into).payload).toBe(payloadOf(into.sequence));
    found.push(into.sequence);
  }
  return found;
}

function without(disk: FaultDisk, path: string): FaultDisk {
  disk.names.delete(path);
  disk.durableNames.delete(path);
  return disk;
}

describe.each(KINDS)('a flipped bit in a segment: %s', (_name, options) => {
  test('anywhere costs at most the message it hits, and is told', { timeout: TIMEOUT_MS }, async () => {
    const disk = await written(options);
    const { length } = disk.get(SEGMENT);
    expect(length).toBeGreaterThan(1000);
    expect(length).toBeLessThan(2000);
    for (let at = 0; at < length; at++) {
      for (const index of [true, false]) {
        const damaged = disk.afterKill();
        if (!index) without(damaged, INDEX);
        const bytes = damaged.get(SEGMENT).slice();
        bytes[at]! ^= 1 << (at % 8);
        damaged.put(SEGMENT, bytes);
        const told: LogDamage[] = [];
        const log = await openLog(damaged, {
          ...options,
          segmentBytes: 1000,
          listener: { ...silentListener, onDamage: (d) => told.push(d) },
        });
        const found = readAll(log);
        const lost = Array.from({ length: MESSAGES }, (_, i) => i + 1).filter((sequence) => !found.includes(sequence));
        const where = `byte ${at}, ${index ? 'with' : 'without'} the checkpoint`;
        expect(lost.length, where).toBeLessThanOrEqual(1);
        expect(log.state.messages, where).toBe(found.length);
        expect(told, where).toEqual(log.damages);
        if (lost.length > 0) {
          expect(told.length, where).toBe(1);
          expect(told[0], where).toMatchObject({ file: SEGMENT, firstSequence: lost[0], lastSequence: lost[0] });
          expect(told[0]!.offset, where).toBeLessThanOrEqual(at);
          expect(told[0]!.offset + told[0]!.bytes, where).toBeGreaterThan(at);
        }
        expect(log.append(messageOf('s', payloadOf(MESSAGES + 1)), TIME), where).toBe(MESSAGES + 1);
        expect(await log.flush(), where).toBeNull();
        await log.close();
      }
    }
  });
});

describe('damage', () => {
  test('is told again at the next start, and what is behind it stays readable', async () => {
    const disk = await written({});
    const bytes = disk.get(SEGMENT).slice();
    bytes.fill(0xff, 400, 600);
    disk.put(SEGMENT, bytes);
    without(disk, INDEX);
    const first = await openLog(disk);
    const found = readAll(first);
    expect(found.length).toBeLessThan(MESSAGES);
    expect(found.at(-1)).toBe(MESSAGES);
    expect(first.damages.length).toBe(1);
    const damages = [...first.damages];
    await first.close();
    const second = await openLog(disk);
    expect(second.damages).toEqual(damages);
    expect(readAll(second)).toEqual(found);
    await second.close();
  });

  test('that comes while the log is open is found by reading', async () => {
    const disk = await written({});
    const told: LogDamage[] = [];
    const log = await openLog(disk, { listener: { ...silentListener, onDamage: (damage) => told.push(damage) } });
    const bytes = disk.get(SEGMENT);
    bytes[300]! ^= 1;
    const found = readAll(log);
    expect(found.length).toBe(MESSAGES - 1);
    expect(told.length).toBe(1);
    expect(log.state.messages).toBe(MESSAGES - 1);
    expect(log.trimMessages(0)).toBe(MESSAGES - 1);
    expect(log.state.messages).toBe(0);
    await log.close();
  });

  test('is found when a block is read back that was in memory before', async () => {
    const disk = await written({}, 300);
    const told: LogDamage[] = [];
    const listener = { ...silentListener, onDamage: (damage: LogDamage) => told.push(damage) };
    // Blocks go soon after they were read.
    const log = await openLog(disk, { listener, cache: new BlockCache(1) });
    for (let round = 0; round < 3; round++) expect(readAll(log).length).toBe(MESSAGES);
    expect(told).toEqual([]);
    disk.get(SEGMENT)[HEADER_BYTES + 60]! ^= 1;
    expect(readAll(log).length).toBe(MESSAGES - 1);
    expect(told.length).toBe(1);
    expect(readAll(log).length).toBe(MESSAGES - 1);
    expect(told.length).toBe(1);
    await log.close();
  });

  test('of a checkpoint costs nothing', async () => {
    const disk = await written({});
    const { length } = disk.get(INDEX);
    for (let at = 0; at < length; at += 7) {
      const damaged = disk.afterKill();
      const bytes = damaged.get(INDEX).slice();
      bytes[at]! ^= 0x10;
      damaged.put(INDEX, bytes);
      const log = await openLog(damaged);
      expect(readAll(log).length).toBe(MESSAGES);
      expect(log.damages).toEqual([]);
      await log.close();
    }
  });

  test('of a whole file sets the file aside', async () => {
    const disk = await written({});
    disk.put(SEGMENT, new Uint8Array(disk.get(SEGMENT).length));
    const log = await openLog(disk);
    const found = readAll(log);
    expect(found.length).toBeGreaterThan(0);
    expect(log.damages).toMatchObject([{ file: `${SEGMENT}.damaged`, firstSequence: 1, lastSequence: found[0]! - 1 }]);
    expect(disk.names.has(`${SEGMENT}.damaged`)).toBe(true);
    await log.close();
  });

  test('by a lost file is told', async () => {
    const disk = without(await written({}), SEGMENT);
    const log = await openLog(disk);
    const found = readAll(log);
    expect(found[0]).toBeGreaterThan(1);
    expect(log.damages).toMatchObject([{ file: SEGMENT, firstSequence: 1, lastSequence: found[0]! - 1 }]);
    await log.close();
  });

  test('does not bring to life what a payload holds, though it is a record of another segment', async () => {
    const other = new FaultDisk();
    const source = await openLog(other);
    source.skipTo(50);
    source.append(messageOf('s', 'forged'), TIME);
    await source.close();
    const disk = new FaultDisk();
    const log = await openLog(disk);
    const payload = new Uint8Array(other.get(SEGMENT).subarray(HEADER_BYTES));
    log.append(composeMessage({ subject: utf8('s'), reply: null, headers: null, payload }), TIME);
    log.append(messageOf('s', payloadOf(2)), TIME);
    await log.close();
    disk.get(SEGMENT)[HEADER_BYTES]! ^= 1;
    const damaged = await openLog(without(disk, INDEX));
    expect(readAll(damaged)).not.toContain(50);
    await damaged.close();
  });
});

describe('a store with a key', () => {
  test('keeps subjects and payloads from whoever has the files', async () => {
    const disk = new FaultDisk();
    const log = await openLog(disk, { encryption: { cipher: 'chacha20-poly1305', key: KEY }, compress: true });
    log.append(messageOf('secret.subject', 'secret payload'), TIME);
    await log.close();
    for (const [path, { now }] of disk.names) {
      expect(Buffer.from(now).includes('secret'), path).toBe(false);
    }
  });

  test('says that the key is wrong, or missing', async () => {
    const disk = await written({ encryption: { cipher: 'aes-256-gcm', key: KEY } });
    await expect(
      openLog(disk, { encryption: { cipher: 'aes-256-gcm', key: new Uint8Array(32) } }),
    ).rejects.toMatchObject({
      code: 'STORE_KEY_WRONG',
    });
    await expect(openLog(disk)).rejects.toMatchObject({ code: 'STORE_KEY_MISSING' });
    const log = await openLog(disk, { encryption: { cipher: 'aes-256-gcm', key: KEY } });
    expect(readAll(log).length).toBe(MESSAGES);
    await log.close();
  });
});
