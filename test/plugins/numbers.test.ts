import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { compiled, Guest, root } from './guest.js';

let guest: Guest;
beforeAll(async () => {
  guest = new Guest(await compiled(join(root, 'plugins', 'sdk', 'probe')));
});

/** What JSON.stringify makes of a number: a text that reads back as the same number, and null for infinity. */
function written(number: number): number | null {
  return JSON.parse(JSON.stringify(number));
}

/** The number after it was read and written by a plugin. */
function through(text: string): number | null {
  const { payload } = guest.call({ subject: 'json.number', payload: `{"v":${text}}` });
  return JSON.parse(payload ?? '').r;
}

const doubles = fc.double({ noNaN: true, noDefaultInfinity: true });
const digits = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength }).filter((text) => text !== '');
/** Texts of numbers that need not be what any program writes. */
const spelled = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: fc.oneof(
      fc.constant('0'),
      digits(25).map((text) => text.replace(/^0+(?=.)/, '')),
    ),
    fraction: fc.option(digits(40), { nil: null }),
    exponent: fc.option(fc.integer({ min: -345, max: 345 }), { nil: null }),
    letter: fc.constantFrom('e', 'E'),
    plus: fc.constantFrom('', '+'),
  })
  .map(({ sign, whole, fraction, exponent, letter, plus }) => {
    const power = exponent === null ? '' : `${letter}${exponent < 0 ? '' : plus}${exponent}`;
    return `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${power}`;
  });

describe('numbers in a plugin', () => {
  it('are read and written as JavaScript does', () => {
    fc.assert(
      fc.property(doubles, (number) => {
        expect(through(JSON.stringify(number))).toBe(written(number));
      }),
      { numRuns: 3000 },
    );
  });

  it('are read correctly rounded, however they are spelled', () => {
    fc.assert(
      fc.property(spelled, (text) => {
        expect(through(text)).toBe(written(Number(text)));
      }),
      { numRuns: 3000 },
    );
  });

  it('are read correctly rounded half way between two doubles, and next to that', () => {
    const halfWay = fc.tuple(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }), fc.integer({ min: 1, max: 200 }));
    fc.assert(
      fc.property(halfWay, fc.constantFrom(-1n, 0n, 1n), ([mantissa, shift], nudge) => {
        const text = String(((2n * mantissa + 1n) << BigInt(shift)) + nudge);
        expect(through(text)).toBe(Number(text));
        // The same with a point: half way only for the exact text.
        const small = `0.${'0'.repeat(shift)}${text}`;
        expect(through(small)).toBe(Number(small));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    '0',
    '-0',
    '0.1',
    '1e22',
    '1e23',
    '9007199254740993',
    '9007199254740992.5',
    '123456789012345678901234567890',
    '5e-324',
    '2.4703282292062327e-324',
    '2.4703282292062328e-324',
    '2.2250738585072011e-308',
    '2.2250738585072014e-308',
    '1.7976931348623157e308',
    '1.7976931348623159e308',
    '1e309',
    '-1e999',
    '1e-400',
    '0e999',
    '0.000e-5',
    `0.${'0'.repeat(400)}1e400`,
    `1${'0'.repeat(400)}e-400`,
    `${'9'.repeat(900)}e-900`,
    `0.${'3'.repeat(1000)}`,
    `2.5${'0'.repeat(900)}1`,
    `4503599627370496.5${'0'.repeat(850)}`,
    `4503599627370496.5${'0'.repeat(850)}1`,
    `1e${'9'.repeat(30)}`,
    `1e-${'9'.repeat(30)}`,
    '1E+2',
    '1e-2',
  ])('%s is read as JavaScript does', (text) => {
    expect(through(text)).toBe(written(Number(text)));
  });

  it.each([
    [23.45, 1, '23.5'],
    [-23.45, 1, '-23.5'],
    [0.5, 0, '1'],
    [-0.4, 0, '0'],
    [2.5, 0, '3'],
    [1e15 + 0.5, 0, '1000000000000001'],
    [0.1 + 0.2, 6, '0.3'],
    [1.005, 2, '1'],
    [100, 3, '100'],
    [0.000001, 6, '0.000001'],
    [123456.789, 2, '123456.79'],
    [1e300, 2, '1e+300'],
    [0.30000000000000004, 15, '0.3'],
  ])('%d with %d decimals is %s', (number, decimals, text) => {
    const { payload } = guest.call({
      subject: 'json.round',
      headers: { Value: String(decimals) },
      payload: JSON.stringify({ v: number }),
    });
    expect(payload).toBe(`{"v":${JSON.stringify(number)},"r":${text}}`);
  });

  it('are written as short as JavaScript does, nearly always', () => {
    const longer = fc.sample(doubles, 2000).filter((number) => {
      const { payload } = guest.call({ subject: 'json.number', payload: JSON.stringify({ v: number }) });
      const text = /"r":(.*)}$/.exec(payload ?? '')?.[1] ?? '';
      return text.length > JSON.stringify(number).length;
    });
    expect(longer.length).toBeLessThan(20);
  });
});
