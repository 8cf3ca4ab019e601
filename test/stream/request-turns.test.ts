import { describe, expect, it } from 'vitest';
import { LATER, RequestTurns } from '../../src/stream/request-turns.js';
import { ManualClock } from '../kit/manual-clock.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('requests that have to wait for something', () => {
  it('are tried again, and leave the others their turns', async () => {
    const clock = new ManualClock();
    const turns = new RequestTurns(clock);
    const done: string[] = [];
    let isReady = false;
    const waits = (name: string) => () => (isReady ? void done.push(name) : LATER);
    for (const name of ['one', 'two']) expect(turns.run(0, waits(name))).toBe(true);
    for (let i = 0; i < 3; i++) {
      clock.advance(10);
      await turn();
    }
    expect(turns.run(0, () => void done.push('another'))).toBe(true);
    isReady = true;
    clock.advance(10);
    await turn();
    expect(done).toEqual(['another', 'one', 'two']);
    clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });

  it('are so many at most: others are done, and those that waited first stay', async () => {
    const clock = new ManualClock();
    const turns = new RequestTurns(clock);
    const done: number[] = [];
    let isReady = false;
    const tries = new Map<number, number>();
    for (let i = 0; i < 20_000; i++)
      turns.run(1_000, () => {
        tries.set(i, (tries.get(i) ?? 0) + 1);
        return isReady ? void done.push(i) : LATER;
      });
    expect(turns.run(0, () => void done.push(-1))).toBe(true);
    expect(done).toEqual([-1]);
    expect(clock.pending).toBe(1);
    clock.advance(10);
    await turn();
    expect([...tries.values()].filter((count) => count > 1)).toHaveLength(500);
    turns.run(0, () => LATER);
    isReady = true;
    clock.advance(10);
    await turn();
    expect(done).toEqual([-1, ...Array.from({ length: 500 }, (_, i) => i)]);
  });

  it('keep so many bytes at most', () => {
    const turns = new RequestTurns(new ManualClock());
    const taken = Array.from({ length: 100 }, () => turns.run(1024 * 1024, () => LATER));
    expect(taken.lastIndexOf(true)).toBeLessThan(64);
    expect(taken.indexOf(false)).toBe(taken.lastIndexOf(true) + 1);
  });
});
