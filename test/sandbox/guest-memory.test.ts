import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GuestMemory } from '../../src/sandbox/guest-memory.js';

const ROOM = 1024;
/** Bytes that no message has, around what is written. */
const UNTOUCHED = 0xa5;

/** Bytes among which many spell doubles that are no numbers, or infinities whose sum is none. */
const bytes = fc
  .array(fc.oneof(fc.constantFrom(0x7f, 0xff, 0xf0, 0xf8, 0, 1), fc.nat(255)), { maxLength: 300 })
  .map((values) => Uint8Array.from(values));

describe('GuestMemory', () => {
  it('copies every byte as it is and no other, from and to wherever they lie', () => {
    fc.assert(
      fc.property(bytes, fc.nat(16), fc.nat(16), fc.nat(16), (message, before, behind, at) => {
        const whole = new Uint8Array(before + message.length + behind).fill(0x42);
        whole.set(message, before);
        const target = new Uint8Array(ROOM).fill(UNTOUCHED);
        const words = new DataView(whole.buffer);
        new GuestMemory(target.buffer).copyIn(at, whole, words, before, message.length);
        const expected = new Uint8Array(ROOM).fill(UNTOUCHED);
        expected.set(message, at);
        expect(target).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps the bits of doubles that are no numbers', () => {
    const doubles = new BigUint64Array([
      0x7ff0000000000001n,
      0xfff7ffffffffffffn,
      0x7ff8000000000000n,
      0xffffffffffffffffn,
    ]);
    const source = new Uint8Array(doubles.buffer);
    const memory = new GuestMemory(new ArrayBuffer(ROOM));
    memory.copyIn(8, source, new DataView(source.buffer), 0, source.length);
    expect(memory.bytes.subarray(8, 8 + source.length)).toEqual(source);
  });
});
