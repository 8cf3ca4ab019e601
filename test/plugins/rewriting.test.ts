import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settleConfig } from '../../src/host/config-schema.js';
import { Verdict } from '../../src/sandbox/abi.js';
import { FAULT } from '../../src/sandbox/instance.js';
import { call, emitsOf, open, parse, payloadOf, subjectOf } from './bundled.js';

const KEYS = ['a', 'b', 'c', 'é', 'a.b', '"', '\\', ''];
const key = fc.constantFrom(...KEYS);
const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e21, 5e-324, 1.7976931348623157e308, 123456789012345680000),
);
const scalars = fc.oneof(numbers, fc.string({ unit: 'binary', maxLength: 6 }), fc.boolean(), fc.constant(null));
/** Values whose objects share their few keys, so that paths find something. */
const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalars,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const objects = fc.dictionary(key, values, { maxKeys: 6, noNullPrototype: true });
/** The same value in other words: blanks, and escapes where none are needed. */
const spelling = fc.tuple(fc.constantFrom(0, 1, 3), fc.boolean());
type Json = Record<string, unknown>;

function spell(value: unknown, [blanks, isEscaped]: [number, boolean]): string {
  const text = JSON.stringify(value, null, blanks);
  if (!isEscaped) return text;
  const escaped = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return text.replace(/"(?:[^"\\]|\\.)*"/g, (string) =>
    string.replace(/\\u....|\\.|[a-cé]/g, (part) => (part.startsWith('\\') ? part : escaped(part))),
  );
}

/** As a plugin sees it that reads what `JSON.stringify` wrote. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

describe('redact against JSON.parse', () => {
  const mask = (value: unknown, path: string[]): unknown => {
    if (path.length === 0) return '***';
    const [first, ...rest] = path;
    if (Array.isArray(value)) {
      return value.map((inner, i) => (first === '*' || first === String(i) ? mask(inner, rest) : inner));
    }
    if (!isObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([k, inner]) => [k, first === '*' || first === k ? mask(inner, rest) : inner]),
    );
  };

  it.each([['a'], ['a.b'], ['*.a'], ['a.*'], ['b.1'], ['*.*.c']])('masks %s and nothing else', (path) => {
    const redact = open('redact', { fields: [path] });
    fc.assert(
      fc.property(values, spelling, (value, how) => {
        const before = plain(value);
        const expected = mask(before, path.split('.'));
        const verdict = call(redact, spell(value, how));
        expect(verdict === Verdict.replace ? parse(payloadOf(redact)) : before).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('lets nothing through that it cannot read', () => {
    const redact = open('redact', { fields: ['a'], invalid: 'reject' });
    fc.assert(
      fc.property(objects, fc.nat(), (value, at) => {
        const text = JSON.stringify({ ...value, a: 'secret' });
        expect(call(redact, text.slice(0, at % text.length))).toBe(Verdict.reject);
      }),
      { numRuns: 300 },
    );
  });
});

describe('rename against JSON.parse', () => {
  it('changes a name and nothing else', () => {
    const rename = open('rename', { fields: { a: 'new"é', 'b.a': 'new' }, conflict: 'reject' });
    const renamed = (value: Json, from: string, to: string) =>
      Object.fromEntries(Object.entries(value).map(([k, inner]) => [k === from ? to : k, inner]));
    fc.assert(
      fc.property(objects, spelling, (value, how) => {
        const before = plain(value) as Json;
        const expected = renamed(before, 'a', 'new"é');
        if (isObject(expected.b)) expected.b = renamed(expected.b, 'a', 'new');
        const verdict = call(rename, spell(value, how));
        expect(verdict === Verdict.replace ? parse(payloadOf(rename)) : before).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

describe('route and split against JSON.parse', () => {
  /** A value as a token; null when there is none. */
  const tokenOf = (value: unknown): string | null => {
    if (isObject(value) || Array.isArray(value) || value === null || value === undefined) return null;
    const text = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    if (text.length === 0 || text.length > 256) return null;
    const special = (byte: number) => byte <= 0x20 || byte === 0x7f || '.*>'.includes(String.fromCharCode(byte));
    return Buffer.from(text.map((byte) => (special(byte) ? 0x5f : byte))).toString();
  };

  it('a field becomes one token of the subject, whatever is in it', () => {
    const route = open('route', { to: 'x.{a}.y', invalid: 'drop' });
    fc.assert(
      fc.property(objects, values, spelling, (others, a, how) => {
        const token = tokenOf((plain({ a }) as Json).a);
        const verdict = call(route, spell({ ...others, a }, how));
        expect(verdict).toBe(token === null ? Verdict.drop : Verdict.replace);
        if (token !== null) expect(subjectOf(route)).toBe(`x.${token}.y`);
      }),
      { numRuns: 500 },
    );
  });

  it('the elements of a list are those of JSON.parse', () => {
    const split = open('split', { to: 'x', with: ['b'], field: 'c' });
    fc.assert(
      fc.property(objects, fc.array(values, { maxLength: 6 }), spelling, (others, list, how) => {
        const message = { ...others, c: list };
        expect(call(split, spell(message, how))).toBe(Verdict.drop);
        const { b, c } = plain(message) as { b: unknown; c: unknown[] };
        const expected = c.map((one) => (isObject(one) && b !== undefined ? { b, ...one } : one));
        expect(emitsOf(split).map(({ payload }) => parse(payload))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

describe('schema against the one that checks configurations', () => {
  const types = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
  const limit = fc.integer({ min: -2, max: 6 });
  const count = fc.integer({ min: 0, max: 4 });
  const { schema: schemas } = fc.letrec<{ schema: Json }>((tie) => ({
    schema: fc
      .record(
        {
          type: fc.oneof(fc.constantFrom(...types), fc.uniqueArray(fc.constantFrom(...types), { minLength: 1 })),
          enum: fc.array(scalars, { minLength: 1, maxLength: 5 }).map(plain) as fc.Arbitrary<unknown[]>,
          properties: fc.dictionary(key, tie('schema'), { maxKeys: 3, noNullPrototype: true }),
          required: fc.array(key, { maxLength: 2 }),
          additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
          items: tie('schema'),
          minItems: count,
          maxItems: count,
          minLength: count,
          maxLength: count,
          minimum: limit,
          maximum: limit,
          exclusiveMinimum: limit,
          exclusiveMaximum: limit,
        },
        { requiredKeys: [], noNullPrototype: true },
      )
      .map((schema) => {
        // A few keywords at a time: with all of them nothing would fit.
        const kept = Object.entries(schema).filter((_, i) => i % 4 === 0);
        return Object.fromEntries(kept);
      }),
  }));

  function fits(schema: Json, value: unknown): boolean {
    try {
      settleConfig('p', schema, value);
      return true;
    } catch {
      return false;
    }
  }

  it('judges every value alike', () => {
    let passed = 0;
    let rejected = 0;
    fc.assert(
      fc.property(schemas, fc.array(fc.tuple(values, spelling), { minLength: 8, maxLength: 8 }), (schema, list) => {
        const plugin = open('schema', { schema });
        for (const [value, how] of list) {
          const expected = fits(schema, plain(value));
          expect(call(plugin, spell(value, how))).toBe(expected ? Verdict.pass : Verdict.reject);
          if (expected) passed++;
          else {
            rejected++;
            expect(plugin.outbox.error).not.toBe('');
          }
        }
      }),
      { numRuns: 300 },
    );
    expect(Math.min(passed, rejected)).toBeGreaterThan(200);
  });

  it('of members with the same key, the last counts', () => {
    const plugin = open('schema', {
      schema: { properties: { a: { type: 'number' } }, additionalProperties: { type: 'string' } },
    });
    const members = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '"x"', 'null')), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(members, (list) => {
        const text = `{${list.map(([k, json]) => `"${k}":${json}`).join(',')}}`;
        const isFine = Object.entries(JSON.parse(text)).every(
          ([k, v]) => typeof v === (k === 'a' ? 'number' : 'string'),
        );
        expect(call(plugin, text)).toBe(isFine ? Verdict.pass : Verdict.reject);
      }),
      { numRuns: 500 },
    );
  });
});

describe('geofence against the formulas', () => {
  // In thousandths: a random double is most often next to nothing.
  const degrees = (max: number) =>
    fc.integer({ min: -max * 1000, max: max * 1000 }).map((thousandths) => thousandths / 1000);

  it('a circle is as far around as it says', () => {
    const radians = Math.PI / 180;
    fc.assert(
      fc.property(
        degrees(89),
        degrees(180),
        degrees(2),
        degrees(2),
        fc.integer({ min: 1, max: 300_000 }),
        (y, x, dy, dx, radius) => {
          const fence = open('geofence', { fences: { f: { center: [y, x], radius_m: radius } } });
          const [latitude, longitude] = [Math.max(-90, Math.min(90, y + dy)), x + dx];
          // By the spherical law of cosines, another formula.
          const cosine =
            Math.sin(y * radians) * Math.sin(latitude * radians) +
            Math.cos(y * radians) * Math.cos(latitude * radians) * Math.cos((longitude - x) * radians);
          const distance = Math.acos(Math.min(1, cosine)) * 6_371_008.8;
          fc.pre(Math.abs(distance - radius) > 2);
          expect(call(fence, JSON.stringify({ latitude, longitude }))).toBe(
            distance < radius ? Verdict.pass : Verdict.drop,
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('a rectangle holds what is between its sides, wherever on the map it lies', () => {
    fc.assert(
      fc.property(degrees(80), degrees(180), degrees(90), degrees(180), (south, west, latitude, longitude) => {
        const [north, east] = [south + 7, west + 11];
        const polygon = [
          [south, west],
          [north, west],
          [north, east],
          [south, east],
        ];
        const fence = open('geofence', { fences: { f: { polygon } } });
        const turned = ((((longitude - west) % 360) + 360) % 360) + west;
        const margin = Math.min(
          ...[latitude - south, latitude - north, turned - west, turned - east, turned - west - 360].map(Math.abs),
        );
        fc.pre(margin > 1e-9);
        const isInside = latitude > south && latitude < north && turned > west && turned < east;
        expect(call(fence, JSON.stringify({ latitude, longitude }))).toBe(isInside ? Verdict.pass : Verdict.drop);
      }),
      { numRuns: 500 },
    );
  });
});

it('what is cut off is no position', () => {
  const fence = open('geofence', { fences: { f: { center: [0, 0], radius_m: 1 } } });
  const text = '{"id":"x","latitude":1.25,"longitude":2.5,"ok":true}';
  for (let at = 0; at < text.length; at++) expect(call(fence, text.slice(0, at))).toBe(FAULT);
});
