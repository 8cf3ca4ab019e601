// Reads a JSON text once, strictly, and notes where each value lies. Nothing is decoded and nothing is allocated per value.
//
// The tape is a row of entries, one for each value, in the order of the text:
//
//   {"a": [1, 2], "b": "x"}      0 object ──────────────────────────┐ next
//                                1   a: array ─────────┐            │
//                                2        1 ─┐         │            │
//                                3        2 ─┘─────────┘            │
//                                4   b: "x" ────────────────────────┘
/** What a value is. */
export enum Kind {
  Missing,
  Null,
  Boolean,
  Number,
  String,
  Array,
  Object,
}

/** The low byte of `info` is the kind. */
export const KIND_MASK: u32 = 0xff;
/** The string, or the key, holds a backslash. */
export const ESCAPED: u32 = 0x100;
export const KEY_ESCAPED: u32 = 0x200;
/** Set by whoever walks the tape. */
export const MARKED: u32 = 0x400;

/** One entry of the tape. Addresses are absolute. */
@unmanaged
export class Entry {
  /** The value's text, a string with its quotes. */
  start: usize;
  /** While a container is open: the container around it. */
  end: usize;
  /** The entry behind this value and all that is in it. */
  next: usize;
  info: u32;
  /** The key's text without its quotes; both 0 where there is none. */
  keyStart: usize;
  keyEnd: usize;
}

export const ENTRY_BYTES: usize = offsetof<Entry>();
/** More values than this in one text are refused. */
export const VALUES_MAX: usize = 65_536;
/** Containers within containers. */
export const DEPTH_MAX: u32 = 512;
const ENTRIES_FIRST: usize = 256;

let tape: usize = 0;
let tapeEntries: usize = 0;

let textStart: usize = 0;
let textEnd: usize = 0;
/** What is wrong with the last text, and where. */
let problemAt: usize = 0;
let problem: string = '';

/** The first entry of the text that was scanned last. */
// @ts-ignore: decorator
@inline
export function root(): usize {
  return tape;
}

/**
 * Scans the text in `[start, end)`; behind it lie PADDING bytes that may be overwritten. False when it is not valid JSON: `problem` says why.
 */
export function scan(start: usize, end: usize): bool {
  if (tape == 0) setTape(ENTRIES_FIRST);
  textStart = start;
  textEnd = end;
  store<u8>(end, 0);
  while (true) {
    const result = scanOnto();
    if (result != FULL) return result == DONE;
    if (tapeEntries >= VALUES_MAX) {
      refuse(start, TOO_MANY);
      return false;
    }
    setTape(tapeEntries * 4);
  }
}

/** Why the last text was refused, for people. */
export function problemText(): string {
  const place = `at byte ${problemAt - textStart}`;
  if (problem == TOO_MANY || problem == TOO_DEEP) return problem;
  if (problemAt >= textEnd) return `the text ends ${place} where ${problem} was expected`;
  const byte = <i32>load<u8>(problemAt);
  const found = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `the byte 0x${byte.toString(16)}`;
  return `found ${found} ${place} where ${problem} was expected`;
}

const TOO_MANY: string = `more than ${VALUES_MAX} values`;
const TOO_DEEP: string = `nested deeper than ${DEPTH_MAX}`;

function setTape(entries: usize): void {
  if (tape != 0) heap.free(tape);
  tape = heap.alloc(entries * ENTRY_BYTES);
  tapeEntries = entries;
}

/** Notes a problem: what was expected at `at`. Answers 0. */
function refuse(at: usize, expected: string): usize {
  problemAt = at;
  problem = expected;
  return 0;
}

const DONE: i32 = 0;
const REFUSED: i32 = 1;
const FULL: i32 = 2;

/** Answers DONE, REFUSED or FULL. */
function scanOnto(): i32 {
  const limit = tape + tapeEntries * ENTRY_BYTES;
  let entry = tape;
  /** The open container, 0 outside of all. */
  let parent: usize = 0;
  let depth: u32 = 0;
  let keyStart: usize = 0;
  let keyEnd: usize = 0;
  let keyInfo: u32 = 0;
  let at = skipSpace(textStart);
  while (true) {
    // A value begins at `at`.
    if (entry == limit) return FULL;
    const value = changetype<Entry>(entry);
    value.start = at;
    value.keyStart = keyStart;
    value.keyEnd = keyEnd;
    const first = <u32>load<u8>(at);
    let open = false;
    if (first == 0x22) {
      const close = skipString(at + 1);
      if (close == 0) return REFUSED;
      value.info = <u32>Kind.String | keyInfo | (stringEscaped ? ESCAPED : 0);
      at = close + 1;
    } else if (first - 0x30 < 10 || first == 0x2d) {
      at = skipNumber(at);
      if (at == 0) return REFUSED;
      value.info = <u32>Kind.Number | keyInfo;
    } else if (first == 0x7b || first == 0x5b) {
      if (++depth > DEPTH_MAX) return refused(at, TOO_DEEP);
      value.info = <u32>(first == 0x7b ? Kind.Object : Kind.Array) | keyInfo;
      value.end = parent;
      parent = entry;
      open = true;
      at = skipSpace(at + 1);
    } else {
      const word = load<u32>(at);
      if (word == 0x65757274 || word == 0x6c6c756e) {
        value.info = <u32>(word == 0x6c6c756e ? Kind.Null : Kind.Boolean) | keyInfo;
        at += 4;
      } else if (word == 0x736c6166 && load<u8>(at + 4) == 0x65) {
        value.info = <u32>Kind.Boolean | keyInfo;
        at += 5;
      } else return refused(at, 'a value');
    }
    entry += ENTRY_BYTES;
    if (!open) {
      value.end = at;
      value.next = entry;
    } else if (<u32>load<u8>(at) != first + 2) {
      // Not closed at once: what follows is a member or an element.
      if (first == 0x5b) {
        keyStart = keyEnd = 0;
        keyInfo = 0;
        continue;
      }
      keyStart = at + 1;
      keyEnd = skipKey(at);
      if (keyEnd == 0) return REFUSED;
      keyInfo = stringEscaped ? KEY_ESCAPED : 0;
      at = afterKey;
      continue;
    }
    // Behind a value: `at` stands behind it, or on the bracket that closes an empty container.
    while (true) {
      if (parent == 0) {
        at = skipSpace(at);
        return at == textEnd ? DONE : refused(at, 'the end');
      }
      at = skipSpace(at);
      const container = changetype<Entry>(parent);
      const inObject = (container.info & KIND_MASK) == Kind.Object;
      const byte = <u32>load<u8>(at);
      if (byte == 0x2c && !open) {
        at = skipSpace(at + 1);
        if (inObject) {
          keyStart = at + 1;
          keyEnd = skipKey(at);
          if (keyEnd == 0) return REFUSED;
          keyInfo = stringEscaped ? KEY_ESCAPED : 0;
          at = afterKey;
        } else {
          keyStart = keyEnd = 0;
          keyInfo = 0;
        }
        break;
      }
      if (byte != (inObject ? 0x7d : 0x5d)) return refused(at, inObject ? '"," or "}"' : '"," or "]"');
      open = false;
      at++;
      parent = container.end;
      container.end = at;
      container.next = entry;
      depth--;
    }
  }
}

function refused(at: usize, expected: string): i32 {
  refuse(at, expected);
  return REFUSED;
}

// @ts-ignore: decorator
@inline
export function isSpace(byte: u32): bool {
  return byte == 0x20 || byte - 9 < 2 || byte == 0x0d;
}

// @ts-ignore: decorator
@inline
export function skipSpace(at: usize): usize {
  while (<u32>load<u8>(at) <= 0x20 && isSpace(load<u8>(at))) at++;
  return at;
}

/** Whether the string that was skipped last holds a backslash. */
let stringEscaped: bool = false;
/** Where the value of the key that was skipped last begins. */
let afterKey: usize = 0;

/** `at` stands on the quote that opens a key. Answers the end of its text, or 0; `afterKey` is where the member's value begins. */
function skipKey(at: usize): usize {
  if (load<u8>(at) != 0x22) return refuse(at, 'a key in double quotes');
  const close = skipString(at + 1);
  if (close == 0) return 0;
  at = skipSpace(close + 1);
  if (load<u8>(at) != 0x3a) return refuse(at, '":"');
  afterKey = skipSpace(at + 1);
  return close;
}

/** `at` stands behind the quote that opens a string. Answers the address of the quote that closes it, or 0. */
// @ts-ignore: decorator
@inline
function skipString(at: usize): usize {
  stringEscaped = false;
  const special = firstSpecial(at);
  return load<u8>(special) == 0x22 ? special : skipUnusualString(special);
}

/** The first quote, backslash or control character: the 0 behind the text is one. */
// @ts-ignore: decorator
@inline
function firstSpecial(at: usize): usize {
  while (true) {
    const block = v128.load(at);
    const found = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(0x5c))),
        i8x16.lt_u(block, i8x16.splat(0x20)),
      ),
    );
    if (found != 0) return at + ctz(found);
    at += 16;
  }
}

function skipUnusualString(at: usize): usize {
  while (true) {
    const byte = <u32>load<u8>(at);
    if (byte == 0x22) return at;
    if (byte != 0x5c) return refuse(at, 'a character of a string, or the quote that closes it,');
    stringEscaped = true;
    const escape = <u32>load<u8>(at + 1);
    if (escape == 0x75) {
      if (hexAt(at + 2) < 0) return refuse(min(at + 2, textEnd), 'the four hexadecimal digits of "\\u"');
      at += 6;
    } else if (isSimpleEscape(escape)) at += 2;
    else return refuse(at + 1, 'one of the escapes "\\/bfnrtu');
    at = firstSpecial(at);
  }
}

/** One of `"\/bfnrt`. */
function isSimpleEscape(byte: u32): bool {
  return (
    byte == 0x22 || byte == 0x5c || byte == 0x2f || byte == 0x62 || byte == 0x66 || byte == 0x6e || byte == 0x72 || byte == 0x74
  );
}

/** The value of four hexadecimal digits, or -1. */
export function hexAt(at: usize): i32 {
  let value: i32 = 0;
  for (let i: usize = 0; i < 4; i++) {
    const byte = <u32>load<u8>(at + i);
    const letter = (byte | 0x20) - 0x61;
    if (byte - 0x30 < 10) value = (value << 4) | <i32>(byte - 0x30);
    else if (letter < 6) value = (value << 4) | <i32>(letter + 10);
    else return -1;
  }
  return value;
}

// @ts-ignore: decorator
@inline
function skipDigits(at: usize): usize {
  while (<u32>load<u8>(at) - 0x30 < 10) at++;
  return at;
}

/** `at` stands on a digit or a minus. Answers where the number ends, or 0. */
// @ts-ignore: decorator
@inline
function skipNumber(at: usize): usize {
  if (load<u8>(at) == 0x2d) at++;
  const whole = at;
  if (load<u8>(at) == 0x30) at++;
  else at = skipDigits(at);
  if (at == whole) return refuseNumber(at);
  if (load<u8>(at) == 0x2e) {
    const fraction = at + 1;
    at = skipDigits(fraction);
    if (at == fraction) return refuseNumber(at);
  }
  if ((load<u8>(at) | 0x20) != 0x65) return at;
  const sign = <u32>load<u8>(at + 1);
  const exponent = at + (sign == 0x2b || sign == 0x2d ? 2 : 1);
  at = skipDigits(exponent);
  return at == exponent ? refuseNumber(at) : at;
}

function refuseNumber(at: usize): usize {
  return refuse(at, 'a digit');
}
