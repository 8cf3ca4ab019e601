import { expect, test } from 'vitest';
import { Histogram } from '../../src/host/histogram.js';
import { newSeed, Random } from '../storage/random.js';

test('a histogram counts values up to powers of two, these included', () => {
  const seed = newSeed();
  const random = new Random(seed);
  const histogram = new Histogram();
  const values = [0, 1, 2, 3, 64, 65, 2 ** 26, 2 ** 26 + 1, 2 ** 40];
  for (let i = 0; i < 1000; i++) values.push(random.next(2 ** (1 + random.next(31))));
  for (const value of values) histogram.add(value);
  const powers = [0, 1, 6, 7, 8, 20, 26, 30];
  const expected = powers.map((power) => values.filter((value) => value <= 2 ** power).length);
  expect(histogram.atMost(powers), `seed ${seed}`).toEqual(expected);
  expect(histogram.total).toBe(values.length);
  expect(histogram.sum).toBe(values.reduce((sum, value) => sum + value, 0));
});
