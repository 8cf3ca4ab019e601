const encoder = new TextEncoder();

/** The text's UTF-8 bytes, in memory of their own. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** `bytes[start, end)` as text; invalid UTF-8 becomes U+FFFD. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  // A view of a few bytes in the engine's own heap stays there: asking for its `buffer` would move it out, for good.
  if (end - start === bytes.length) return decoder.decode(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

/** Bytes that reading or copying by words may go beyond a range's end. */
export const WORD_SLACK_BYTES = 3;

/** New zeroed bytes with room behind them for `WORD_SLACK_BYTES`. */
export function paddedBytes(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length + WORD_SLACK_BYTES), 0, length);
}

/** A view from the first of `bytes` to the end of the memory that they lie in: what is behind them counts as slack. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset);
}

/** No words at all. */
export const NO_WORDS: Int32Array = new Int32Array(0);

/**
 * The bytes as little-endian words, the last one filled up with zeros. Up to 64 bytes of them lie in the engine's own heap, where an
 * object is made and forgotten at a tenth of an `ArrayBuffer`'s price.
 */
export function packWords(bytes: Uint8Array): Int32Array {
  const words = new Int32Array((bytes.length + 3) >> 2);
  for (let i = 0; i < bytes.length; i++) words[i >> 2] |= bytes[i] << ((i & 3) << 3);
  return words;
}

/** The `count` bytes, one to three, at `at` as a word filled up with zeros, as `packWords` makes it. */
export function lastWord(bytes: DataView, at: number, count: number): number {
  let word = bytes.getUint8(at);
  if (count > 1) word |= bytes.getUint8(at + 1) << 8;
  if (count > 2) word |= bytes.getUint8(at + 2) << 16;
  return word;
}

/**
 * Copies `length` bytes four at a time, and up to `WORD_SLACK_BYTES` more than asked for. For a few dozen bytes this beats both a
 * loop over bytes and `set` (bench/micro/copy.ts).
 */
export function copyWords(target: DataView, at: number, source: DataView, start: number, length: number): void {
  for (let i = 0; i < length; i += 4) target.setInt32(at + i, source.getInt32(start + i, true), true);
}

/** Bytes, and the same as words. */
interface Viewed {
  readonly bytes: Uint8Array;
  readonly words: DataView;
}

/** From here on the engine's own copy is faster, which takes 30 ns however few the bytes are (bench/micro/sandbox.ts). */
const ENGINE_COPIES_FROM = 224;

/** Copies exactly `length` bytes: between memories that are not both the arena. */
export function copyBytes(target: Viewed, at: number, source: Viewed, start: number, length: number): void {
  if (length >= ENGINE_COPIES_FROM) target.bytes.set(source.bytes.subarray(start, start + length), at);
  else if (length >= 8) copyDoubles(target.words, at, source.words, start, length);
  else for (let i = 0; i < length; i++) target.bytes[at + i] = source.bytes[start + i];
}

/**
 * Eight bytes at a time as the doubles that they spell, and the last eight once more. The engine may change the bits of a double that is no number, so
 * those go as two integers.
 */
function copyDoubles(target: DataView, at: number, source: DataView, start: number, length: number): void {
  let i = 0;
  for (const last = length - 16; i <= last; i += 16) {
    const one = source.getFloat64(start + i, true);
    const other = source.getFloat64(start + i + 8, true);
    if (Number.isNaN(one + other)) copyIntegers(target, at + i, source, start + i, 16);
    else {
      target.setFloat64(at + i, one, true);
      target.setFloat64(at + i + 8, other, true);
    }
  }
  if (length - i > 8) copyIntegers(target, at + i, source, start + i, 8);
  if (i < length) copyIntegers(target, at + length - 8, source, start + length - 8, 8);
}

/** Copies a multiple of four bytes. */
export function copyIntegers(target: DataView, at: number, source: DataView, start: number, length: number): void {
  for (let i = 0; i < length; i += 4) target.setInt32(at + i, source.getInt32(start + i, true), true);
}

/** Whether two ranges of the same length hold the same bytes. */
export function rangesEqual(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** Whether `bytes[start, end)` begins with `prefix`. */
function hasPrefix(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}

/** Whether `bytes[start, end)` begins with one of the prefixes. */
export function hasAnyPrefix(bytes: Uint8Array, start: number, end: number, prefixes: readonly Uint8Array[]): boolean {
  for (let i = 0; i < prefixes.length; i++) if (hasPrefix(bytes, start, end, prefixes[i])) return true;
  return false;
}

/** Integers up to here are divided as such, which takes a third of the time. */
const SMALL_MAX = 0x7fffffff;
const BILLION = 1e9;

/** How many digits a non-negative integer has in decimal. */
export function decimalDigits(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) {
    if (rest <= SMALL_MAX) return digits + smallDigits(rest | 0) - 1;
    digits++;
  }
  return digits;
}

/** Writes a non-negative integer in decimal at `at`; returns the offset behind it. */
export function writeDecimal(bytes: Uint8Array, at: number, value: number): number {
  if (value <= SMALL_MAX) {
    const small = value | 0;
    const end = at + smallDigits(small);
    writeDigits(bytes, at, end, small);
    return end;
  }
  const high = Math.floor(value / BILLION);
  const start = writeDecimal(bytes, at, high);
  writeDigits(bytes, start, start + 9, (value - high * BILLION) | 0);
  return start + 9;
}

/** Writes an integer up to 2^31 - 1 into `bytes[start, end)`, with zeros in front. */
export function writeDigits(bytes: Uint8Array, start: number, end: number, value: number): void {
  for (let i = end - 1; i >= start; i--) {
    const rest = (value / 10) | 0;
    bytes[i] = 0x30 + value - rest * 10;
    value = rest;
  }
}

function smallDigits(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  if (value < 10_000) return 4;
  if (value < 100_000) return 5;
  if (value < 1_000_000) return 6;
  if (value < 10_000_000) return 7;
  if (value < 100_000_000) return 8;
  return value < BILLION ? 9 : 10;
}
