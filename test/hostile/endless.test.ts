import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GuestParts, guest, repeat } from './guest.js';
import { Stage } from './stage.js';

interface Case {
  guest: GuestParts;
  cause?: string;
  text?: RegExp;
  definition?: object;
}

const TABLE = '(table 2 funcref) (elem (i32.const 0) func $f $g)';
const CALL_OTHER = (index: number) => `(call_indirect (param i32) (result i32) (local.get 0) (i32.const ${index}))`;

/** Guests that do not come back on their own. */
const CASES: Record<string, Case> = {
  'an endless loop': { guest: { message: '(loop (br 0)) i32.const 0' } },
  'a loop that never jumps back where it began': {
    guest: { message: '(loop (block (block (br_table 2 1 0 (i32.const 7))))) (loop (loop (br 1))) i32.const 0' },
  },
  'loops in loops': { guest: { message: `${repeat('loop', 20)} br 19 ${repeat('end', 20)} i32.const 0` } },
  'loops that end, one in the other': {
    guest: {
      locals: '(local i32 i32 i32)',
      message: `(local.set 10 (i32.const 100000)) (loop (local.set 11 (i32.const 100000)) (loop
        (br_if 0 (local.tee 11 (i32.sub (local.get 11) (i32.const 1)))))
        (br_if 0 (local.tee 10 (i32.sub (local.get 10) (i32.const 1))))) i32.const 0`,
    },
  },
  'a br_table loop': {
    guest: {
      locals: '(local i32)',
      message: `(loop (local.set 10 (i32.add (local.get 10) (i32.const 1)))
        (br_table 0 0 0 0 (i32.and (local.get 10) (i32.const 3)))) i32.const 0`,
    },
  },
  'a loop with a body of 20,000 instructions': {
    guest: {
      locals: '(local i64)',
      message: `(loop ${repeat('(local.set 10 (i64.mul (local.get 10) (local.get 10)))', 5000)} (br 0)) i32.const 0`,
    },
  },
  'a loop that calls': { guest: { extra: '(func $f)', message: '(loop (call $f) (br 0)) i32.const 0' } },
  'a function with 2,000 vectors to clear, called in a loop': {
    guest: { extra: `(func $f (local ${repeat('v128', 1900)}))`, message: '(loop (call $f) (br 0)) i32.const 0' },
  },
  'an endless recursion': {
    guest: { extra: '(func $f (call $f))', message: '(call $f) i32.const 0' },
    cause: 'trap',
    text: /stack overflow/,
  },
  'a recursion with large frames': {
    guest: {
      extra: `(func $f (param i32) (local ${repeat('i64', 1900)}) (call $f (i32.add (local.get 0) (i32.const 1))))`,
      message: '(call $f (i32.const 0)) i32.const 0',
    },
    cause: 'trap',
    text: /stack overflow/,
  },
  'a recursion that branches': {
    guest: {
      extra:
        '(func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))',
      message: '(call $f (i32.const 60)) i32.const 0',
    },
  },
  'two functions that call each other through a table': {
    guest: {
      extra: `${TABLE} (func $f (param i32) (result i32) ${CALL_OTHER(1)} drop i32.const 0) (func $g (param i32) (result i32) ${CALL_OTHER(0)} drop i32.const 0)`,
      message: '(call $f (i32.const 0))',
    },
    cause: 'trap',
    text: /stack overflow/,
  },
  'a tail call to itself': { guest: { extra: '(func $f (result i32) (return_call $f))', message: '(return_call $f)' } },
  'tail calls through a table, to and fro': {
    guest: {
      extra: `${TABLE} (func $f (param i32) (result i32) (return_call_indirect (param i32) (result i32) (local.get 0) (i32.const 1)))
        (func $g (param i32) (result i32) (return_call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))`,
      message: '(return_call $f (i32.const 0))',
    },
  },
  'tail calls in a circle of three': {
    guest: {
      extra:
        '(func $f (result i32) (return_call $g)) (func $g (result i32) (return_call $h)) (func $h (result i32) (return_call $f))',
      message: '(return_call $f)',
    },
  },
  'two functions that call each other': {
    guest: { extra: '(func $f (call $g)) (func $g (call $f))', message: '(call $f) i32.const 0' },
    cause: 'trap',
    text: /stack overflow/,
  },
  'small functions, each of which calls the next one twice': {
    guest: {
      extra: `(func $f0) ${Array.from({ length: 50 }, (_, i) => `(func $f${i + 1} (call $f${i}) (call $f${i}))`).join(' ')}`,
      message: '(call $f50) i32.const 0',
    },
  },
  'a loop that jumps back under a condition': {
    guest: { message: '(loop (br_if 0 (i32.const 1))) i32.const 0' },
  },
  'a loop with a value that jumps back under a condition': {
    guest: { message: 'i32.const 1 (loop (param i32) (result i32) i32.const 1 br_if 0)' },
  },
  ...Object.fromEntries(
    [2, 3, 4, 20].map((ways) => [
      `a loop with ${ways} ways back`,
      {
        guest: {
          locals: '(local i32)',
          message: `(loop (local.set 10 (i32.add (local.get 10) (i32.const 1)))
            ${Array.from({ length: ways }, (_, i) => `(br_if 0 (i32.eq (i32.rem_u (local.get 10) (i32.const ${ways})) (i32.const ${i})))`).join(' ')}) i32.const 0`,
        },
      },
    ]),
  ),
  'a small loop in a small loop, without an end': {
    guest: {
      locals: '(local i32)',
      message: `(loop (local.set 10 (i32.const 9)) (loop (br_if 0 (local.tee 10 (i32.sub (local.get 10) (i32.const 1))))) (br 0)) i32.const 0`,
    },
  },
  'divisions that wait for each other': {
    guest: {
      locals: '(local i64)',
      message: `(local.set 10 (i64.const 3)) (loop (local.get 10) ${repeat('local.get 10 i64.div_s', 500)} (drop) (br 0)) i32.const 0`,
    },
  },
  'roots that wait for each other': {
    guest: { message: `(loop (f64.const 3.3) ${repeat('f64.sqrt', 2000)} (drop) (br 0)) i32.const 0` },
  },
};

describe('guests that never end', () => {
  let stage: Stage;
  let number = 0;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it.each(Object.entries(CASES))(
    '%s',
    async (_, { guest: parts, cause = 'fuel', text = /used up its fuel \(1000000\)/ }) => {
      const name = `endless${number++}`;
      await stage.bring(name, await guest(parts));
      const letter = await stage.contained(async () => {
        // Anew each time: a plugin that failed five times is not asked any more.
        await stage.attach(name, { replace: true, order: number++ });
        return stage.deadLetterOf(name, () => stage.villain.publish(`${name}.in`, 'x'));
      });
      expect(letter.cause).toBe(cause);
      expect(letter.text).toMatch(text);
      expect(letter.message.string()).toBe('x');
    },
  );
});
