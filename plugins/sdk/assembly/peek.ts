// Looks a member up in a JSON text without reading the text from end to end: its key is searched for by its bytes, 32 at a time. That finds the right
// place only in a text like those that devices send, one object without anything nested in it and without escapes; `peekMember` tells by the
// way whether the text is like that, and leaves all others to the scan.
//
//   {"id":"s-42","temperature":23.5,"ok":true}
//                ^^^ the quote and the first two bytes of the key, in all places at once; then the rest of the key, the colon, the value
import { nearQuote, skipNumber, skipSpace } from './lexer';
import { parseNumber, readShort } from './number';
import { segmentKey, segmentKeyBytes } from './path';
import { ENTRY_BYTES, Entry, Kind } from './tape';
import { sameBytes } from './text';

/** Values of one text that can be looked up so; further ones have it scanned. */
const PEEKS_MAX: i32 = 16;
const PEEKED: usize = memory.data(16 * 8 * sizeof<usize>(), 8);

let peeks: i32 = 0;
/** Whether the text was found to be one of those. */
let isRegular: bool = false;

/** What `peekMember` answers when there is no such member. */
export const NO_MEMBER: usize = 1;

/** For whoever changes the text: values that were found before are void. */
// @ts-ignore: decorator
@inline
export function forgetPeeks(): void {
  peeks = 0;
  isRegular = false;
}

/**
 * Where further members go in the text `[start, end)`, which is not scanned; 0 when only a scan can tell. `isEmptyBefore` tells whether there are
 * any before them.
 */
export function peekEnd(end: usize): usize {
  if (!isRegular) return 0;
  while (load<u8>(--end) != 0x7d) {}
  return end;
}

/** Whether the object that ends at `end` has no members. */
export function isEmptyBefore(end: usize): bool {
  while (load<u8>(--end) <= 0x20) {}
  return load<u8>(end) == 0x7b;
}

/**
 * Where the value begins of the member of the text `[start, end)` that a searchable path names by its only segment, or `NO_MEMBER`; 0 when only a scan can tell. Behind
 * the text lie PADDING bytes that may be overwritten. For valid JSON the answer is that of a scan. Of what is not JSON some is noticed: a text that was cut
 * off anywhere. Of members with the same key the last one counts.
 */
// @ts-ignore: decorator
@inline
export function peekMember(start: usize, end: usize, segment: usize): usize {
  if (isRegular) return peekAgain(start, end, segment);
  // Zeros are none of the bytes that are looked for.
  v128.store(end, i8x16.splat(0));
  v128.store(end, i8x16.splat(0), 16);
  start = skipSpace(start);
  if (load<u8>(start) != 0x7b) return 0;
  const key = segmentKey(segment);
  const first = i8x16.splat(load<u8>(key));
  const second = i8x16.splat(load<u8>(key, 1));
  const quote = i8x16.splat(0x22);
  /** A bit changes with each quote: in the end their number is odd or even. */
  let quotes = i8x16.splat(0);
  /** Whether anything is escaped or nested. */
  let unusual = i8x16.splat(0);
  // The last block with a place that may be the key's, and how many there are. They are not looked into before the end: a loop that calls nothing keeps
  // all it needs in registers.
  let found: usize = 0;
  let count: i32 = 0;
  let at = start + 1;
  do {
    const one = v128.load(at);
    const other = v128.load(at, 16);
    const oneQuotes = i8x16.eq(one, quote);
    const otherQuotes = i8x16.eq(other, quote);
    quotes = v128.xor(quotes, v128.xor(oneQuotes, otherQuotes));
    unusual = v128.or(unusual, v128.or(unusualBytes(one), unusualBytes(other)));
    const inOne = v128.and(oneQuotes, v128.and(i8x16.eq(v128.load(at, 1), first), i8x16.eq(v128.load(at, 2), second)));
    const inOther = v128.and(otherQuotes, v128.and(i8x16.eq(v128.load(at, 17), first), i8x16.eq(v128.load(at, 18), second)));
    if (v128.any_true(v128.or(inOne, inOther))) {
      found = at;
      count++;
    }
    at += 32;
  } while (at < end);
  if (v128.any_true(unusual) || (popcnt(i8x16.bitmask(quotes)) & 1) != 0 || !endsWithBracket(end)) return 0;
  isRegular = true;
  if (count == 0) return NO_MEMBER;
  const value = lastMember(found, placesIn(found, quote, first, second), segment);
  if (value != 0) return value;
  return count == 1 ? NO_MEMBER : peekAgain(start, found, segment);
}

/** The same in a text that was found to be one of those: there is only the key to look for. */
function peekAgain(start: usize, end: usize, segment: usize): usize {
  const key = segmentKey(segment);
  const first = i8x16.splat(load<u8>(key));
  const second = i8x16.splat(load<u8>(key, 1));
  const quote = i8x16.splat(0x22);
  let value: usize = NO_MEMBER;
  for (let at = start; at < end; at += 32) {
    const places = placesIn(at, quote, first, second);
    if (places != 0) {
      const behind = lastMember(at, places, segment);
      if (behind != 0) value = behind;
    }
  }
  return value;
}

/** A bit for each of 32 bytes that a place which may be the key's begins with. */
// @ts-ignore: decorator
@inline
function placesIn(at: usize, quote: v128, first: v128, second: v128): i32 {
  return i8x16.bitmask(placesOf(at, quote, first, second)) | (i8x16.bitmask(placesOf(at + 16, quote, first, second)) << 16);
}

/** Where a quote and two characters stand one behind the other. */
// @ts-ignore: decorator
@inline
function placesOf(at: usize, quote: v128, first: v128, second: v128): v128 {
  return v128.and(
    i8x16.eq(v128.load(at), quote),
    v128.and(i8x16.eq(v128.load(at, 1), first), i8x16.eq(v128.load(at, 2), second)),
  );
}

/** Backslashes and opening brackets, square or curly: they differ in one bit. */
// @ts-ignore: decorator
@inline
function unusualBytes(block: v128): v128 {
  const brackets = i8x16.eq(v128.or(block, i8x16.splat(0x20)), i8x16.splat(0x7b));
  return v128.or(brackets, i8x16.eq(block, i8x16.splat(0x5c)));
}

/** Where the value of the last member with the key begins, of those that `places` tells of; 0 when there is none. */
function lastMember(at: usize, places: i32, segment: usize): usize {
  const key = segmentKey(segment);
  const bytes = segmentKeyBytes(segment);
  let value: usize = 0;
  do {
    const quote = at + ctz(places);
    // With the quote behind the key.
    if (sameBytes(quote + 1, key, bytes + 1)) {
      const colon = skipSpace(quote + bytes + 2);
      // Else it is a string that says the same as the key.
      if (load<u8>(colon) == 0x3a) value = skipSpace(colon + 1);
    }
    places &= places - 1;
  } while (places != 0);
  return value;
}

// @ts-ignore: decorator
@inline
function endsWithBracket(end: usize): bool {
  return load<u8>(end - 1) == 0x7d || lastByte(end) == 0x7d;
}

function lastByte(end: usize): u32 {
  while (load<u8>(--end) <= 0x20) {}
  return load<u8>(end);
}

/** The entry of the number or string that begins at `at`, or 0. */
// @ts-ignore: decorator
@inline
export function entryOf(at: usize): usize {
  if (peeks == PEEKS_MAX) return 0;
  const first = <u32>load<u8>(at);
  const isString = first == 0x22;
  if (!isString && !beginsNumber(first)) return 0;
  const last = isString ? nearQuote(at + 1) : skipNumber(at);
  if (last == 0) return 0;
  const end = isString ? last + 1 : last;
  if (!endsMember(end)) return 0;
  const entry = changetype<Entry>(PEEKED + <usize>peeks * ENTRY_BYTES);
  peeks++;
  entry.start = at;
  entry.end = end;
  entry.info = <u32>(isString ? Kind.String : Kind.Number);
  return changetype<usize>(entry);
}

/** The number that begins at `at`; NaN when there is none. */
// @ts-ignore: decorator
@inline
export function numberOf(at: usize): f64 {
  const value = readShort(at);
  return isNaN(value) ? longNumberOf(at) : value;
}

function longNumberOf(at: usize): f64 {
  if (!beginsNumber(load<u8>(at))) return NaN;
  const end = skipNumber(at);
  return end != 0 && endsMember(end) ? parseNumber(at, end) : NaN;
}

// @ts-ignore: decorator
@inline
function beginsNumber(byte: u32): bool {
  return byte - 0x30 < 10 || byte == 0x2d;
}

// @ts-ignore: decorator
@inline
function endsMember(end: usize): bool {
  const behind = load<u8>(skipSpace(end));
  return behind == 0x2c || behind == 0x7d;
}
