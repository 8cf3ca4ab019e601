import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Fifo } from '../../src/base/fifo.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('first in, first out, also beyond the places that are given back at once', () => {
  const fifo = new Fifo<number>();
  const taken: number[] = [];
  for (let i = 0; i < 5_000; i++) {
    fifo.push(i);
    if (i % 2 === 1) taken.push(fifo.shift()!);
  }
  expect(fifo.length).toBe(2_500);
  expect([fifo.first, fifo.at(1), fifo.list().length]).toEqual([2_500, 2_501, 2_500]);
  taken.push(...fifo.takeAll());
  expect(taken).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
  expect(fifo.shift()).toBeUndefined();
});

test('what was taken is not kept while others wait', async () => {
  const fifo = new Fifo<object>();
  const refs = Array.from({ length: 10 }, () => {
    const item = { large: new Uint8Array(1_000) };
    fifo.push(item);
    return new WeakRef(item);
  });
  for (let i = 0; i < 9; i++) fifo.shift();
  await turn();
  collect();
  expect(refs.map((ref) => ref.deref() === undefined)).toEqual([...Array(9).fill(true), false]);
  expect(fifo.length).toBe(1);
});
