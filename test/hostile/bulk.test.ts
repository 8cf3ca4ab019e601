import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GuestParts, guest, repeat } from './guest.js';
import { Stage } from './stage.js';

interface Case {
  guest: GuestParts;
  cause: string;
  text?: RegExp;
}

const ALL = '(drop (memory.grow (i32.const 252)))';
const TABLE = '(table $t 10000 10000 funcref) (elem $e func $f $f $f) (func $f)';
const GIB = '(i32.const 0x40000000)';
const outOfBounds = /out of bounds/;

/** Instructions whose work depends on a number: each is one instruction to the engine and may be a gigabyte of work. */
const CASES: Record<string, Case> = {
  'memory.fill of all memory in a loop': {
    guest: {
      message: `${ALL} (loop (memory.fill (i32.const 0x10000) (i32.const 1) (i32.const 0xf00000)) (br 0)) i32.const 0`,
    },
    cause: 'fuel',
  },
  'memory.fill of a gigabyte': {
    guest: { message: `(memory.fill (i32.const 0) (i32.const 1) ${GIB}) i32.const 0` },
    cause: 'fuel',
  },
  'memory.fill of nearly 4 GiB': {
    guest: { message: '(memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) i32.const 0' },
    cause: 'fuel',
  },
  'memory.fill of nothing in a loop': {
    guest: { message: '(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0)) (br 0)) i32.const 0' },
    cause: 'fuel',
  },
  'memory.copy of overlapping halves in a loop': {
    guest: {
      message: `${ALL} (loop (memory.copy (i32.const 1) (i32.const 0) (i32.const 0xffffff)) (br 0)) i32.const 0`,
    },
    cause: 'fuel',
  },
  'memory.copy of a gigabyte': {
    guest: { message: `(memory.copy (i32.const 0) (i32.const 4) ${GIB}) i32.const 0` },
    cause: 'fuel',
  },
  'memory.init in a loop': {
    guest: {
      extra: `(data $d "${repeat('abcdefgh', 1000).replaceAll(' ', '')}")`,
      message: '(loop (memory.init $d (i32.const 0x30000) (i32.const 0) (i32.const 8000)) (br 0)) i32.const 0',
    },
    cause: 'fuel',
  },
  'memory.init of a dropped segment': {
    guest: {
      extra: '(data $d "abc")',
      message: '(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) i32.const 0',
    },
    cause: 'trap',
    text: outOfBounds,
  },
  'data.drop and elem.drop in a loop': {
    guest: {
      extra: `(data $d "abc") ${TABLE}`,
      message: `(loop ${repeat('data.drop $d elem.drop $e', 100)} (br 0)) i32.const 0`,
    },
    cause: 'fuel',
  },
  'memory.grow page by page to the end, and on': {
    guest: { message: '(loop (drop (memory.grow (i32.const 1))) (br 0)) i32.const 0' },
    cause: 'fuel',
  },
  'memory.grow by nothing in a loop, which detaches every view': {
    guest: { message: '(loop (drop (memory.grow (i32.const 0))) (br 0)) i32.const 0' },
    cause: 'fuel',
  },
  'memory.grow by more than there can be, in a loop': {
    guest: {
      message: '(loop (drop (memory.grow (i32.const 0x20000))) (drop (memory.grow (i32.const -1))) (br 0)) i32.const 0',
    },
    cause: 'fuel',
  },
  'a store to each page of new memory': {
    guest: {
      locals: '(local i32)',
      message: `${ALL} (loop (i64.store (local.get 10) (i64.const -1)) (local.set 10 (i32.and (i32.add (local.get 10) (i32.const 4096)) (i32.const 0xfff000))) (br 0)) i32.const 0`,
    },
    cause: 'fuel',
  },
  'table.fill of a full table in a loop': {
    guest: {
      extra: TABLE,
      message: '(loop (table.fill $t (i32.const 0) (ref.func $f) (i32.const 10000)) (br 0)) i32.const 0',
    },
    cause: 'fuel',
  },
  'table.fill of 4 G entries': {
    guest: { extra: TABLE, message: '(table.fill $t (i32.const 0) (ref.null func) (i32.const -1)) i32.const 0' },
    cause: 'fuel',
  },
  'table.copy onto itself in a loop': {
    guest: {
      extra: TABLE,
      message: '(loop (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 9999)) (br 0)) i32.const 0',
    },
    cause: 'fuel',
  },
  'table.copy of 4 G entries': {
    guest: { extra: TABLE, message: '(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const -1)) i32.const 0' },
    cause: 'fuel',
  },
  'table.init in a loop': {
    guest: {
      extra: TABLE,
      message: '(loop (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 3)) (br 0)) i32.const 0',
    },
    cause: 'fuel',
  },
  'table.grow to the end, and on': {
    guest: {
      extra: '(table $t 0 funcref)',
      message: '(loop (drop (table.grow $t (ref.null func) (i32.const 100))) (br 0)) i32.const 0',
    },
    cause: 'fuel',
  },
  'table.grow by 4 G entries': {
    guest: {
      extra: '(table $t 0 funcref)',
      message: '(loop (drop (table.grow $t (ref.null func) (i32.const -1))) (br 0)) i32.const 0',
    },
    cause: 'fuel',
  },
  'table.get and table.set in a loop': {
    guest: {
      extra: TABLE,
      message: '(loop (table.set $t (i32.const 5) (table.get $t (i32.const 6))) (br 0)) i32.const 0',
    },
    cause: 'fuel',
  },
  'references to 5,000 functions': {
    guest: {
      extra: `${Array.from({ length: 5000 }, (_, i) => `(func $g${i})`).join(' ')}
        (elem declare func ${Array.from({ length: 5000 }, (_, i) => `$g${i}`).join(' ')})`,
      message: `(loop ${Array.from({ length: 5000 }, (_, i) => `(drop (ref.func $g${i}))`).join(' ')} (br 0)) i32.const 0`,
    },
    cause: 'fuel',
  },
  // What is left of it traps as it would without metering.
  'a load outside of the memory': {
    guest: { message: '(i32.load (i32.const 262141))' },
    cause: 'trap',
    text: outOfBounds,
  },
  'a load whose offset goes beyond 32 bits': {
    guest: { message: '(i32.load offset=4294967295 (i32.const -1))' },
    cause: 'trap',
    text: outOfBounds,
  },
  'a call through an empty table entry': {
    guest: { extra: TABLE, message: '(call_indirect (result i32) (i32.const 17))' },
    cause: 'trap',
    text: /null function|signature mismatch/,
  },
  'a call through the table by a wrong signature': {
    guest: {
      extra: '(table 1 funcref) (func $f) (elem (i32.const 0) func $f)',
      message: '(call_indirect (result i32) (i32.const 0))',
    },
    cause: 'trap',
    text: /signature mismatch/,
  },
  unreachable: { guest: { message: 'unreachable' }, cause: 'trap', text: /weir_message trapped: unreachable/ },
  'a division by zero': {
    guest: { message: '(i32.div_s (i32.const 1) (i32.const 0))' },
    cause: 'trap',
    text: /divide by zero/,
  },
  'a division that overflows': {
    guest: { message: '(i32.div_s (i32.const 0x80000000) (i32.const -1))' },
    cause: 'trap',
    text: /divide result unrepresentable/,
  },
  'NaN as a whole number': {
    guest: { message: '(i32.trunc_f64_s (f64.const nan))' },
    cause: 'trap',
    text: /float unrepresentable/,
  },
};

describe('bulk instructions and traps', () => {
  let stage: Stage;
  let number = 0;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it.each(Object.entries(CASES))('%s', async (_, { guest: parts, cause, text }) => {
    const name = `bulk${number++}`;
    await stage.bring(name, await guest(parts));
    const letter = await stage.contained(async () => {
      await stage.attach(name, { replace: true, order: number++ });
      return stage.deadLetterOf(name, () => stage.villain.publish(`${name}.in`, 'x'));
    });
    expect(letter.cause).toBe(cause);
    expect(letter.text).toMatch(text ?? /used up its fuel \(1000000\)/);
  });

  it('memory ends at the budget, and the guest goes on', async () => {
    // Grows as far as it can, and says how many pages it has: 256 by default, 10 when told so.
    const message = `(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (i32.store (i32.const 0x20000) (i32.const 3)) (i32.store (i32.const 0x20004) (i32.const 4)) (i32.store (i32.const 0x20008) (memory.size))
      (i32.store (i32.const 32) (i32.const 12)) i32.const 2`;
    await stage.bring('greedy', await guest({ message }));
    const pages = async () => (await stage.send('greedy')).map(({ data }) => Buffer.from(data).readUInt32LE());
    expect(await pages()).toEqual([256]);
    expect(stage.server.host.attachments.get('greedy')!.instance!.memoryBytes).toBe(16 * 1024 * 1024);
    await stage.attach('greedy', { replace: true, budget: { memory_bytes: 10 * 65536 } });
    expect(await pages()).toEqual([10]);
  });

  it("a module's own maximum holds, too", async () => {
    const message = '(i32.ne (memory.grow (i32.const 2)) (i32.const -1))';
    await stage.bring('modest', await guest({ memory: '4 5', message }));
    expect(await stage.send('modest')).toHaveLength(1);
  });
});
