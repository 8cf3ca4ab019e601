import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Verdict } from '../../src/sandbox/abi.js';
import { FAULT } from '../../src/sandbox/instance.js';
import { call, open, parse, payloadOf } from './bundled.js';

/** White space in the places where JSON allows it, and other spellings of the same texts. */
const spelling = fc.record({ spaces: fc.constantFrom(0, 1, 2), escaped: fc.boolean() });

function spell(value: unknown, { spaces, escaped }: { spaces: number; escaped: boolean }): string {
  const text = JSON.stringify(value, null, spaces);
  if (!escaped) return text;
  return text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(0, 1e21, 5e-324, 1.7976931348623157e308),
);
const objects = fc.dictionary(fc.string({ unit: 'binary', maxLength: 8 }), fc.jsonValue({ maxDepth: 3 }), {
  noNullPrototype: true,
});

describe('bundled plugins against JSON.parse', () => {
  const threshold = open('threshold', { field: 'x', above: 0.5, invalid: 'reject' });

  it('threshold judges every number as JavaScript does', () => {
    fc.assert(
      fc.property(numbers, objects, spelling, (x, others, how) => {
        const verdict = call(threshold, spell({ ...others, x }, how));
        expect(verdict).toBe(x > 0.5 ? Verdict.pass : Verdict.drop);
      }),
      { numRuns: 500 },
    );
  });

  it('threshold finds its number without reading everything, as a scan would', () => {
    const keys = [
      'x',
      'xx',
      'temperature',
      'temperatures',
      'a key of thirty-two bytes, or so!',
      ',',
      ':',
      '}',
      'é',
      ' x',
      'x"',
      '',
    ];
    const key = fc.constantFrom(...keys);
    const text = fc.oneof(
      key,
      fc.stringMatching(/^["\\\][{},: x]{0,6}$/),
      fc.constant('"x":1,'),
      fc.constant('x'.repeat(70)),
    );
    const value = fc.oneof(numbers, text, fc.constantFrom(true, false, null), fc.constant({ x: 9 }), fc.constant([9]));
    const members = fc.array(fc.tuple(key, value), { maxLength: 9 });
    const blank = fc.constantFrom('', '', ' ', '\n  ');
    const fields = keys.filter((field) => field !== '');
    const limits = fields.map((field) => {
      const path = field.replaceAll('.', '\\.');
      return [field, open('threshold', { field: path, above: 0.5, invalid: 'reject', missing: 'fail' })] as const;
    });
    fc.assert(
      fc.property(members, blank, (list, space) => {
        // Written by hand, for keys that come twice.
        const inside = list
          .map(([k, v]) => `${space}${JSON.stringify(k)}${space}:${space}${JSON.stringify(v)}`)
          .join(',');
        const json = `${space}{${inside}${space}}${space}`;
        const parsed = JSON.parse(json) as Record<string, unknown>;
        for (const [field, instance] of limits) {
          const found = Object.hasOwn(parsed, field) ? parsed[field] : undefined;
          const verdict = call(instance, json);
          if (typeof found === 'number') expect(verdict).toBe(found > 0.5 ? Verdict.pass : Verdict.drop);
          else expect(verdict).toBe(found === undefined || found === null ? FAULT : Verdict.reject);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('threshold notices wherever a text was cut off', () => {
    const values = fc.oneof(
      numbers,
      fc.stringMatching(/^[{}[\],: x]{0,6}$/),
      fc.constantFrom(true, null),
      fc.jsonValue({ maxDepth: 1 }),
    );
    const members = fc.dictionary(fc.stringMatching(/^[a-x]{1,3}$/), values, { noNullPrototype: true });
    fc.assert(
      fc.property(members, fc.nat(), (others, at) => {
        const text = JSON.stringify({ x: 1, ...others, x2: 'end' });
        const verdict = call(threshold, text.slice(0, at % text.length));
        expect(verdict).toBe(Verdict.reject);
        expect(threshold.outbox.error).toMatch(/^the payload is not JSON/);
      }),
      { numRuns: 1000 },
    );
  });

  it('threshold, being strict, takes for JSON exactly what JSON.parse takes', () => {
    const strict = open('threshold', { field: 'x', above: 0.5, invalid: 'reject', strict: true });
    const mutated = fc
      .tuple(objects, fc.nat(), fc.string({ maxLength: 3 }), fc.nat(3))
      .map(([value, at, insert, cut]) => {
        const text = JSON.stringify({ ...value, x: 1 });
        const place = at % (text.length + 1);
        return text.slice(0, place) + insert + text.slice(place + cut);
      });
    fc.assert(
      fc.property(mutated, (text) => {
        const wellFormed = Buffer.from(text).toString();
        const verdict = call(strict, text);
        expect(strict.poisoned).toBe(false);
        const isRefused = verdict === Verdict.reject && strict.outbox.error.startsWith('the payload is not JSON');
        expect(isRefused).toBe(parse(wellFormed) === undefined);
      }),
      { numRuns: 1000 },
    );
  });

  it('no bytes at all make a plugin trap', () => {
    const instances = [
      open('threshold', { field: 'a.b', above: 1 }),
      open('pick', { fields: ['a', '*.b'], remove: ['c'] }),
      open('convert', { field: 'a', scale: 2 }),
      open('enrich', { key: 'a', table: { b: { c: 1 } } }),
      open('deadband', { field: 'a', band: 1, key: 'b' }),
      open('smooth', { field: 'a', samples: 2 }),
      open('aggregate', { field: 'a', to: 'x.{#key}', key: 'b' }),
      open('throttle', { messages: 1, key: 'a.b' }),
      open('dedupe', { field: 'a' }),
      open('dedupe', {}),
      open('redact', { fields: ['a', '*.b'], keep_last: 1 }),
      open('rename', { fields: { a: 'b', '*.a': 'c' } }),
      open('route', { field: 'a', routes: { b: 'c.{d}' }, to: '{#}.{a}' }),
      open('geofence', { fences: { a: { center: [0, 0], radius_m: 1 } }, latitude: 'a', longitude: 'b' }),
      open('schema', { schema: { properties: { a: { type: 'integer' } }, items: { maxLength: 1 } } }),
      open('split', { to: 'x.{a}', with: ['a'] }),
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const instance of instances) {
          const verdict = call(instance, bytes);
          expect(verdict === FAULT ? instance.fault.cause : 'guest-error').toBe('guest-error');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('pick leaves out what it is told, and nothing else', () => {
    const pick = open('pick', { remove: ['secret'] });
    fc.assert(
      fc.property(objects, fc.jsonValue(), spelling, (others, secret, how) => {
        const { secret: _, ...rest } = others as Record<string, unknown>;
        expect(call(pick, spell({ ...rest, secret }, how))).toBe(Verdict.replace);
        expect(parse(payloadOf(pick))).toEqual(JSON.parse(JSON.stringify(rest)));
      }),
      { numRuns: 300 },
    );
  });

  /** Objects as devices send them, and others; with a key that comes twice. */
  const devices = fc.tuple(
    fc.array(fc.tuple(fc.constantFrom('x', 'y', 'xy', 'z"', 'e'), fc.oneof(numbers, fc.jsonValue({ maxDepth: 1 }))), {
      maxLength: 8,
    }),
    fc.constantFrom('', ' ', '\n\t'),
  );
  const textOf = (list: [string, unknown][], space: string) =>
    `{${list.map(([k, v]) => `${space}${JSON.stringify(k)}${space}:${space}${JSON.stringify(v)}`).join(',')}${space}}${space}`;

  it('convert changes its number, in place or elsewhere, and nothing else', () => {
    const inPlace = open('convert', { field: 'x', scale: 2, decimals: 3, invalid: 'pass' });
    const elsewhere = open('convert', { field: 'x', scale: 2, decimals: 3, target: 'xy', invalid: 'pass' });
    fc.assert(
      fc.property(devices, fc.integer({ min: -1e6, max: 1e6 }), ([list, space], thousandths) => {
        const x = thousandths / 1000;
        const json = textOf([...list, ['x', x]], space);
        const before = JSON.parse(json);
        const after = Math.round(thousandths * 2) / 1000;
        expect(call(inPlace, json)).toBe(Verdict.replace);
        expect(parse(payloadOf(inPlace))).toEqual({ ...before, x: after });
        expect(call(elsewhere, json)).toBe(Verdict.replace);
        expect(parse(payloadOf(elsewhere))).toEqual({ ...before, xy: after });
        expect(call(inPlace, textOf([...list, ['x', 'text']], space))).toBe(Verdict.pass);
      }),
      { numRuns: 500 },
    );
  });

  it('enrich adds what is not there, and leaves or overwrites what is', () => {
    const row = { x: 1, e: 'ü', new: [true] };
    const adding = open('enrich', { token: 0, table: { s: row } });
    const overwriting = open('enrich', { token: 0, table: { s: row }, overwrite: true });
    fc.assert(
      fc.property(devices, ([list, space]) => {
        const json = textOf(list, space);
        const before = JSON.parse(json);
        expect(call(adding, json)).toBe(Verdict.replace);
        expect(parse(payloadOf(adding))).toEqual({ ...row, ...before });
        expect(call(overwriting, json)).toBe(Verdict.replace);
        expect(parse(payloadOf(overwriting))).toEqual({ ...before, ...row });
        expect(call(adding, `[${json}]`)).toBe(FAULT);
      }),
      { numRuns: 500 },
    );
  });

  it('convert and enrich notice wherever a text was cut off', () => {
    const instances = [
      open('convert', { field: 'x', scale: 2, invalid: 'reject' }),
      open('enrich', { token: 0, table: { s: { new: 1 } }, invalid: 'reject' }),
    ];
    fc.assert(
      fc.property(devices, fc.nat(), ([list, space], at) => {
        const text = textOf([['x', 1], ...list, ['x', 2]], space).trimEnd();
        for (const instance of instances) expect(call(instance, text.slice(0, at % text.length))).toBe(Verdict.reject);
      }),
      { numRuns: 500 },
    );
  });

  it('convert writes a number that reads back as it was computed', () => {
    const convert = open('convert', { field: 'x', scale: 1, offset: 0, target: 'y', decimals: 15 });
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.double({ min: 1e6, max: 1e300, noNaN: true })), (x) => {
        expect(call(convert, JSON.stringify({ x }))).toBe(Verdict.replace);
        expect((parse(payloadOf(convert)) as { y: number }).y).toBe(x);
      }),
      { numRuns: 300 },
    );
  });

  it('a hundred thousand messages leave nothing behind', () => {
    const enrich = open('enrich', { key: 'id', table: { a: { place: 'hall' } } });
    const { memory } = (enrich as unknown as { exports: { memory: WebAssembly.Memory } }).exports;
    const message = JSON.stringify({ id: 'a', text: 'x'.repeat(100) });
    for (let i = 0; i < 10_000; i++) call(enrich, message);
    const before = memory.buffer.byteLength;
    for (let i = 0; i < 100_000; i++) call(enrich, message);
    expect(memory.buffer.byteLength).toBe(before);
  });
});
