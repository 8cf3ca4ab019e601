// Decimal text to double, exactly, for any number of digits: by integers of any size. Slow, and rarely needed (`number.ts`).
import { parseExponent } from './number';

/** Digits behind these change nothing but whether the number lies exactly between two doubles. */
const DIGITS_MAX: i32 = 800;
/** Words of 32 bits: 800 digits times ten to the power of 310, or ten to the power of 1,150, and what shifting adds. */
const WORDS_MAX: usize = 136;

/** Unsigned integers: the number of words in use (the highest of them is not 0), then the words, lowest first. */
const NUMERATOR: usize = memory.data(8 + 4 * 136, 8);
const DENOMINATOR: usize = memory.data(8 + 4 * 136, 8);

/** The absolute value of a valid JSON number. */
export function fromDecimal(start: usize, end: usize): f64 {
  const top = NUMERATOR;
  const bottom = DENOMINATOR;
  setSmall(top, 0);
  setSmall(bottom, 1);
  const exponent = readDigits(top, start, end);
  if (length(top) == 0 || exponent < -1_200) return 0;
  if (exponent > 310) return Infinity;
  for (let i = exponent; i > 0; i--) multiplyAdd(top, 10, 0);
  for (let i = exponent; i < 0; i++) multiplyAdd(bottom, 10, 0);
  return divide(top, bottom);
}

/** Reads the digits into `big`, and answers the power of ten that they are to be multiplied by. */
function readDigits(big: usize, start: usize, end: usize): i32 {
  let exponent: i32 = 0;
  let count: i32 = 0;
  let inFraction = false;
  let cut = false;
  let at = start + <usize>(load<u8>(start) == 0x2d);
  for (; at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit == 0xffff_fffe) inFraction = true;
    else if (digit > 9) break;
    else if (count == DIGITS_MAX) {
      cut = cut || digit != 0;
      if (!inFraction) exponent++;
    } else {
      multiplyAdd(big, 10, digit);
      if (length(big) != 0) count++;
      if (inFraction) exponent--;
    }
  }
  if (cut) {
    multiplyAdd(big, 10, 1);
    exponent--;
  }
  return at < end ? exponent + parseExponent(at + 1, end) : exponent;
}

/** The double nearest to `top / bottom`, ties to even. Changes both. */
function divide(top: usize, bottom: usize): f64 {
  // After this 1 <= top / bottom < 2, and the quotient is to be multiplied by two to the power of `exponent`.
  let exponent = bits(top) - bits(bottom);
  if (exponent > 0) shiftLeft(bottom, exponent);
  else shiftLeft(top, -exponent);
  if (compare(top, bottom) < 0) {
    shiftLeft(top, 1);
    exponent--;
  }
  if (exponent > 1023) return Infinity;
  if (exponent < -1075) return 0;
  // Doubles next to 0 have fewer bits.
  const precision = exponent < -1022 ? 53 + exponent + 1022 : 53;
  let quotient: u64 = 0;
  for (let i = 0; i < precision; i++) quotient = (quotient << 1) | nextBit(top, bottom);
  if (nextBit(top, bottom) != 0 && (length(top) != 0 || (quotient & 1) != 0)) quotient++;
  if (exponent < -1022) return reinterpret<f64>(quotient);
  // A quotient that was rounded up to 2^53 carries into the exponent, up to that of Infinity.
  return reinterpret<f64>((<u64>(exponent + 1022) << 52) + quotient);
}

function nextBit(top: usize, bottom: usize): u64 {
  const bit = compare(top, bottom) >= 0;
  if (bit) subtract(top, bottom);
  shiftLeft(top, 1);
  return <u64>bit;
}

// @ts-ignore: decorator
@inline
function length(big: usize): usize {
  return load<usize>(big);
}

// @ts-ignore: decorator
@inline
function word(big: usize, index: usize): u32 {
  return load<u32>(big + 8 + (index << 2));
}

// @ts-ignore: decorator
@inline
function setWord(big: usize, index: usize, value: u32): void {
  store<u32>(big + 8 + (index << 2), value);
}

function setSmall(big: usize, value: u32): void {
  setWord(big, 0, value);
  store<usize>(big, <usize>(value != 0));
}

function push(big: usize, value: u32): void {
  if (value == 0) return;
  const at = length(big);
  assert(at < WORDS_MAX);
  setWord(big, at, value);
  store<usize>(big, at + 1);
}

function multiplyAdd(big: usize, factor: u32, summand: u32): void {
  let carry: u64 = summand;
  const count = length(big);
  for (let i: usize = 0; i < count; i++) {
    carry += <u64>word(big, i) * factor;
    setWord(big, i, <u32>carry);
    carry >>= 32;
  }
  push(big, <u32>carry);
}

function bits(big: usize): i32 {
  const count = length(big);
  return count == 0 ? 0 : <i32>(count * 32) - <i32>clz(word(big, count - 1));
}

function shiftLeft(big: usize, by: i32): void {
  const count = length(big);
  if (count == 0 || by == 0) return;
  const whole = <usize>by >> 5;
  const part = <u64>(by & 31);
  assert(count + whole < WORDS_MAX);
  let carry: u64 = 0;
  if (whole > 0) {
    memory.copy(big + 8 + (whole << 2), big + 8, count << 2);
    memory.fill(big + 8, 0, whole << 2);
  }
  for (let i = whole; i < count + whole; i++) {
    carry |= <u64>word(big, i) << part;
    setWord(big, i, <u32>carry);
    carry >>= 32;
  }
  store<usize>(big, count + whole);
  push(big, <u32>carry);
}

function compare(one: usize, other: usize): i32 {
  const count = length(one);
  if (count != length(other)) return count < length(other) ? -1 : 1;
  for (let i = count; i > 0; i--) {
    const a = word(one, i - 1);
    const b = word(other, i - 1);
    if (a != b) return a < b ? -1 : 1;
  }
  return 0;
}

/** `from` must not be less than `what`. */
function subtract(from: usize, what: usize): void {
  let borrow: i64 = 0;
  const count = length(from);
  for (let i: usize = 0; i < count; i++) {
    borrow += <i64>word(from, i) - (i < length(what) ? <i64>word(what, i) : 0);
    setWord(from, i, <u32>borrow);
    borrow >>= 32;
  }
  let used = count;
  while (used > 0 && word(from, used - 1) == 0) used--;
  store<usize>(from, used);
}
