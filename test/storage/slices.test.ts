// Removals that take their time: a part in each turn of the event loop.
import { describe, expect, test } from 'vitest';
import { LogFilter } from '../../src/storage/log-filter.js';
import { MemoryLog } from '../../src/storage/memory-log.js';
import type { MessageLog, PurgeOptions } from '../../src/storage/message-log.js';
import { FaultDisk } from './fault-disk.js';
import { openLog, silentListener } from './opened.js';
import { messageOf } from './random-operations.js';

const TIME = { timeMs: 1_700_000_000_000, timeNs: 0 };
const MESSAGES = 5000;
const KINDS: [string, () => Promise<MessageLog>][] = [
  ['memory', async () => new MemoryLog(silentListener)],
  ['file', () => openLog(new FaultDisk())],
];

async function filled(open: () => Promise<MessageLog>): Promise<MessageLog> {
  const log = await open();
  for (let i = 0; i < MESSAGES; i++) log.append(messageOf(`s.${i % 10}.${i % 50}`, `payload ${i}`), TIME);
  await log.flush();
  return log;
}

/** Purges in parts; returns the size of each. */
function parts(log: MessageLog, options: PurgeOptions, end: number): number[] {
  const sizes: number[] = [];
  for (const cursor = { from: 0 }; cursor.from < end; ) sizes.push(log.purgePart(options, cursor));
  return sizes;
}

const total = (sizes: number[]) => sizes.reduce((sum, size) => sum + size, 0);

describe.each(KINDS)('removals in parts: %s', (_name, open) => {
  test('take what a purge takes, never much at once', async () => {
    for (const options of [
      { filter: LogFilter.of(['s.3.*']) },
      { filter: LogFilter.of(['s.3.13']) },
      { before: 3210 },
      { filter: LogFilter.of(['s.*.1', 's.5.>']), before: 4000 },
    ]) {
      const [inParts, atOnce] = [await filled(open), await filled(open)];
      const sizes = parts(inParts, options, options.before ?? MESSAGES + 1);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(1000);
      expect(total(sizes)).toBe(atOnce.purge(options));
      expect(inParts.state).toEqual(atOnce.state);
      await inParts.close();
      await atOnce.close();
    }
  });

  test('leave what came in meanwhile', async () => {
    const log = await filled(open);
    const cursor = { from: 0 };
    const options = { filter: LogFilter.of(['s.3.*']), before: MESSAGES + 1 };
    let purged = log.purgePart(options, cursor, 100);
    expect(purged).toBeLessThanOrEqual(100);
    log.append(messageOf('s.3.3', 'new'), TIME);
    while (cursor.from <= MESSAGES) purged += log.purgePart(options, cursor);
    expect(purged).toBe(MESSAGES / 10);
    expect(log.count(LogFilter.of(['s.3.*']), 0)).toBe(1);
    await log.close();
  });

  test('trim all subjects from the front', async () => {
    const log = await filled(open);
    let gone = 0;
    for (const cursor = { from: 0 }; cursor.from <= MESSAGES; ) {
      const part = log.trimSubjectsPart(7, cursor);
      expect(part).toBeLessThanOrEqual(1000);
      gone += part;
    }
    expect(gone).toBe(MESSAGES - 50 * 7);
    expect(log.state).toMatchObject({ messages: 350, firstSequence: MESSAGES - 350 + 1, subjects: 50 });
    await log.close();
  });

  test('do not go beyond what they may take', async () => {
    const log = await filled(open);
    expect(log.trimMessages(1000, 300)).toBe(300);
    expect(log.trimBytes(0, 200)).toBe(200);
    expect(log.state).toMatchObject({ messages: MESSAGES - 500, firstSequence: 501 });
    await log.close();
  });
});
