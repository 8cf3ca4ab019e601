// Where each value of a JSON text lies: a row of entries, one for each value, in the order of the text.
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
/** Something within this value is marked. */
export const PARTIAL: u32 = 0x800;
/** No member behind this one has the same key. */
export const LAST: u32 = 0x1000;

/** One entry. Addresses are absolute. */
@unmanaged
export class Entry {
  /** The value's text, a string with its quotes. */
  start: usize;
  /** While a container is open: the container around it, 0 outside of all. */
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
const ENTRIES_FIRST: usize = 256;

let tape: usize = 0;
let entries: usize = 0;

/** The first entry of the text that was scanned last. */
// @ts-ignore: decorator
@inline
export function root(): usize {
  return tape;
}

/** The end of the entries that there are. */
// @ts-ignore: decorator
@inline
export function tapeEnd(): usize {
  return tape + entries * ENTRY_BYTES;
}

/** Makes the tape longer; what is on it is lost. False when it has all the entries it may have. */
export function lengthenTape(): bool {
  if (entries == VALUES_MAX) return false;
  if (tape != 0) heap.free(tape);
  entries = entries == 0 ? ENTRIES_FIRST : entries * 4;
  tape = heap.alloc(entries * ENTRY_BYTES);
  return true;
}

// @ts-ignore: decorator
@inline
export function kindOf(entry: usize): u32 {
  return changetype<Entry>(entry).info & KIND_MASK;
}
