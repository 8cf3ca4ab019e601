import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Verdict } from '../../src/sandbox/abi.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';

const folder = join(import.meta.dirname, '..', '..', 'dist', 'plugins');
const budget = { ...DEFAULT_BUDGET, fuelPerMessage: 100_000_000 };

function open(plugin: string, config: object): Instance {
  const made = Instance.create(
    prepareModule(readFileSync(join(folder, `${plugin}.wasm`))),
    budget,
    JSON.stringify(config),
  );
  if (!(made instanceof Instance)) throw new Error(made.text);
  return made;
}

/** The verdict for a payload. */
function call(instance: Instance, payload: string | Uint8Array): number {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const none = Buffer.alloc(0);
  return instance.call(frameOf(Buffer.from('s'), none, none, Buffer.from(bytes)), 0);
}

function payloadOf({ outbox }: Instance): string {
  const range = outbox.payload;
  return range === null ? '' : Buffer.from(outbox.bytes.subarray(range.start, range.end)).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

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

  it('threshold takes for JSON exactly what JSON.parse takes', () => {
    const mutated = fc
      .tuple(objects, fc.nat(), fc.string({ maxLength: 3 }), fc.nat(3))
      .map(([value, at, insert, cut]) => {
        const text = JSON.stringify(value);
        const place = at % (text.length + 1);
        return text.slice(0, place) + insert + text.slice(place + cut);
      });
    fc.assert(
      fc.property(mutated, (text) => {
        const wellFormed = Buffer.from(text).toString();
        const verdict = call(threshold, text);
        expect(threshold.poisoned).toBe(false);
        const isRefused = verdict === Verdict.reject && threshold.outbox.error.startsWith('the payload is not JSON');
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
