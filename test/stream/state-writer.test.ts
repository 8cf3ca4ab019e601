import { expect, it } from 'vitest';
import { StateWriter } from '../../src/stream/state-writer.js';
import { ManualClock } from '../kit/manual-clock.js';

it('says when what somebody waits for could not be written, and tries again', async () => {
  const clock = new ManualClock();
  const failures: unknown[] = [];
  let disk: Error | null = new Error('full');
  let written = 0;
  const writer = new StateWriter({
    clock,
    write: async () => {
      if (disk !== null) throw disk;
      written++;
    },
    onFailure: (error) => failures.push(error),
  });
  writer.touch();
  expect(await writer.flush()).toBe(false);
  expect(failures).toEqual([disk]);
  disk = null;
  expect(await writer.flush()).toBe(true);
  expect(written).toBe(1);
  expect(await writer.flush()).toBe(true);
  expect(written).toBe(1);
  await writer.stop();
  writer.touch();
  expect(await writer.flush()).toBe(false);
  expect(written).toBe(1);
});
