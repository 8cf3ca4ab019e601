import { describe, expect, test } from 'vitest';
import type { FileLog, FileLogOptions } from '../../src/storage/file-log.js';
import { MemoryLog } from '../../src/storage/memory-log.js';
import { type MessageLog, REFUSED, StoredMessage } from '../../src/storage/message-log.js';
import { FaultDisk } from './fault-disk.js';
import { openLog, silentListener } from './opened.js';
import { failAt, failEverywhere, failOnBadDisks, flushAtLast, type Lives } from './power-failures.js';
import { Random } from './random.js';
import { messageOf, readOut } from './random-operations.js';

const KEY = new Uint8Array(32).fill(9);
const TIMEOUT_MS = 120_000;
const TIME = { timeMs: 1_700_000_000_000, timeNs: 0 };
const SEGMENT_BYTES = 4096;

/** Appends a batch; every payload is `<batch> <index> <size> …`. */
function appendBatch(log: MessageLog, batch: string, payloads: string[]): number {
  const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0);
  if (log.beginBatch(payloads.length, bytes) !== 0) return 0;
  let last = 0;
  payloads.forEach((payload, i) => {
    const text = `${batch} ${i} ${payloads.length} ${payload}`;
    last = log.append(messageOf(`s.${i % 5}`, text), TIME, i + 1 < payloads.length);
  });
  return last;
}

/** What a client knows: the last sequence of each batch, and what was acknowledged. */
class Witness {
  readonly ends = new Map<string, { last: number; removed: boolean }>();
  acknowledged = 0;
}

/** Batches of all sizes among single messages, with removals that thin segments out, until the disk crashes. */
async function live(log: FileLog, witness: Witness, random: Random): Promise<void> {
  for (let round = 0; round < 14; round++) {
    for (let i = random.next(3); i >= 0; i--) {
      if (random.next(3) === 0) log.append(messageOf('single', 'x'.repeat(random.next(300))), TIME);
      // Some are longer than what is encrypted in one piece.
      const sizeMax = random.next(4) === 0 ? 40_000 : 300;
      const sizes = Array.from({ length: 2 + random.next(9) }, () => random.next(sizeMax));
      const name = `b${round}.${i}`;
      const last = appendBatch(
        log,
        name,
        sizes.map((size) => 'y'.repeat(size)),
      );
      if (last > 0) witness.ends.set(name, { last, removed: false });
    }
    if (!(await flushAtLast(log, witness))) return;
    if (random.next(3) > 0) continue;
    const upTo = log.state.lastSequence - random.next(10);
    // Takes ends of batches away and leaves their beginnings, which are whole all the same.
    for (let sequence = log.state.firstSequence; sequence <= upTo; sequence++)
      if (random.next(2) === 0) log.remove(sequence);
    for (const end of witness.ends.values()) end.removed ||= end.last - 12 <= upTo;
  }
}

/** By batch, how many of its messages are there, and how many it has. */
function batchesIn(log: MessageLog): Map<string, { found: number; size: number }> {
  const batches = new Map<string, { found: number; size: number }>();
  const into = new StoredMessage();
  for (let from = 0; log.next(from, null, into); from = into.sequence + 1) {
    const [batch, , size] = readOut(into).payload.split(' ');
    if (!batch.startsWith('b')) continue;
    const entry = batches.get(batch) ?? { found: 0, size: Number(size) };
    entry.found++;
    batches.set(batch, entry);
  }
  return batches;
}

/** No batch is there in part, unless its messages were removed; every acknowledged one is there. */
function judge(log: FileLog, { ends, acknowledged }: Witness): void {
  expect(log.damages).toEqual([]);
  const batches = batchesIn(log);
  for (const [batch, { last, removed }] of ends) {
    if (removed) continue;
    const { found, size } = batches.get(batch) ?? { found: 0, size: 0 };
    expect(found, `messages of batch ${batch}, of ${size}`).toBe(size);
    if (last <= acknowledged) expect(found, `batch ${batch}, acknowledged`).toBeGreaterThan(0);
  }
}

const KINDS: [string, Partial<FileLogOptions>][] = [
  ['plain', {}],
  ['compressed', { compress: true }],
  ['encrypted', { encryption: { cipher: 'aes-256-gcm', key: KEY } }],
];

function lives(options: Partial<FileLogOptions>): Lives<Witness> {
  return {
    ...{ options, live, variants: 3, newWitness: () => new Witness() },
    judge: async (log, witness, reopen) => {
      judge(log, witness);
      const before = batchesIn(log);
      // What comes next is not taken for the rest of a batch, and the next start finds the same.
      appendBatch(log, 'bx', ['after', 'the', 'crash']);
      expect(await log.flush()).toBeNull();
      expect(batchesIn(await reopen())).toEqual(before.set('bx', { found: 3, size: 3 }));
    },
  };
}

describe.each(KINDS)('a power failure at every write, sync and rename: %s', (_name, options) => {
  test('leaves of a batch all or nothing', { timeout: TIMEOUT_MS }, () => failEverywhere(lives(options)));

  test('does so on a disk that failed before', { timeout: TIMEOUT_MS }, () => failOnBadDisks(lives(options)));
});

test('seed 1054: a sync fails, and the power while all is written again', () =>
  failAt(lives({}), { seed: 1054, crashAt: 190, faults: 0, every: 1 }));

test.each(KINDS)('what is written again with what came meanwhile is torn as one write: %s', async (_name, options) => {
  const disk = new FaultDisk();
  const log = await openLog(disk, options);
  log.append(messageOf('single', 'acknowledged'), TIME);
  expect(await log.flush()).toBeNull();
  appendBatch(log, 'b', ['one', 'two', 'three']);
  disk.fault = ({ kind }) => {
    if (kind !== 'sync') return null;
    // Would be the first behind what this sync makes durable.
    if (log.state.messages === 4) log.append(messageOf('single', 'meanwhile'), TIME);
    return 'EIO';
  };
  expect(await log.flush()).toMatchObject({ code: 'EIO' });
  expect(log.state.messages).toBe(5);
  disk.fault = () => null;
  disk.crashAt = disk.steps + 2;
  expect(await log.flush()).toMatchObject({ code: 'CRASHED' });
  await log.close();
  for (let seed = 0; seed < 200; seed++) {
    const again = await openLog(disk.afterPowerLoss(new Random(seed)), options);
    expect(again.damages, `seed ${seed}`).toEqual([]);
    expect([1, 4, 5], `seed ${seed}`).toContain(again.state.messages);
    await again.close();
  }
});

test('a batch that is larger than a segment lies in one, and none is begun within it', async () => {
  const disk = new FaultDisk();
  const log = await openLog(disk, { segmentBytes: SEGMENT_BYTES });
  log.append(messageOf('single', 'x'), TIME);
  expect(appendBatch(log, 'b', new Array(60).fill('z'.repeat(900)))).toBe(61);
  log.append(messageOf('single', 'x'), TIME);
  await log.flush();
  const files = [...disk.names.keys()].filter((path) => path.endsWith('.log'));
  expect(files).toHaveLength(3);
  await log.close();
});

test('what compaction left of a batch is not taken for a torn one', async () => {
  const disk = new FaultDisk();
  const log = await openLog(disk);
  appendBatch(log, 'b', ['one', 'two', 'three']);
  await log.flush();
  // The segment is written anew, without the end of the batch.
  await log.erase(3);
  await log.close();
  for (const path of [...disk.names.keys()]) if (!path.endsWith('00000001.log')) await disk.removeFile(path);
  const again = await openLog(disk);
  expect(batchesIn(again).get('b')).toEqual({ found: 2, size: 3 });
  // Of what came behind it there, nobody could tell.
  appendBatch(again, 'next', ['one', 'two']);
  await again.flush();
  expect([...disk.names.keys()].filter((path) => path.endsWith('.log'))).toHaveLength(2);
  await again.close();
});

test.each(['memory', 'file'])('a batch behind a great gap: %s', async (kind) => {
  const log = kind === 'memory' ? new MemoryLog(silentListener) : await openLog(new FaultDisk());
  const first = 2 ** 40;
  log.skipTo(first);
  expect(log.beginBatch(2, 2)).toBe(0);
  expect(log.append(messageOf('s', 'x'), TIME, true)).toBe(first);
  expect(log.append(messageOf('s', 'y'), TIME)).toBe(first + 1);
  expect(log.has(5)).toBe(false);
  // Nor does one with messages before it span the gap.
  log.skipTo(first * 2);
  expect(appendBatch(log, 'b', ['one', 'two'])).toBe(first * 2 + 1);
  expect(log.has(first + 2)).toBe(false);
  expect(log.state).toMatchObject({ messages: 4, firstSequence: first, deleted: first - 2 });
  await log.close();
});

test('a batch is refused before its first message, or not at all', async () => {
  const memory = new MemoryLog(silentListener);
  expect(memory.beginBatch(2, 65 * 1024 * 1024)).toBe(REFUSED.TOO_LARGE);
  expect(memory.append(messageOf('single', 'x'), TIME)).toBe(1);
  await memory.close();
  expect(memory.beginBatch(2, 10)).toBe(REFUSED.CLOSED);

  const disk = new FaultDisk();
  const log = await openLog(disk);
  // 64 MiB may wait for the disk. The batch that passes that mark is taken whole.
  const half = 'z'.repeat(33 * 1024 * 1024);
  expect(log.beginBatch(3, 3)).toBe(0);
  for (let i = 0; i < 3; i++) expect(log.append(messageOf('s', half), TIME, i < 2)).toBe(i + 1);
  expect(log.beginBatch(2, 2)).toBe(REFUSED.BUSY);
  expect(log.append(messageOf('s', 'x'), TIME)).toBe(REFUSED.BUSY);
  await log.flush();
  expect(log.append(messageOf('s', 'x'), TIME)).toBe(4);
  await log.close();
});
