import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { compiled, Guest, root } from './guest.js';

let guest: Guest;
beforeAll(async () => {
  guest = new Guest(await compiled(join(root, 'plugins', 'sdk', 'probe')));
});

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function parsed(text: string | null): { value: unknown } | null {
  try {
    return { value: JSON.parse(text ?? '') };
  } catch {
    return null;
  }
}

/** Few and awkward, so that they meet one another: keys that look like indexes, paths or prototypes, and such that need escapes. */
const keys = fc.constantFrom(
  'a',
  'b',
  'ab',
  '0',
  '1',
  'a.b',
  '*',
  '',
  'é',
  '😀',
  '"',
  '\\',
  '\n',
  '\ud800',
  'sixteen-letters!',
  'seventeen-letters',
  '__proto__',
);
const scalars: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, '', '}', ']', ',', '"', '\\"', 'a\u0000b', '\u2028', '😀'),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

/** A JSON text. Objects may have keys more than once, and every text many spellings. */
interface Written {
  text: string;
}
const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r  ');

function spelledString(value: string, escapeAll: boolean): string {
  if (!escapeAll) return JSON.stringify(value);
  const unit = (code: string) => `\\u${code.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `"${value.replace(/[\s\S]/g, unit)}"`;
}

const strings = fc.tuple(fc.oneof(keys, fc.string({ unit: 'binary', maxLength: 20 })), fc.boolean());
const { json: texts } = fc.letrec<{ json: Written; object: Written; array: Written; scalar: Written }>((tie) => ({
  json: fc.oneof({ maxDepth: 4, depthSize: 'small' }, tie('scalar'), tie('object'), tie('array')),
  scalar: scalars.map((value) => ({ text: JSON.stringify(value) })),
  object: fc
    .array(fc.tuple(fc.tuple(keys, fc.boolean()), tie('json'), space, space), { maxLength: 6 })
    .map((members) => ({
      text: `{${members.map(([[key, escaped], { text }, one, two]) => `${one}${spelledString(key, escaped)}${two}:${one}${text}${two}`).join(',')}}`,
    })),
  array: fc
    .array(fc.tuple(tie('json'), space), { maxLength: 5 })
    .map((elements) => ({ text: `[${elements.map(([{ text }, around]) => `${around}${text}${around}`).join(',')}]` })),
}));
const objects = texts.filter(({ text }) => text.startsWith('{'));

const segments = fc.array(keys, { minLength: 1, maxLength: 3 });

/** Headers end at line breaks; keys with such are left to other tests. */
const plainSegments = segments.filter((path) => path.every((key) => !/[\n\ud800|]/.test(key) && key.trim() === key));

function pathText(path: readonly string[]): string {
  return path.map((key) => key.replace(/[\\.]/g, '\\$&').replace(/^\*$/, '\\*')).join('.');
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** The reference: what lies at a path of a value that JSON.parse made. */
function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (!isContainer(found) || !Object.hasOwn(found, key) || (Array.isArray(found) && !/^(0|[1-9]\d*)$/.test(key)))
      return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

describe('JSON in a plugin, against JSON.parse', () => {
  it('takes what JSON.parse takes, of any pieces', () => {
    const pieces = fc.array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '"a"',
        '\\',
        '\\u00',
        '41',
        '0',
        '-',
        '.',
        '5',
        'e',
        '+',
        ' ',
        '\n',
        '\t',
        '\u000b',
        '\u00a0',
        '\ufeff',
        'true',
        'null',
        'fals',
        'e',
        '\u0000',
        '\u001f',
        '\u007f',
        '/',
        'u',
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(pieces, (list) => {
        const text = list.join('');
        expect(guest.call({ subject: 'json.find', payload: text }).verdict).toBe(
          parsed(text) === null ? 'reject' : 'replace',
        );
      }),
      { numRuns: 10_000 },
    );
  });

  it('takes nothing that was cut off, and nothing with a byte changed that JSON.parse does not take', () => {
    fc.assert(
      fc.property(texts, fc.nat(), fc.integer({ min: 0, max: 127 }), ({ text }, place, byte) => {
        const bytes = Buffer.from(text);
        for (const changed of [bytes.subarray(0, place % bytes.length), bytes.with(place % bytes.length, byte)]) {
          const expected = parsed(Buffer.from(changed).toString()) === null ? 'reject' : 'replace';
          expect(guest.call({ subject: 'json.find', payload: changed }).verdict).toBe(expected);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('texts with escapes of any kind come through', () => {
    fc.assert(
      fc.property(strings, ([value, escaped]) => {
        const { payload } = guest.call({ subject: 'json.text', payload: `{"v":${spelledString(value, escaped)}}` });
        expect(parsed(payload)?.value).toEqual({ v: value, r: value });
      }),
      { numRuns: 2000 },
    );
  });

  it('finds what lies at a path', () => {
    fc.assert(
      fc.property(texts, plainSegments, ({ text }, path) => {
        const { payload } = guest.call({ subject: 'json.find', payload: text, headers: { Path: pathText(path) } });
        const expected = at(JSON.parse(text), path);
        if (expected === undefined) expect(payload).toBe('');
        else expect(parsed(payload)?.value).toEqual(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('sets a value where there is one, or an object for it', () => {
    fc.assert(
      fc.property(objects, plainSegments, scalars, ({ text }, path, value) => {
        const json = JSON.stringify(value);
        if (/[\n\r]/.test(json) || json.trim() !== json) return;
        const headers = { Path: pathText(path), Value: json };
        const answer = guest.call({ subject: 'json.set', payload: text, headers });
        const expected = JSON.parse(text);
        const key = path[path.length - 1];
        const parent = at(expected, path.slice(0, -1));
        const hasPlace = Array.isArray(parent) ? at(parent, [key]) !== undefined : isContainer(parent);
        expect(answer.verdict).toBe(hasPlace ? 'replace' : 'fault');
        if (!hasPlace) return;
        Object.defineProperty(parent, key, {
          value: JSON.parse(json),
          enumerable: true,
          configurable: true,
          writable: true,
        });
        expect(parsed(answer.payload)?.value).toEqual(expected);
      }),
      { numRuns: 5000 },
    );
  });
});

/** `*` for every member or element. */
const selectors = fc
  .array(fc.array(fc.oneof(keys, fc.constant('EVERY')), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })
  .filter((paths) => paths.flat().every((key) => !/[\n\ud800|]/.test(key)));

function selectorText(paths: readonly string[][]): string {
  return paths.map((path) => path.map((key) => (key === 'EVERY' ? '*' : pathText([key]))).join('.')).join('|');
}

function selects(path: readonly string[], key: string, isArray: boolean): boolean {
  return path[0] === 'EVERY' || (path[0] === key && (!isArray || /^(0|[1-9]\d*)$/.test(key)));
}

function rebuilt(value: object, entries: [string, unknown][]): unknown {
  return Array.isArray(value) ? entries.map(([, element]) => element) : Object.fromEntries(entries);
}

function removed(value: unknown, paths: readonly string[][]): unknown {
  if (!isContainer(value)) return value;
  const isArray = Array.isArray(value);
  const entries = Object.entries(value).flatMap(([key, child]): [string, unknown][] => {
    const meant = paths.filter((path) => selects(path, key, isArray)).map((path) => path.slice(1));
    return meant.some((rest) => rest.length === 0) ? [] : [[key, removed(child, meant)]];
  });
  return rebuilt(value, entries);
}

const NOTHING = Symbol('nothing');

function kept(value: unknown, paths: readonly string[][]): unknown {
  if (paths.some((path) => path.length === 0)) return value;
  if (!isContainer(value) || paths.length === 0) return NOTHING;
  const isArray = Array.isArray(value);
  const entries = Object.entries(value).flatMap(([key, child]): [string, unknown][] => {
    const rest = kept(
      child,
      paths.filter((path) => selects(path, key, isArray)).map((path) => path.slice(1)),
    );
    return rest === NOTHING ? [] : [[key, rest]];
  });
  return entries.length === 0 ? NOTHING : rebuilt(value, entries);
}

describe('selections', () => {
  const select = (what: string, text: string, paths: readonly string[][]) =>
    guest.call({ subject: `json.${what}`, payload: text, headers: { Path: selectorText(paths) } });

  it('are removed, also from behind a second key of the same name', () => {
    fc.assert(
      fc.property(objects, selectors, ({ text }, paths) => {
        const answer = select('remove', text, paths);
        const result = answer.payload ?? text;
        expect(parsed(result)?.value).toEqual(removed(JSON.parse(text), paths));
      }),
      { numRuns: 5000 },
    );
  });

  it('are kept', () => {
    fc.assert(
      fc.property(objects, selectors, ({ text }, paths) => {
        const expected = kept(JSON.parse(text), paths);
        expect(parsed(select('keep', text, paths).payload)?.value).toEqual(expected === NOTHING ? {} : expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('leave no text of what was removed, wherever its key stands', () => {
    const text = '{"a":{"secret":1},"b":0,"\\u0061":{"x":2,"secr\\u0065t":3,"secret":4}}';
    expect(select('remove', text, [['a', 'secret']]).payload).toBe('{"a":{},"b":0,"\\u0061":{"x":2}}');
  });
});
