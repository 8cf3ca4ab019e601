import { expect } from 'vitest';
import type { FileLog, FileLogOptions } from '../../src/storage/file-log.js';
import { FaultDisk } from './fault-disk.js';
import { openLog, silentListener } from './opened.js';
import { newSeed, Random } from './random.js';

const SEGMENT_BYTES = 4096;

/** What a client knows when the power fails. */
export interface Witness {
  acknowledged: number;
}

export interface Lives<W extends Witness> {
  options: Partial<FileLogOptions>;
  newWitness(): W;
  /** A little life of a log: ends when the disk crashes. */
  live(log: FileLog, witness: W, random: Random): Promise<void>;
  /** So many ways in which the power failure leaves the disk. */
  variants: number;
  /** Judges what is there afterwards; `reopen` opens the log once more, after another power failure. */
  judge(log: FileLog, witness: W, reopen: () => Promise<FileLog>): Promise<void>;
}

/** Lives again and again, and the power fails at each write, sync and rename once. Whatever fails tells its seed. */
export async function failEverywhere<W extends Witness>(lives: Lives<W>): Promise<void> {
  const seed = newSeed();
  const whole = new FaultDisk();
  await lifeUntil(whole, seed, lives);
  expect(whole.steps).toBeGreaterThan(40);
  for (let crashAt = 1; crashAt <= whole.steps; crashAt++) await failAt(lives, seed, crashAt);
}

/** Lives once, and the power fails at this write, sync or rename. */
export async function failAt<W extends Witness>(lives: Lives<W>, seed: number, crashAt: number): Promise<void> {
  const disk = new FaultDisk();
  disk.crashAt = crashAt;
  const witness = await lifeUntil(disk, seed, lives);
  const random = new Random(seed + crashAt);
  for (let variant = 0; variant < lives.variants; variant++) {
    const after = disk.afterPowerLoss(random);
    const open = (on: FaultDisk) => openLog(on, { ...lives.options, segmentBytes: SEGMENT_BYTES });
    try {
      await lives.judge(await open(after), witness, () => open(after.afterPowerLoss(random)));
    } catch (thrown) {
      throw new Error(`seed ${seed}, step ${crashAt}, variant ${variant}: ${(thrown as Error).message}`, {
        cause: thrown,
      });
    }
  }
}

async function lifeUntil<W extends Witness>(disk: FaultDisk, seed: number, lives: Lives<W>): Promise<W> {
  const witness = lives.newWitness();
  const onCommit = (sequence: number) => {
    witness.acknowledged = sequence;
  };
  try {
    const listener = { ...silentListener, onCommit };
    const log = await openLog(disk, { ...lives.options, listener, segmentBytes: SEGMENT_BYTES });
    await lives.live(log, witness, new Random(seed));
    await log.close();
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== 'CRASHED') throw thrown;
  }
  return witness;
}
