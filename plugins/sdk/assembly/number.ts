// Numbers as text: read as JSON.parse reads them, correctly rounded, and written as JSON.stringify writes them.
import { dtoa_buffered } from 'util/number';
import { fromDecimal } from './decimal';
import { Buffer } from './memory';

/** Up to here every integer is a double. */
const EXACT_MAX: u64 = 1 << 53;
const POWERS_OF_TEN: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]);
/** Powers of ten that are doubles. */
const EXACT_POWER_MAX: i32 = 22;
/** 5 to the power of 27 is the last that fits 63 bits. */
const FIVES_MAX: i32 = 27;
const EXPONENT_MAX: i32 = 100_000;
/** More decimals than this say nothing about a double. */
export const DECIMALS_MAX: i32 = 15;

// @ts-ignore: decorator
@inline
function powerOfTen(exponent: i32): f64 {
  return load<f64>(POWERS_OF_TEN + (<usize>exponent << 3));
}

/** The value of a valid JSON number. What is too large becomes Infinity, as in JSON.parse. */
// @ts-ignore: decorator
@inline
export function parseNumber(start: usize, end: usize): f64 {
  const negative = load<u8>(start) == 0x2d;
  const first = start + <usize>negative;
  const bytes = end - first;
  return bytes <= 8 ? parseShort(first, bytes, negative) : parseUnusual(first, end, negative);
}

/** Up to eight bytes behind the sign: read at once, the dot taken out, and in each step neighbours made one number. */
// @ts-ignore: decorator
@inline
function parseShort(first: usize, bytes: usize, negative: bool): f64 {
  const text = load<u64>(first);
  const used = <u64>-1 >> ((8 - <u64>bytes) << 3);
  // A bit of each byte that is no digit is set: 0x30 to 0x39 have the bits 4 and 5 and not 6, a dot and all of an exponent do not.
  const others = ~((text >> 4) & ~(text >> 6) & (text >> 5)) & 0x0101010101010101 & used;
  let digits = text ^ 0x3030303030303030;
  let count = <u64>bytes;
  let power: f64 = 1;
  if (others != 0) {
    const dot = ctz(others);
    if ((others & (others - 1)) != 0 || load<u8>(first + <usize>(dot >> 3)) != 0x2e) return parseUnusual(first, first + bytes, negative);
    const whole = (<u64>1 << dot) - 1;
    digits = (digits & whole) | ((digits >> 8) & ~whole);
    count--;
    power = powerOfTen(<i32>(count - (dot >> 3)));
  }
  // Both are exact, and the division is rounded correctly.
  return withSign(<f64>joined(digits << ((8 - count) << 3)) / power, negative);
}

/**
 * The number of at most seven bytes behind its sign that begins at `at` and that a comma or a closing bracket, curly, stands behind; NaN when there is none, or another
 * one. Eight bytes are read at once, and looked at in all places.
 */
// @ts-ignore: decorator
@inline
export function readShort(at: usize): f64 {
  const negative = load<u8>(at) == 0x2d;
  at += <usize>negative;
  const text = load<u64>(at);
  const values = text ^ 0x3030303030303030;
  // The highest bit of each byte that is no digit: it is right up to the second of those, which is all that is looked at.
  let others = ((values + 0x7676767676767676) | values) & 0x8080808080808080;
  const whole = ctz(others) & ~7;
  let digits = values;
  let count = whole;
  let power: f64 = 1;
  let behind = text >> whole;
  if ((behind & 0xff) == 0x2e) {
    others &= others - 1;
    const end = ctz(others) & ~7;
    const low = (<u64>1 << whole) - 1;
    digits = (digits & low) | ((digits >> 8) & ~low);
    count = end - 8;
    // A digit must follow the dot.
    if (count == whole) return NaN;
    power = powerOfTen(<i32>((count - whole) >> 3));
    behind = text >> end;
  }
  const isEnd = (behind & 0xff) == 0x2c || (behind & 0xff) == 0x7d;
  const isWhole = whole == 8 || (whole != 0 && (values & 0xff) != 0);
  if (others == 0 || !isEnd || !isWhole) return NaN;
  return withSign(<f64>joined(digits << (64 - count)) / power, negative);
}

/** Eight digits, the first in the lowest byte, as one number: in each step neighbours are made one. */
// @ts-ignore: decorator
@inline
function joined(digits: u64): u32 {
  digits = (digits * 2561) >> 8;
  digits = ((digits & 0x00ff00ff00ff00ff) * 6553601) >> 16;
  return <u32>(((digits & 0x0000ffff0000ffff) * 42949672960001) >> 32);
}

/** Long numbers and those with an exponent; `start` is behind the sign. */
function parseUnusual(start: usize, end: usize, negative: bool): f64 {
  let at = start;
  let digits: u64 = 0;
  let exponent: i32 = 0;
  /** Significant digits so far: nineteen fit. */
  let count: i32 = 0;
  let inFraction = false;
  for (; at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit < 10) {
      if (count >= 19) return withSign(fromDecimal(start, end), negative);
      digits = digits * 10 + digit;
      if (digits != 0) count++;
      if (inFraction) exponent--;
    } else if (digit == 0xffff_fffe) inFraction = true;
    else break;
  }
  if (at < end) exponent += parseExponent(at + 1, end);
  return withSign(scale(digits, exponent, start, end), negative);
}

// @ts-ignore: decorator
@inline
function withSign(value: f64, negative: bool): f64 {
  return negative ? -value : value;
}

/** The integer behind `e`. */
export function parseExponent(at: usize, end: usize): i32 {
  const sign = <u32>load<u8>(at);
  if (sign == 0x2b || sign == 0x2d) at++;
  let exponent: i32 = 0;
  for (; at < end; at++) exponent = min(exponent * 10 + (<i32>load<u8>(at) - 0x30), EXPONENT_MAX);
  return sign == 0x2d ? -exponent : exponent;
}

/** `digits` times ten to the power of `exponent`. */
function scale(digits: u64, exponent: i32, start: usize, end: usize): f64 {
  if (digits == 0) return 0;
  // Both are doubles, and a division or multiplication of doubles is rounded correctly.
  if (digits <= EXACT_MAX && exponent >= -EXACT_POWER_MAX && exponent <= EXACT_POWER_MAX) {
    return exponent < 0 ? <f64>digits / powerOfTen(-exponent) : <f64>digits * powerOfTen(exponent);
  }
  if (exponent < 0 && exponent >= -FIVES_MAX) return divide(digits, -exponent);
  return fromDecimal(start, end);
}

/** `digits` divided by ten to the power of `power`, by 128-bit long division: sensors print doubles with 17 digits. */
function divide(digits: u64, power: i32): f64 {
  let fives: u64 = 1;
  for (let i = 0; i < power; i++) fives *= 5;
  const shiftDigits = <i32>clz(digits);
  const shiftFives = <i32>clz(fives);
  const divisor = fives << shiftFives;
  let rest = digits << shiftDigits;
  let quotient: u64 = 0;
  if (rest >= divisor) {
    rest -= divisor;
    quotient = 1;
  }
  for (let bit = 0; bit < 63; bit++) {
    const carry = rest >> 63;
    rest <<= 1;
    quotient <<= 1;
    if (carry != 0 || rest >= divisor) {
      rest -= divisor;
      quotient |= 1;
    }
  }
  const lead = <i32>clz(quotient);
  quotient <<= lead;
  let mantissa = quotient >> 11;
  const below = quotient & 0x7ff;
  if (below > 0x400 || (below == 0x400 && (rest != 0 || (mantissa & 1) != 0))) mantissa++;
  const exponent = 11 - 63 - lead + shiftFives - shiftDigits - power;
  return <f64>mantissa * reinterpret<f64>(<u64>(exponent + 1023) << 52);
}

/** At least so many bytes must be free where a number is written. */
export const NUMBER_BYTES_MAX: usize = 32;

/** UTF-16 that the standard library wrote. */
const WIDE: usize = memory.data(64, 8);

/** Writes a number as JSON.stringify would (`null` for what JSON has no number for) and answers the address behind it. */
export function writeNumber(to: usize, value: f64): usize {
  if (!isFinite(value)) {
    store<u32>(to, 0x6c6c756e);
    return to + 4;
  }
  if (value == trunc(value) && abs(value) < <f64>EXACT_MAX) return writeInteger(to, <i64>value);
  return writeWide(to, dtoa_buffered(WIDE, value));
}

/** A number rounded to so many decimals (half away from zero), without zeros at its end. */
export function writeRounded(to: usize, value: f64, decimals: i32): usize {
  if (decimals > DECIMALS_MAX) return writeNumber(to, value);
  const scaled = abs(value) * powerOfTen(decimals);
  // Negated, so that NaN goes the same way as what is too large to be scaled.
  if (!(scaled < <f64>EXACT_MAX)) return writeNumber(to, value);
  let units = <u64>scaled;
  if (scaled - <f64>units >= 0.5) units++;
  while (decimals > 0 && units % 10 == 0) {
    units /= 10;
    decimals--;
  }
  if (value < 0 && units != 0) store<u8>(to++, 0x2d);
  let power: u64 = 1;
  for (let i = 0; i < decimals; i++) power *= 10;
  to = writeInteger(to, <i64>(units / power));
  if (decimals == 0) return to;
  store<u8>(to, 0x2e);
  let fraction = units % power;
  for (let at = to + decimals; at > to; at--) {
    store<u8>(at, 0x30 + (fraction % 10));
    fraction /= 10;
  }
  return to + 1 + decimals;
}

/** Appends a number as JSON, rounded to so many decimals when they are not negative. */
export function appendNumber(buffer: Buffer, value: f64, decimals: i32 = -1): void {
  const at = buffer.room(NUMBER_BYTES_MAX);
  buffer.length += (decimals < 0 ? writeNumber(at, value) : writeRounded(at, value, decimals)) - at;
}

function writeInteger(to: usize, value: i64): usize {
  if (value < 0) store<u8>(to++, 0x2d);
  let rest = <u64>abs(value);
  let digits: usize = 1;
  for (let bound: u64 = 10; rest >= bound; bound *= 10) digits++;
  for (let at = to + digits; at > to; ) {
    store<u8>(--at, 0x30 + (rest % 10));
    rest /= 10;
  }
  return to + digits;
}

/** Digits of the standard library: it writes an integer with `.0` behind it. */
function writeWide(to: usize, length: u32): usize {
  for (let i: u32 = 0; i < length; i++) store<u8>(to + i, load<u16>(WIDE + (<usize>i << 1)));
  const end = to + length;
  return load<u8>(end - 1) == 0x30 && load<u8>(end - 2) == 0x2e ? end - 2 : end;
}
