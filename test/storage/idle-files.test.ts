import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { nodeDisk } from '../../src/storage/node-disk.js';
import { tempFolder } from '../kit/temp-folder.js';

const ROUND_MS = 5_000;

/** How often this process has the file open. */
function timesOpen(path: string): number {
  const opened = readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return readlinkSync(join('/proc/self/fd', descriptor));
    } catch {
      return ''; // The one that the list was read with.
    }
  });
  return opened.filter((one) => one === path).length;
}

describe.skipIf(process.platform !== 'linux')('files that nobody uses (which are open is told by Linux alone)', () => {
  let folder: { path: string; remove: () => void };

  beforeEach(() => {
    folder = tempFolder();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    // Rounds are counted until there are no such files any more.
    vi.advanceTimersByTime(ROUND_MS);
    vi.useRealTimers();
    folder.remove();
  });

  test('are closed after a while, and opened again when they are used', async () => {
    const path = join(folder.path, 'a.log');
    const file = await nodeDisk.open(path, 'w+');
    await file.write([utf8('one')], 0);
    await file.sync();
    await file.writeDurably([utf8('two')], 3);
    expect(timesOpen(path)).toBe(2);
    vi.advanceTimersByTime(2 * ROUND_MS);
    expect(timesOpen(path)).toBe(0);
    const into = new Uint8Array(6);
    expect(file.readSync(into, 0)).toBe(6);
    expect(into).toEqual(utf8('onetwo'));
    await file.writeDurably([utf8('three')], 6);
    expect(timesOpen(path)).toBe(2);
    await file.close();
    expect(timesOpen(path)).toBe(0);
  });

  test('stay open while they are used, and until they are synced', async () => {
    const [used, written] = [join(folder.path, 'used.log'), join(folder.path, 'written.log')];
    const [one, other] = [await nodeDisk.open(used, 'w+'), await nodeDisk.open(written, 'w+')];
    await one.writeDurably([utf8('one')], 0);
    await other.write([utf8('other')], 0);
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(ROUND_MS - 1);
      expect(one.readSync(new Uint8Array(3), 0)).toBe(3);
    }
    expect([timesOpen(used), timesOpen(written)]).toEqual([2, 1]);
    vi.advanceTimersByTime(2 * ROUND_MS);
    expect([timesOpen(used), timesOpen(written)]).toEqual([0, 1]);
    await other.sync();
    vi.advanceTimersByTime(2 * ROUND_MS);
    expect(timesOpen(written)).toBe(0);
    await Promise.all([one.close(), other.close()]);
  });
});
