import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyOverlap, anyTwoOverlap, FilterSet } from '../../src/subject/filter-set.js';
import { filterCovers, filtersOverlap } from '../../src/subject/subject.js';

/** Of few tokens, so that many of them have something in common. */
const token = fc.constantFrom('a', 'b', 'ab', 'a*', '*');
const filter = fc
  .tuple(fc.array(token, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([tokens, open]) => [...tokens, ...(open ? ['>'] : [])].join('.'));
const few = fc.array(filter, { maxLength: 6 });
const many = fc.array(filter, { maxLength: 40 });

test('says what comparing each with each says (property)', () => {
  fc.assert(
    fc.property(few, many, (some, others) => {
      const set = FilterSet.of(some);
      for (const other of others) expect(set.overlaps(other)).toBe(some.some((one) => filtersOverlap(one, other)));
      some.forEach((one, i) => {
        expect(set.covers(one)).toBe(some.some((other, j) => i !== j && filterCovers(other, one)));
      });
      const pairs = some.some((one) => others.some((other) => filtersOverlap(one, other)));
      expect([anyOverlap(some, others), anyOverlap(others, some)]).toEqual([pairs, pairs]);
      const twice = some.some((one, i) => some.some((other, j) => i !== j && filtersOverlap(one, other)));
      expect(anyTwoOverlap(some)).toBe(twice);
    }),
    { numRuns: 3_000 },
  );
});

test('the same filter twice', () => {
  const set = FilterSet.of(['a.b', 'a.b', 'c.>', 'd.>', 'd.>']);
  expect(['a.b', 'c.>', 'd.>'].map((filter) => set.covers(filter))).toEqual([true, false, true]);
});

test('a hundred thousand filters are compared with each other in less than the time of each with each', () => {
  const filters = Array.from({ length: 100_000 }, (_, i) => `wide.${i}.*.>`);
  const started = performance.now();
  expect(anyTwoOverlap(filters)).toBe(false);
  const set = FilterSet.of(filters);
  expect(filters.some((filter) => set.covers(filter))).toBe(false);
  expect(anyOverlap(filters, ['wide.99999.x.y'])).toBe(true);
  // Each with each are five thousand million comparisons: minutes.
  expect(performance.now() - started).toBeLessThan(10_000);
});
