// Looks a member up in a JSON text without reading the text from end to end: its key is searched for by its bytes, 32 at a time. That finds the right
// place only in a text like those that devices send, one object without anything nested in it and without escapes; `peekMember` tells by the
// way whether the text is like that, and leaves all others to the scan.
//
//   {"id":"s-42","temperature":23.5,"ok":true}
//                ^^^ the quote and the first two bytes of the key, in all places at once; then the rest of the key, the colon, the value
import { nearQuote, skipNumber, skipSpace } from './lexer';
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
 * The member of the text `[start, end)` that a searchable path names by its only segment, or `NO_MEMBER`; 0 when only a scan can tell. Behind the text lie PADDING bytes that may be
 * overwritten. For valid JSON the answer is that of a scan. Of what is not JSON some is noticed: a text that was cut off anywhere, and a value that is
 * none. Of members with the same key the last one counts.
 */
// @ts-ignore: decorator
@inline
export function peekMember(start: usize, end: usize, segment: usize): usize {
  if (peeks == PEEKS_MAX) return 0;
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
  let value: usize = 0;
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
      const behind = lastMember(at, i8x16.bitmask(inOne) | (i8x16.bitmask(inOther) << 16), segment);
      if (behind != 0) value = behind;
    }
    at += 32;
  } while (at < end);
  if (v128.any_true(unusual) || (popcnt(i8x16.bitmask(quotes)) & 1) != 0 || lastByte(end) != 0x7d) return 0;
  isRegular = true;
  return value == 0 ? NO_MEMBER : entryOf(value);
}

/** The same in a text that was found to be one of those: there is only the key to look for. */
function peekAgain(start: usize, end: usize, segment: usize): usize {
  const key = segmentKey(segment);
  const first = i8x16.splat(load<u8>(key));
  const second = i8x16.splat(load<u8>(key, 1));
  const quote = i8x16.splat(0x22);
  let value: usize = 0;
  for (let at = start; at < end; at += 32) {
    const inOne = placesOf(at, quote, first, second);
    const inOther = placesOf(at + 16, quote, first, second);
    if (v128.any_true(v128.or(inOne, inOther))) {
      const behind = lastMember(at, i8x16.bitmask(inOne) | (i8x16.bitmask(inOther) << 16), segment);
      if (behind != 0) value = behind;
    }
  }
  return value == 0 ? NO_MEMBER : entryOf(value);
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

function lastByte(end: usize): u32 {
  while (load<u8>(--end) <= 0x20) {}
  return load<u8>(end);
}

/** The number or string that begins at `at`, or 0. */
// @ts-ignore: decorator
@inline
function entryOf(at: usize): usize {
  const first = <u32>load<u8>(at);
  const isString = first == 0x22;
  if (!isString && first - 0x30 >= 10 && first != 0x2d) return 0;
  const last = isString ? nearQuote(at + 1) : skipNumber(at);
  if (last == 0) return 0;
  const end = isString ? last + 1 : last;
  const behind = load<u8>(skipSpace(end));
  if (behind != 0x2c && behind != 0x7d) return 0;
  const entry = changetype<Entry>(PEEKED + <usize>peeks * ENTRY_BYTES);
  peeks++;
  entry.start = at;
  entry.end = end;
  entry.info = <u32>(isString ? Kind.String : Kind.Number);
  return changetype<usize>(entry);
}
