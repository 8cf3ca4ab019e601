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

/** What happens to the disk before the power fails. */
export interface Trouble {
  /** So many writes, syncs and renames of a hundred fail. */
  faults: number;
  /** The power fails at one of so many steps. */
  every: number;
}

/** Seeds of lives that a former version of the log took for damaged. */
const BAD_DISKS = [7000, 7001, 7002, 7025, 7028, 7029, 7054, 7060];

const NO_TROUBLE: Trouble = { faults: 0, every: 1 };
/** The disk works while the log is opened. */
const STEPS_AT_OPENING = 4;

/** Lives again and again, and the power fails at each write, sync and rename once. Whatever fails tells its seed. */
export async function failEverywhere<W extends Witness>(
  lives: Lives<W>,
  seed = newSeed(),
  trouble = NO_TROUBLE,
): Promise<void> {
  const whole = new FaultDisk();
  await lifeUntil(whole, seed, lives, trouble);
  expect(whole.steps).toBeGreaterThan(40);
  const random = new Random(seed);
  for (let crashAt = 1; crashAt <= whole.steps; crashAt++)
    if (random.next(trouble.every) === 0) await failAt(lives, { seed, crashAt, ...trouble });
}

/**
 * The same on disks that fail now and then, at some steps of each life: one for each of `BAD_DISKS`, or for as many as `SEEDS` of the environment says, from
 * `SEED` on. One in two hundred still ends with a range that is told as damage though nothing of it was acknowledged (src/storage/README.md).
 */
export async function failOnBadDisks<W extends Witness>(lives: Lives<W>): Promise<void> {
  const { SEEDS } = process.env;
  const first = newSeed();
  const chosen = SEEDS === undefined ? BAD_DISKS : Array.from({ length: Number(SEEDS) }, (_, i) => first + i);
  for (const seed of chosen) await failEverywhere(lives, seed, { faults: 1 + (seed % 16), every: 16 });
}

/** Lives once, and the power fails at this write, sync or rename. */
export async function failAt<W extends Witness>(
  lives: Lives<W>,
  { seed, crashAt, ...trouble }: { seed: number; crashAt: number } & Trouble,
): Promise<void> {
  const disk = new FaultDisk();
  disk.crashAt = crashAt;
  const witness = await lifeUntil(disk, seed, lives, trouble);
  const random = new Random(seed + crashAt);
  for (let variant = 0; variant < lives.variants; variant++) {
    const after = disk.afterPowerLoss(random);
    const open = (on: FaultDisk) => openLog(on, { ...lives.options, segmentBytes: SEGMENT_BYTES });
    try {
      await lives.judge(await open(after), witness, () => open(after.afterPowerLoss(random)));
    } catch (thrown) {
      const what = `seed ${seed}, step ${crashAt}, variant ${variant}, faults ${trouble.faults}`;
      throw new Error(`${what}: ${(thrown as Error).message}`, { cause: thrown });
    }
  }
}

/** Until everything is durable, however often the disk fails; false when the power failed. */
export async function flushAtLast(log: FileLog, witness: Witness): Promise<boolean> {
  const { lastSequence } = log.state;
  for (let failure = await log.flush(); failure !== null; failure = await log.flush())
    if (failure.code === 'CRASHED') return false;
  witness.acknowledged = Math.max(witness.acknowledged, lastSequence);
  return true;
}

async function lifeUntil<W extends Witness>(
  disk: FaultDisk,
  seed: number,
  lives: Lives<W>,
  { faults }: Trouble,
): Promise<W> {
  const witness = lives.newWitness();
  const chance = new Random(-seed);
  disk.fault = ({ kind }) => {
    if (kind === 'read' || disk.steps <= STEPS_AT_OPENING || chance.next(100) >= faults) return null;
    return chance.pick(['EIO', 'ENOSPC']);
  };
  const onCommit = (sequence: number) => {
    // Without a sync of each commit it says nothing about the power.
    if (lives.options.sync === undefined) witness.acknowledged = sequence;
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
