// The smallest parts of a JSON text: where a string, a number or white space ends. A 0 behind the text ends each of them. The first bytes are
// looked at without a loop: most strings and numbers are short, and a metered loop costs more than they do.

/** What was expected where a text is not JSON. */
export enum Expected {
  Value,
  End,
  Key,
  Colon,
  NextMember,
  NextElement,
  Character,
  Escape,
  HexDigit,
  Digit,
  /** These two are about the whole text. */
  LessValues,
  LessDepth,
}

let problemAt: usize = 0;
let expected: Expected = Expected.Value;

/** Notes a problem. Answers 0, which no part ends at. */
export function refuse(at: usize, what: Expected): usize {
  problemAt = at;
  expected = what;
  return 0;
}

// @ts-ignore: decorator
@inline
export function problemPlace(): usize {
  return problemAt;
}

// @ts-ignore: decorator
@inline
export function whatWasExpected(): Expected {
  return expected;
}

/** The first byte from `at` on that is no white space. */
// @ts-ignore: decorator
@inline
export function skipSpace(at: usize): usize {
  if (load<u8>(at) > 0x20) return at;
  // Most often it is one blank.
  return load<u8>(at) == 0x20 && load<u8>(at, 1) > 0x20 ? at + 1 : skipSpaces(at);
}

function skipSpaces(at: usize): usize {
  while (isSpace(load<u8>(at))) at++;
  return at;
}

// @ts-ignore: decorator
@inline
function isSpace(byte: u32): bool {
  return byte == 0x20 || byte - 9 < 2 || byte == 0x0d;
}

/** A bit for each of the sixteen bytes that is a quote, a backslash or a control character. */
// @ts-ignore: decorator
@inline
function specials(at: usize): i32 {
  const block = v128.load(at);
  return i8x16.bitmask(
    v128.or(
      v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(0x5c))),
      i8x16.lt_u(block, i8x16.splat(0x20)),
    ),
  );
}

/** Whether the string that was skipped last holds a backslash. */
let escaped: bool = false;

// @ts-ignore: decorator
@inline
export function wasEscaped(): bool {
  return escaped;
}

/**
 * `at` stands behind the quote that opens a string. Answers the quote that closes it when that is among the next 32 bytes and no escape is
 * before it, or 0.
 */
// @ts-ignore: decorator
@inline
export function nearQuote(at: usize): usize {
  let found = specials(at);
  if (found == 0) {
    at += 16;
    found = specials(at);
  }
  const close = at + ctz(found);
  return found != 0 && load<u8>(close) == 0x22 ? close : 0;
}

/** `at` stands behind the quote that opens a string. Answers the quote that closes it, or 0; `wasEscaped` tells of backslashes. */
export function skipString(at: usize): usize {
  escaped = false;
  while (true) {
    at = firstSpecial(at);
    const byte = <u32>load<u8>(at);
    if (byte == 0x22) return at;
    if (byte != 0x5c) return refuse(at, Expected.Character);
    escaped = true;
    const letter = <u32>load<u8>(at + 1);
    if (letter == 0x75) {
      const code = hexAt(at + 2);
      if (code < 0) return refuse(at + 1 - code, Expected.HexDigit);
      at += 6;
    } else if (isSimpleEscape(letter)) at += 2;
    else return refuse(at + 1, Expected.Escape);
  }
}

function firstSpecial(at: usize): usize {
  while (true) {
    const found = specials(at);
    if (found != 0) return at + ctz(found);
    at += 16;
  }
}

/** One of `"\/bfnrt`. */
function isSimpleEscape(byte: u32): bool {
  if (byte == 0x22 || byte == 0x5c || byte == 0x2f) return true;
  return byte == 0x62 || byte == 0x66 || byte == 0x6e || byte == 0x72 || byte == 0x74;
}

/** The value of four hexadecimal digits; a negative number, -1 for the first, tells which of them is none. */
export function hexAt(at: usize): i32 {
  let value: i32 = 0;
  for (let i: usize = 0; i < 4; i++) {
    const byte = <u32>load<u8>(at + i);
    const letter = (byte | 0x20) - 0x61;
    if (byte - 0x30 < 10) value = (value << 4) | <i32>(byte - 0x30);
    else if (letter < 6) value = (value << 4) | <i32>(letter + 10);
    else return -1 - <i32>i;
  }
  return value;
}

/** `at` stands on a digit or a minus. Answers where the number ends, or 0. */
// @ts-ignore: decorator
@inline
export function skipNumber(at: usize): usize {
  if (load<u8>(at) == 0x2d) at++;
  // A bit for each of the next sixteen bytes that is no digit; a number of which they hold the end and no exponent is done with them.
  const others = ~<u32>i8x16.bitmask(i8x16.lt_u(i8x16.sub(v128.load(at), i8x16.splat(0x30)), i8x16.splat(10)));
  const whole = ctz(others);
  let end = at + whole;
  if (load<u8>(end) == 0x2e) end += ctz(others >> (whole + 1)) + 1;
  const isPlain = whole != 0 && (whole == 1 || load<u8>(at) != 0x30) && load<u8>(end - 1) != 0x2e && end < at + 16;
  return isPlain && (load<u8>(end) | 0x20) != 0x65 ? end : skipUnusualNumber(at);
}

/** `at` stands behind the minus. */
function skipUnusualNumber(at: usize): usize {
  // A 0 in front stands alone.
  const whole = load<u8>(at) == 0x30 ? at + 1 : skipDigits(at);
  if (whole == at) return refuse(at, Expected.Digit);
  at = whole;
  if (load<u8>(at) == 0x2e) {
    at = skipDigits(whole + 1);
    if (at == whole + 1) return refuse(at, Expected.Digit);
  }
  if ((load<u8>(at) | 0x20) != 0x65) return at;
  const sign = <u32>load<u8>(at + 1);
  const exponent = at + (sign == 0x2b || sign == 0x2d ? 2 : 1);
  at = skipDigits(exponent);
  return at == exponent ? refuse(at, Expected.Digit) : at;
}

function skipDigits(at: usize): usize {
  while (<u32>load<u8>(at) - 0x30 < 10) at++;
  return at;
}
