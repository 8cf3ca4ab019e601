import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import { type PreparedModule, prepareModule } from '../../src/sandbox/prepare.js';
import { guest, INBOX_AT } from '../hostile/guest.js';
import { PROGRAM_LOCALS, type Program, program } from './programs.js';

const FRAME = Buffer.from('some.subject{"value":23.5}');
const PAYLOAD_AT = FRAME.indexOf('{');
const NONE = Buffer.alloc(0);
const NOW_MS = 1_700_000_000_000;
const NOW = { wallMs: NOW_MS };

interface Outcome {
  verdict: number;
  /** Digest of all of it. */
  memory: string;
}

function assembled({ helper, body }: Program): Promise<Uint8Array> {
  return guest({
    extra: `(global $g (mut i32) (i32.const 5)) (table 2 funcref) (elem (i32.const 0) func $leaf $other)
      (func $leaf (param $a i32) (param $b i32) (result i32) (i32.sub (local.get $a) (local.get $b)))
      (func $third (param i32 i32 i32) (result i32) (i32.xor (local.get 0) (local.get 2)))
      (func $other (param $a i32) (param $b i32) (result i32) (local $c i32) (local $x i64) (local $y f64) ${withoutCalls(helper)})`,
    locals: PROGRAM_LOCALS,
    message: `(local.set $a (local.get 7)) (local.set $b (i32.load8_u (local.get 6))) ${body}
      (i32.store (i32.const 0x9000) (local.get $a)) (i32.store (i32.const 0x9004) (local.get $b)) (i32.store (i32.const 0x9008) (local.get $c))
      (i64.store (i32.const 0x9010) (local.get $x)) (i32.store (i32.const 0x9018) (global.get $g))
      (i32.and (local.get $a) (i32.const 1))`,
  });
}

/** The helper may not call itself: it would not end. */
function withoutCalls(text: string): string {
  return text.replaceAll('(call_indirect (param i32 i32) (result i32)', '(call $third');
}

/** The module as it is, on the bare engine. */
function runBare(wasm: Uint8Array): Outcome | 'trap' {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>));
  const guest = exports as unknown as {
    memory: WebAssembly.Memory;
    weir_open(inbox: number, outbox: number): number;
    weir_message(...parameters: number[]): number;
  };
  guest.weir_open(65536, 65536);
  new Uint8Array(guest.memory.buffer).set(FRAME, INBOX_AT);
  try {
    const payload = INBOX_AT + PAYLOAD_AT;
    const verdict = guest.weir_message(
      INBOX_AT,
      PAYLOAD_AT,
      payload,
      0,
      payload,
      0,
      payload,
      FRAME.length - PAYLOAD_AT,
      NOW_MS,
      0,
    );
    return { verdict, memory: digest(guest.memory.buffer) };
  } catch (error) {
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    return 'trap';
  }
}

function runMetered(prepared: PreparedModule, fuelPerMessage: number): { outcome: Outcome | string; fuel: number } {
  const instance = Instance.create(prepared, { ...DEFAULT_BUDGET, fuelPerMessage }, '{}') as Instance;
  const verdict = instance.call(frameOf(FRAME.subarray(0, PAYLOAD_AT), NONE, NONE, FRAME.subarray(PAYLOAD_AT)), NOW);
  const fuel = instance.fuelUsed;
  if (verdict === FAULT) return { outcome: instance.fault.cause, fuel };
  return { outcome: { verdict, memory: digest(memoryOf(instance)) }, fuel };
}

function digest(memory: ArrayBuffer): string {
  return createHash('sha256').update(new Uint8Array(memory)).digest('hex');
}

function memoryOf(instance: Instance): ArrayBuffer {
  return (instance as unknown as { exports: { memory: WebAssembly.Memory } }).exports.memory.buffer;
}

describe('metering', () => {
  it('changes nothing that a program computes; fuel is the same each time, and exactly that much is needed', {
    timeout: 120_000,
  }, async () => {
    let trapped = 0;
    const property = fc.asyncProperty(program, async (parts) => {
      const wasm = await assembled(parts);
      const bare = runBare(wasm);
      const prepared = prepareModule(wasm);
      const first = runMetered(prepared, 100_000_000);
      expect(first.outcome === 'trap' ? 'trap' : first.outcome).toEqual(bare);
      if (bare === 'trap') trapped++;
      // Once more, and with the very fuel it used; with one unit less it does not come to its end.
      expect(runMetered(prepared, 100_000_000).fuel).toBe(first.fuel);
      expect(runMetered(prepared, first.fuel)).toEqual(first);
      expect(runMetered(prepared, first.fuel - 1).outcome).toBe('fuel');
      expect(first.fuel).toBeGreaterThan(0);
    });
    await fc.assert(property, { numRuns: 300, interruptAfterTimeLimit: 60_000 });
    expect(trapped).toBeGreaterThan(0);
  });

  it('fuel grows with the work', async () => {
    const rounds = `(local.set $a (i32.sub (i32.load8_u (local.get 6)) (i32.const 48)))
      (loop (br_if 0 (i32.gt_s (local.tee $a (i32.sub (local.get $a) (i32.const 1))) (i32.const 0)))) (i32.const 0)`;
    const prepared = prepareModule(await guest({ locals: '(local $a i32)', message: rounds }));
    const instance = Instance.create(prepared, DEFAULT_BUDGET, '{}') as Instance;
    const fuel = [1, 2, 3, 9].map((count) => {
      instance.call(frameOf(Buffer.from('s'), NONE, NONE, Buffer.from(`${count}`)), NOW);
      return instance.fuelUsed;
    });
    const round = fuel[1] - fuel[0];
    expect(round).toBeGreaterThan(4);
    expect(fuel[2] - fuel[1]).toBe(round);
    expect(fuel[3] - fuel[0]).toBe(round * 8);
  });

  it.each([
    ['memory.fill', '(memory.fill (i32.const 0x30000) (i32.const 1) (i32.const COUNT))', 8000, 1000],
    ['memory.copy', '(memory.copy (i32.const 0x30000) (i32.const 0) (i32.const COUNT))', 8000, 1000],
    ['memory.grow', '(drop (memory.grow (i32.const COUNT)))', 3, 3 * 512],
    ['table.fill', '(table.fill (i32.const 0) (ref.null func) (i32.const COUNT))', 100, 100 * 32],
    ['table.grow', '(drop (table.grow (ref.null func) (i32.const COUNT)))', 100, 100 * 32],
    ['table.copy', '(table.copy (i32.const 0) (i32.const 1) (i32.const COUNT))', 100, 100 * 128],
  ])('%s is charged by its length', async (_, instruction, count, expected) => {
    const fuel = await Promise.all(
      [0, count].map(async (n) => {
        const message = `${instruction.replace('COUNT', String(n))} (i32.const 0)`;
        const { fuel, outcome } = runMetered(
          prepareModule(await guest({ extra: '(table 200 funcref)', message })),
          1_000_000,
        );
        expect(outcome).toMatchObject({ verdict: 0 });
        return fuel;
      }),
    );
    expect(fuel[1] - fuel[0]).toBe(expected);
  });

  it('a branch that is not taken costs nothing when it is long, and little when it is short', async () => {
    const long = `(if (local.get 9) (then ${'(drop (i32.mul (i32.const 3) (i32.const 4)))'.repeat(500)})) (i32.const 0)`;
    const { fuel } = runMetered(prepareModule(await guest({ message: long })), 1_000_000);
    expect(fuel).toBeLessThan(30);
  });

  it('a function costs what it does, called by its name or by a reference, once or ten times', async () => {
    const called = `(func $small (result i32) (i32.const 0) ${'(i32.const 1) i32.add '.repeat(30)})`;
    const byName = '(drop (call $small))';
    const byReference = '(drop (call_indirect (result i32) (i32.const 0)))';
    const table = '(table 1 funcref) (elem (i32.const 0) func $small)';
    for (const [extra, call] of [
      [called, byName],
      [called + table, byName],
      [called + table, byReference],
    ]) {
      const fuel = await Promise.all(
        [1, 10].map(async (times) => {
          const wasm = await guest({ extra, message: `${call.repeat(times)} (i32.const 0)` });
          return runMetered(prepareModule(wasm), 100_000).fuel;
        }),
      );
      expect(fuel[0]).toBeGreaterThan(60);
      expect(fuel[1] - fuel[0]).toBeGreaterThan(9 * 60);
      expect(fuel[1] - fuel[0]).toBeLessThan(9 * 75);
    }
  });

  it('a small loop is charged for each of its passes', async () => {
    const passes = (count: number) => `(local.set $a (i32.const ${count}))
      (loop (br_if 0 (local.tee $a (i32.sub (local.get $a) (i32.const 1))))) (i32.const 0)`;
    const fuel = await Promise.all(
      [1, 2, 1001].map(async (count) => {
        const wasm = await guest({ locals: '(local $a i32)', message: passes(count) });
        return runMetered(prepareModule(wasm), 100_000).fuel;
      }),
    );
    expect(fuel[1] - fuel[0]).toBeGreaterThanOrEqual(5);
    expect(fuel[2] - fuel[0]).toBe(1000 * (fuel[1] - fuel[0]));
  });

  it('a custom section, a name or an unused function costs nothing', async () => {
    const message = '(i32.const 0)';
    const plain = runMetered(prepareModule(await guest({ message })), 1000).fuel;
    const unused = await guest({ message, extra: '(func $unused (loop (br 0)))' });
    expect(runMetered(prepareModule(unused), 1000).fuel).toBe(plain);
    expect(prepareModule(unused).module).toBeInstanceOf(WebAssembly.Module);
    expect(WebAssembly.Module.customSections(prepareModule(unused).module, 'name')).toEqual([]);
  });
});
