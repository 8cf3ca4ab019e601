import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../../src/base/failure.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { FAULT_CAUSES } from '../../src/sandbox/fault.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { guest, Kind, record, repeat, writingGuest } from './guest.js';

const BUDGET = { ...DEFAULT_BUDGET, fuelPerMessage: 100_000, fuelForInit: 300_000 };
const FRAME = frameOf(
  Buffer.from('sensors.kitchen'),
  Buffer.from('_INBOX.7'),
  Buffer.from('NATS/1.0\r\nA: b\r\n\r\n'),
  Buffer.from('{"id":"a","value":23.5,"list":[1,2,{"x":null}]}'),
);

const bundled = join(import.meta.dirname, '..', '..', 'dist', 'plugins');
const bundledFiles = existsSync(bundled) ? readdirSync(bundled).filter((name) => name.endsWith('.wasm')) : [];

/** A bit of everything that is allowed. */
const EVERYTHING = {
  extra: `(table $t 8 funcref) (elem (i32.const 0) func $f $g) (elem $later func $g) (global $n (mut i32) (i32.const 7)) (global $v (mut v128) (v128.const i64x2 1 2))
    (data $d "some data") (type $two (func (param i32) (result i32 i32)))
    (func $f (param i32) (result i32) (return_call $g (i32.add (local.get 0) (i32.const 1))))
    (func $g (param i32) (result i32) (local f32 i64) (if (result i32) (local.get 0) (then (i32.const 4)) (else (call_indirect $t (param i32) (result i32) (i32.const 3) (i32.const 0)))))
    (func $h (type $two) local.get 0 i32.const 2)
    (func $start (global.set $n (i32.const 9)) (memory.init $d (i32.const 256) (i32.const 0) (i32.const 4)) (data.drop $d)) (start $start)`,
  locals: '(local i32 i64 f32 f64 v128 funcref)',
  message: `(local.set 10 (i32.const 20))
    (block $out (loop $more
      (br_if $out (i32.eqz (local.get 10)))
      (local.set 10 (i32.sub (local.get 10) (i32.const 1)))
      (local.set 11 (i64.add (local.get 11) (i64.extend_i32_u (i32.load8_u offset=0 (local.get 6)))))
      (block (block (block (br_table 0 1 2 (i32.and (local.get 10) (i32.const 3)))) (local.set 12 (f32.const 1.5)))
        (local.set 13 (f64.sqrt (f64.promote_f32 (local.get 12)))))
      (local.set 14 (i8x16.swizzle (v128.load (i32.const 300)) (i32x4.splat (local.get 10))))
      (br $more)))
    (memory.fill (i32.const 600) (i32.const 1) (i32.const 30)) (memory.copy (i32.const 700) (i32.const 600) (i32.const 30))
    (table.set $t (i32.const 5) (ref.func $f)) (local.set 15 (table.get $t (i32.const 5))) (drop (table.grow $t (ref.null func) (i32.const 2)))
    (table.init $t $later (i32.const 6) (i32.const 0) (i32.const 1)) (drop (memory.grow (i32.const 1)))
    (drop (call_indirect $t (param i32) (result i32) (i32.const 1) (i32.const 1)))
    (call $h (i32.const 1)) (drop) (drop) (drop (i32.trunc_sat_f64_s (local.get 13)))
    (select (i32.const 0) (i32.const 1) (ref.is_null (local.get 15)))`,
};

type Mutation = (bytes: Buffer) => Buffer;

/** One change somewhere behind the magic number; `at` is a share of the length. */
const mutation: fc.Arbitrary<Mutation> = fc
  .record({
    kind: fc.constantFrom('set', 'set', 'set', 'flip', 'insert', 'delete', 'move'),
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    value: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 0x0b, 0x40, 0x7f, 0x80, 0xfc, 0xfd, 0xff)),
    length: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ kind, at, value, length }) => (bytes: Buffer) => {
    const i = 8 + Math.floor(at * (bytes.length - 8));
    const [before, behind] = [bytes.subarray(0, i), bytes.subarray(i)];
    if (kind === 'insert') return Buffer.concat([before, Buffer.alloc(length, value), behind]);
    if (kind === 'delete') return Buffer.concat([before, behind.subarray(length)]);
    if (kind === 'move')
      return Buffer.concat([before, bytes.subarray(Math.max(8, i - length), i), behind.subarray(length)]);
    const copy = Buffer.from(bytes);
    copy[i] = kind === 'flip' ? copy[i] ^ (1 << (value & 7)) : value;
    return copy;
  });

/** Refused with a code and a text, or run and contained; answers which. */
function tryOut(wasm: Uint8Array): 'refused' | 'fault' | 'ran' {
  let prepared: ReturnType<typeof prepareModule>;
  try {
    prepared = prepareModule(wasm);
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).code).toMatch(/^module-[a-z]+$/);
    expect((error as Failure).message.length).toBeLessThan(2000);
    return 'refused';
  }
  const made = Instance.create(prepared, BUDGET, '{"field":"value","above":3}');
  if (!(made instanceof Instance)) {
    expect(FAULT_CAUSES).toContain(made.cause);
    return 'fault';
  }
  for (let i = 0; i < 3 && !made.poisoned; i++) {
    const verdict = made.call(FRAME, { wallMs: 1_700_000_000_000 });
    expect(made.fuelUsed).toBeLessThanOrEqual(BUDGET.fuelPerMessage);
    expect(made.fuelUsed).toBeGreaterThanOrEqual(0);
    if (verdict === FAULT) expect(FAULT_CAUSES).toContain(made.fault.cause);
    else expect([0, 1, 2, 3]).toContain(verdict);
    expect(made.memoryBytes).toBeLessThanOrEqual(BUDGET.memoryBytesMax);
  }
  return made.poisoned ? 'fault' : 'ran';
}

describe('mutated modules', () => {
  const bases = new Map<string, Buffer>();
  beforeAll(async () => {
    bases.set('everything', Buffer.from(await guest(EVERYTHING)));
    bases.set(
      'replaces',
      Buffer.from(await writingGuest(2, record(Kind.payload, 'new'), { message: repeat('nop', 5) })),
    );
    for (const file of bundledFiles) bases.set(file, readFileSync(join(bundled, file)));
  });

  it('the modules as they are run', () => {
    for (const name of ['everything', 'replaces']) expect(tryOut(bases.get(name)!)).toBe('ran');
  });

  it.each(['everything', 'replaces'])('%s', { timeout: 60_000 }, (name) => {
    const seen = { refused: 0, fault: 0, ran: 0 };
    const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });
    const property = fc.property(mutations, (list) => {
      seen[tryOut(list.reduce((bytes, mutate) => mutate(bytes), bases.get(name)!))]++;
    });
    fc.assert(property, { numRuns: 5000, interruptAfterTimeLimit: 30_000 });
    // The mutations reach all the way: some modules are refused, some fault and some run.
    expect(
      Object.values(seen).every((count) => count > 0),
      JSON.stringify(seen),
    ).toBe(true);
  });

  it.skipIf(bundledFiles.length === 0)('bundled plugins (needs a build)', { timeout: 60_000 }, () => {
    const property = fc.property(fc.constantFrom(...bundledFiles), mutation, (name, mutate) => {
      tryOut(mutate(bases.get(name)!));
    });
    fc.assert(property, { numRuns: 500, interruptAfterTimeLimit: 30_000 });
  });

  it('bytes without a plan', () => {
    const header = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(tryOut(Buffer.concat([header, bytes]))).toBe('refused');
    });
    fc.assert(property, { numRuns: 2000 });
  });
});
