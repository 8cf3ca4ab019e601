import { describe, expect, test } from 'vitest';
import type { FileLogOptions } from '../../src/storage/file-log.js';
import { MemoryLog } from '../../src/storage/memory-log.js';
import { FaultDisk } from './fault-disk.js';
import { openLog, silentListener } from './opened.js';
import { newSeed, Random } from './random.js';
import { RandomOperations } from './random-operations.js';

const OPERATIONS = 50_000;
const TIMEOUT_MS = 120_000;
const KEY = new Uint8Array(32).fill(7);

/** Kinds of logs in files, and operations on each. */
const KINDS: [string, Partial<FileLogOptions>, number][] = [
  ['plain', {}, OPERATIONS],
  ['of tiny segments', { segmentBytes: 2_000 }, OPERATIONS / 2],
  ['encrypted', { encryption: { cipher: 'chacha20-poly1305', key: KEY } }, OPERATIONS / 2],
  ['compressed', { compress: true }, OPERATIONS / 2],
];

/** The title says which seed to run again (`SEED=…`) when something fails. */
function seeded(title: string, run: (random: Random) => Promise<void>): void {
  const seed = newSeed();
  test(`${title}, seed ${seed}`, { timeout: TIMEOUT_MS }, () => run(new Random(seed)));
}

describe('random operations on a log and on a simple model of it', () => {
  seeded('memory', async (random) => {
    const operations = new RandomOperations(random, new MemoryLog(silentListener));
    for (let i = 0; i < OPERATIONS; i++) {
      operations.step();
      if (i % 1000 === 0) operations.compare();
    }
    operations.compare();
  });

  for (const [kind, options, count] of KINDS)
    seeded(`file, ${kind}, opened again from time to time`, (random) => runOnFiles(random, count, options));

  test(
    'seed 1219042601: removals are remembered as long as files of purged segments are there',
    { timeout: TIMEOUT_MS },
    () => runOnFiles(new Random(1219042601), 16_000),
  );

  test('seed 108: a segment that is appended to is not compacted', { timeout: TIMEOUT_MS }, () =>
    runOnFiles(new Random(108), 40_000),
  );
});

/** Closes, kills or cuts the power off now and then. */
async function runOnFiles(random: Random, count: number, options: Partial<FileLogOptions> = {}): Promise<void> {
  let disk = new FaultDisk();
  const operations = new RandomOperations(random, await openLog(disk, options));
  const reopen = async () => {
    operations.log = await openLog(disk, { ...options, listener: operations.listener() });
    expect(operations.log.damages).toEqual([]);
    operations.compare();
  };
  for (let i = 0; i < count; i++) {
    operations.step();
    if (random.next(100) === 0) expect(await operations.log.flush()).toBeNull();
    const roll = random.next(1000);
    if (roll === 0) {
      await operations.log.close();
      await reopen();
    } else if (roll === 1) {
      await operations.log.flush();
      disk = disk.afterKill();
      await reopen();
    } else if (roll === 2) {
      await operations.log.flush();
      disk = disk.afterPowerLoss(random);
      await reopen();
    } else if (roll === 3) operations.compare();
  }
  await operations.log.flush();
  operations.compare();
  await operations.log.close();
}
