import { describe, expect, test } from 'vitest';
import type { FileLog, FileLogOptions } from '../../src/storage/file-log.js';
import { StoredMessage } from '../../src/storage/message-log.js';
import { failEverywhere, failOnBadDisks, flushAtLast, type Lives } from './power-failures.js';
import type { Random } from './random.js';
import { messageOf, readOut } from './random-operations.js';

const KEY = new Uint8Array(32).fill(7);
/** Hundreds of lives, each with several ends. */
const TIMEOUT_MS = 120_000;
const TIME = { timeMs: 1_700_000_000_000, timeNs: 5 };

/** What a client knows when the power fails. */
class Witness {
  /** By sequence, the payload. */
  readonly appended = new Map<number, string>();
  acknowledged = 0;
  /** Removed, and then a flush said so. */
  readonly gone = new Set<number>();
  /** Removed, and nobody said that it is durable. */
  readonly perhapsGone = new Set<number>();
}

/** A little life of a log: batches of messages, removals, purges, skips, erasures. Ends when the disk crashes. */
async function live(log: FileLog, witness: Witness, random: Random): Promise<void> {
  for (let round = 0; round < 12; round++) {
    for (let i = random.next(12); i >= 0; i--) {
      const payload = `${round}.${i}.${'x'.repeat(random.next(700))}`;
      const sequence = log.append(messageOf(`s.${random.next(6)}`, payload), TIME);
      if (sequence > 0) witness.appended.set(sequence, payload);
    }
    // Now and then there is time for commits, but nobody asks for a sync.
    if (random.next(4) === 0) await turns();
    else {
      const before = [...witness.perhapsGone];
      if (!(await flushAtLast(log, witness))) return;
      for (const sequence of before) {
        witness.perhapsGone.delete(sequence);
        witness.gone.add(sequence);
      }
    }
    const roll = random.next(6);
    const had = new Set(sequencesOf(log));
    if (roll === 0) log.trimMessages(random.next(40));
    else if (roll === 1) for (const sequence of had) if (random.next(3) === 0) log.remove(sequence);
    if (roll === 2) log.purge(random.next(3) === 0 ? {} : { before: random.next(log.state.lastSequence + 1) });
    if (roll === 3) log.skipTo(log.state.lastSequence + random.next(4));
    const left = new Set(sequencesOf(log));
    for (const sequence of had) if (!left.has(sequence)) witness.perhapsGone.add(sequence);
    if (roll === 4 && left.size > 0) {
      const sequence = random.pick([...left]);
      witness.perhapsGone.add(sequence);
      await log.erase(sequence);
    }
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

function sequencesOf(log: FileLog): number[] {
  const found: number[] = [];
  for (let sequence = 1; sequence <= log.state.lastSequence; sequence++) if (log.has(sequence)) found.push(sequence);
  return found;
}

/** Everything acknowledged is there, nothing that was removed, and nothing that nobody stored. */
function judge(log: FileLog, witness: Witness): void {
  const into = new StoredMessage();
  const found = new Map<number, string>();
  for (let from = 0; log.next(from, null, into); from = into.sequence + 1) {
    found.set(into.sequence, readOut(into).payload);
  }
  expect(log.damages).toEqual([]);
  for (const [sequence, payload] of found) {
    expect(payload, `sequence ${sequence}`).toBe(witness.appended.get(sequence));
    expect(witness.gone.has(sequence), `sequence ${sequence} was removed`).toBe(false);
  }
  for (const sequence of witness.appended.keys()) {
    if (sequence > witness.acknowledged || witness.gone.has(sequence) || witness.perhapsGone.has(sequence)) continue;
    expect(found.has(sequence), `sequence ${sequence} was acknowledged`).toBe(true);
  }
  expect(log.state.lastSequence).toBeGreaterThanOrEqual(witness.acknowledged);
  expect(log.state.messages).toBe(found.size);
}

const KINDS: [string, Partial<FileLogOptions>][] = [
  ['plain', {}],
  ['plain, not synced at each commit', { sync: 'os' }],
  ['compressed', { compress: true }],
  ['encrypted', { encryption: { cipher: 'aes-256-gcm', key: KEY } }],
  ['encrypted and compressed', { compress: true, encryption: { cipher: 'chacha20-poly1305', key: KEY } }],
];

function lives(options: Partial<FileLogOptions>): Lives<Witness> {
  return {
    ...{ options, live, variants: 4, newWitness: () => new Witness() },
    judge: async (log, witness, reopen) => {
      judge(log, witness);
      // It goes on, and once more: what recovery did is as durable.
      const sequence = log.append(messageOf('after', 'the crash'), TIME);
      expect(await log.flush()).toBeNull();
      const into = new StoredMessage();
      expect((await reopen()).read(sequence, into)).toBe(true);
      expect(readOut(into).payload).toBe('the crash');
    },
  };
}

describe.each(KINDS)('a power failure at every write, sync and rename: %s', (_name, options) => {
  const title = 'loses nothing that was acknowledged, brings nothing back';
  test(title, { timeout: TIMEOUT_MS }, () => failEverywhere(lives(options)));

  test(`${title}, on a disk that failed before`, { timeout: TIMEOUT_MS }, () => failOnBadDisks(lives(options)));
});
