// Reads a JSON text once, strictly, and notes on the tape where each value lies. Nothing is decoded and nothing is allocated per value.
import { Expected, nearQuote, problemPlace, refuse, skipNumber, skipSpace, skipString, wasEscaped, whatWasExpected } from './lexer';
import { ENTRY_BYTES, Entry, ESCAPED, KEY_ESCAPED, Kind, kindOf, lengthenTape, root, tapeEnd, VALUES_MAX } from './tape';

/** Containers within containers. */
export const DEPTH_MAX: u32 = 512;

// Words of four bytes, as they are loaded.
const TRUE: u32 = 0x65757274;
const NULL: u32 = 0x6c6c756e;
const FALS: u32 = 0x736c6166;

const DONE: i32 = 0;
const REFUSED: i32 = 1;
const FULL: i32 = 2;

let textStart: usize = 0;
let textEnd: usize = 0;

/** Scans the text in `[start, end)`; behind it lie PADDING bytes that may be overwritten. False when it is not JSON: `problemText` says why. */
export function scan(start: usize, end: usize): bool {
  textStart = start;
  textEnd = end;
  store<u8>(end, 0);
  let result = scanOnto();
  while (result == FULL) result = lengthenTape() ? scanOnto() : refused(start, Expected.LessValues);
  return result == DONE;
}

/** Why the last text was refused, for people. */
export function problemText(): string {
  const what = whatWasExpected();
  if (what == Expected.LessValues) return `it has more than ${VALUES_MAX} values`;
  if (what == Expected.LessDepth) return `it is nested deeper than ${DEPTH_MAX}`;
  const at = problemPlace();
  const place = `at byte ${at - textStart} where ${nameOf(what)} was expected`;
  if (at >= textEnd) return `it ends ${place}`;
  const byte = <i32>load<u8>(at);
  const isPrintable = byte > 0x20 && byte < 0x7f;
  return `it has ${isPrintable ? `"${String.fromCharCode(byte)}"` : `the byte 0x${byte.toString(16)}`} ${place}`;
}

function nameOf(what: Expected): string {
  switch (what) {
    case Expected.End:
      return 'the end';
    case Expected.Key:
      return 'a key in double quotes';
    case Expected.Colon:
      return '":"';
    case Expected.NextMember:
      return '"," or "}"';
    case Expected.NextElement:
      return '"," or "]"';
    case Expected.Character:
      return 'a character or the end of a string';
    case Expected.Escape:
      return 'an escape';
    case Expected.HexDigit:
      return 'a hexadecimal digit';
    case Expected.Digit:
      return 'a digit';
    default:
      return 'a value';
  }
}

function refused(at: usize, what: Expected): i32 {
  refuse(at, what);
  return REFUSED;
}

/**
 * Fills the tape. One pass of the loop is one value with the key before it and what stands behind it: functions called per value would cost
 * more than the work they do.
 */
function scanOnto(): i32 {
  const limit = tapeEnd();
  let entry = root();
  /** The innermost container that is open, 0 outside of all. */
  let parent: usize = 0;
  let depth: u32 = 0;
  let inObject = false;
  let at = skipSpace(textStart);
  while (true) {
    if (entry == limit) return FULL;
    const value = changetype<Entry>(entry);
    entry += ENTRY_BYTES;
    let info: u32 = 0;
    if (inObject) {
      if (load<u8>(at) != 0x22) return refused(at, Expected.Key);
      value.keyStart = ++at;
      let close = nearQuote(at);
      if (close == 0) {
        close = skipString(at);
        if (close == 0) return REFUSED;
        if (wasEscaped()) info = KEY_ESCAPED;
      }
      value.keyEnd = close;
      at = skipSpace(close + 1);
      if (load<u8>(at) != 0x3a) return refused(at, Expected.Colon);
      at = skipSpace(at + 1);
    } else {
      value.keyStart = 0;
      value.keyEnd = 0;
    }
    value.start = at;
    const first = <u32>load<u8>(at);
    if (first == 0x22) {
      let close = nearQuote(++at);
      if (close == 0) {
        close = skipString(at);
        if (close == 0) return REFUSED;
        if (wasEscaped()) info |= ESCAPED;
      }
      info |= <u32>Kind.String;
      at = close + 1;
    } else if (first - 0x30 < 10 || first == 0x2d) {
      at = skipNumber(at);
      if (at == 0) return REFUSED;
      info |= <u32>Kind.Number;
    } else if ((first | 0x20) == 0x7b) {
      // A bracket, square or curly: they differ in one bit.
      if (++depth > DEPTH_MAX) return refused(at, Expected.LessDepth);
      inObject = first == 0x7b;
      value.info = info | <u32>(inObject ? Kind.Object : Kind.Array);
      value.end = parent;
      parent = changetype<usize>(value);
      at = skipSpace(at + 1);
      if (<u32>load<u8>(at) != first + 2) continue;
    } else {
      const word = load<u32>(at);
      if (word == TRUE) info |= <u32>Kind.Boolean;
      else if (word == NULL) info |= <u32>Kind.Null;
      else if (word == FALS && load<u8>(at + 4) == 0x65) {
        info |= <u32>Kind.Boolean;
        at++;
      } else return refused(at, Expected.Value);
      at += 4;
    }
    if (parent != changetype<usize>(value)) {
      value.info = info;
      value.end = at;
      value.next = entry;
      at = skipSpace(at);
      if (load<u8>(at) == 0x2c && parent != 0) {
        at = skipSpace(at + 1);
        continue;
      }
    }
    // The containers that end here.
    while (parent != 0 && load<u8>(at) == (inObject ? 0x7d : 0x5d)) {
      const container = changetype<Entry>(parent);
      parent = container.end;
      container.end = ++at;
      container.next = entry;
      depth--;
      inObject = parent != 0 && kindOf(parent) == Kind.Object;
      at = skipSpace(at);
    }
    if (parent == 0) return at == textEnd ? DONE : refused(at, Expected.End);
    if (load<u8>(at) != 0x2c) return refused(at, inObject ? Expected.NextMember : Expected.NextElement);
    at = skipSpace(at + 1);
  }
}
