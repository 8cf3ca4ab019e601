import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import wabtModule from 'wabt';
import { arenaOffset, takeFromArena } from '../../src/base/arena.js';
import { wordsOf } from '../../src/base/bytes.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { CARRIED_BYTES_MAX, CARRIED_BYTES_MIN, carrierTo } from '../../src/sandbox/carrier.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';

const INBOX = 4096;
const NONE = new Uint8Array(0);
/** Bytes that no message has, around what is written. */
const UNTOUCHED = 0xa5;
const VERDICT = 2;

const arena = takeFromArena(2048)!;
const memory = new WebAssembly.Memory({ initial: 1 });
const guest = new Uint8Array(memory.buffer);
/** A message function of a guest's type, and what it was called with last. */
let calledWith: number[] = [];
const message = functionOf((...args) => {
  calledWith = args;
  return VERDICT;
});

/** JavaScript as a function of a module: only such has the type that the carrier asks for. */
function functionOf(run: (...args: number[]) => number): unknown {
  const type = [0x60, 12, ...new Array(10).fill(0x7f), 0x7c, 0x7f, 1, 0x7f];
  const bytes = Uint8Array.of(
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, type.length + 1, 1, ...type],
    ...[2, 7, 1, 1, 0x61, 1, 0x62, 0, 0],
    ...[7, 5, 1, 1, 0x63, 0, 0],
  );
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { a: { b: run } }).exports.c;
}

describe('the carrier', () => {
  it('copies every byte of a frame and no other, and calls the guest with its parts', () => {
    const carry = carrierTo(memory, message)!;
    const sizes = fc.tuple(fc.nat(300), fc.nat(60), fc.nat(60), fc.nat(300), fc.nat(64));
    fc.assert(
      fc.property(sizes, ([subject, reply, headers, payload, before]) => {
        const bytes = subject + reply + headers + payload;
        fc.pre(bytes >= CARRIED_BYTES_MIN && bytes <= CARRIED_BYTES_MAX);
        arena.forEach((_, i) => {
          arena[i] = (i * 7 + bytes) & 0x7f;
        });
        guest.fill(UNTOUCHED);
        const [replyAt, headersAt, payloadAt] = [subject, subject + reply, subject + reply + headers];
        const source = arenaOffset(arena) + before;
        const verdict = carry(9, 64, INBOX, source, bytes, subject, replyAt, reply, headersAt, payloadAt, 1.5);
        expect(verdict).toBe(VERDICT);
        const parts = [INBOX, subject, INBOX + replyAt, reply, INBOX + headersAt, headers, INBOX + payloadAt, payload];
        expect(calledWith).toEqual([9, 64, ...parts, 1.5, 0]);
        const expected = new Uint8Array(guest.length).fill(UNTOUCHED);
        expected.set(arena.subarray(before, before + bytes), INBOX);
        expect(Buffer.compare(guest, expected)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves no trace in what is said of a trap', async () => {
    const wasm = (await wabtModule()).parseWat('trapping.wat', TRAPPING).toBinary({ write_debug_names: true }).buffer;
    const frame = frameOf(Buffer.from('readings.oven'), NONE, NONE, Buffer.from('{"value": 1}'));
    arena.set(frame.bytes);
    const fromArena = { ...frame, bytes: arena, words: wordsOf(arena), arenaOffset: arenaOffset(arena) };
    const texts = [frame, fromArena].map((each) => {
      const instance = Instance.create(prepareModule(wasm), DEFAULT_BUDGET, '{}');
      if (!(instance instanceof Instance)) throw new Error(instance.text);
      expect(instance.call(each, { wallMs: 0 })).toBe(FAULT);
      return instance.fault.text;
    });
    expect(texts[0]).toContain('in too_deep < weir_message');
    expect(texts[1]).toBe(texts[0]);
  });
});

/** Looks at the payload's first byte, which is what it should be, and traps. */
const TRAPPING = `(module
  (memory (export "memory") 4)
  (data (i32.const 16) "\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00\\02\\00\\00\\00\\01\\00")
  (func (export "weir_abi") (result i32) i32.const 1)
  (func (export "weir_open") (param i32 i32) (result i32) i32.const 16)
  (func $too_deep (param i32)
    (if (i32.eq (local.get 0) (i32.const 0x7b)) (then unreachable)))
  (func $weir_message (export "weir_message") (param i32 i32 i32 i32 i32 i32 i32 i32 f64 i32) (result i32)
    (call $too_deep (i32.load8_u (local.get 6)))
    i32.const 0))`;
