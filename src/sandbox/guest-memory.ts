import { copyIntegers } from '../base/bytes.js';

/** Fewer bytes are copied one by one. */
const DOUBLES_BYTES_MIN = 8;
/** From here on the engine's own copy is faster, which takes 30 ns however few they are (bench/micro/sandbox.ts). */
const ENGINE_COPIES_FROM = 256;

/** A guest's memory as the host writes to it. Growing detaches all views of a memory: then this one is thrown away. */
export class GuestMemory {
  readonly bytes: Uint8Array;
  readonly words: DataView;
  private readonly doubles: Float64Array;

  constructor(buffer: ArrayBuffer) {
    this.bytes = new Uint8Array(buffer);
    this.words = new DataView(buffer);
    this.doubles = new Float64Array(buffer);
  }

  /** Copies `source[start, start + length)` to the address `at`; `words` is a view of the same bytes. */
  copyIn(at: number, source: Uint8Array, words: DataView, start: number, length: number): void {
    if (length >= ENGINE_COPIES_FROM || at % 8 !== 0) this.bytes.set(source.subarray(start, start + length), at);
    else if (length >= DOUBLES_BYTES_MIN) this.copyDoubles(at, words, start, length);
    else for (let i = 0; i < length; i++) this.bytes[at + i] = source[start + i];
  }

  /**
   * Copies eight bytes at a time as the doubles that they spell. The engine may change the bits of a double that is no number, so those go as two
   * integers; whether there is one among four is told by their sum. Writes nothing behind `length`: that may be someone else's message.
   */
  private copyDoubles(at: number, words: DataView, start: number, length: number): void {
    const doubles = this.doubles;
    let to = at / 8;
    let i = 0;
    for (const last = length - 32; i <= last; i += 32, to += 4) {
      const a = words.getFloat64(start + i, true);
      const b = words.getFloat64(start + i + 8, true);
      const c = words.getFloat64(start + i + 16, true);
      const d = words.getFloat64(start + i + 24, true);
      if (Number.isNaN(a + b + (c + d))) copyIntegers(this.words, to * 8, words, start + i, 32);
      else {
        doubles[to] = a;
        doubles[to + 1] = b;
        doubles[to + 2] = c;
        doubles[to + 3] = d;
      }
    }
    for (const last = length - 8; i <= last; i += 8, to++) {
      const a = words.getFloat64(start + i, true);
      if (Number.isNaN(a)) copyIntegers(this.words, to * 8, words, start + i, 8);
      else doubles[to] = a;
    }
    // The rest together with some of what is before it.
    if (i < length) copyIntegers(this.words, at + length - 8, words, start + length - 8, 8);
  }
}
