// The JSON text of the current message (or of the configuration): scanned when it is first asked for. An edit makes a new text out of the old.
import { Buffer } from './memory';
import { forgetLookUp, Path } from './path';
import { forgetPeeks, peekMember } from './peek';
import { problemText, scan } from './scan';

const UNSCANNED: i32 = 0;
const VALID: i32 = 1;
const INVALID: i32 = 2;

let start: usize = 0;
let end: usize = 0;
let state: i32 = UNSCANNED;
let changed: bool = false;

/** The text after edits; two, because one is made out of the other. */
const TEXT: Buffer = new Buffer();
const OTHER_TEXT: Buffer = new Buffer();
let inOther: bool = false;

/** A new text. Behind it must lie PADDING bytes. */
// @ts-ignore: decorator
@inline
export function setText(from: usize, to: usize): void {
  start = from;
  end = to;
  rescan();
  changed = false;
}

/** Whether the text differs from the one that `setText` gave. */
// @ts-ignore: decorator
@inline
export function isChanged(): bool {
  return changed;
}

/** Scans the text if that was not done yet. False when it is not valid JSON. */
// @ts-ignore: decorator
@inline
export function ready(): bool {
  if (state == UNSCANNED) state = scan(start, end) ? VALID : INVALID;
  return state == VALID;
}

/** Where the value at a path begins when it can be found without a scan, else 0; `NO_MEMBER` when there is none. */
// @ts-ignore: decorator
@inline
export function peekAt(path: Path): usize {
  return state == UNSCANNED && path.isSearchable ? peekMember(start, end, path.first) : 0;
}

// @ts-ignore: decorator
@inline
export function isScanned(): bool {
  return state != UNSCANNED;
}

/** For whoever leaves marks on the tape: the text is scanned anew when it is next asked for. */
// @ts-ignore: decorator
@inline
export function rescan(): void {
  state = UNSCANNED;
  forgetLookUp();
  forgetPeeks();
}

/** Why `ready` is false. */
export function problem(): string {
  return ready() ? '' : problemText();
}

/** The text's address and length. */
// @ts-ignore: decorator
@inline
export function currentStart(): usize {
  return start;
}

// @ts-ignore: decorator
@inline
export function currentBytes(): usize {
  return end - start;
}

/** Begins a new text; what is appended to the answer becomes the text with `commit`. */
export function draft(): Buffer {
  inOther = !inOther;
  const buffer = inOther ? OTHER_TEXT : TEXT;
  buffer.length = 0;
  return buffer;
}

/** Makes a draft the text. */
export function commit(buffer: Buffer): void {
  // Also room for the padding of an empty text.
  start = buffer.room(0);
  start = buffer.start;
  end = start + buffer.length;
  rescan();
  changed = true;
}

/** Replaces the bytes `[from, to)` of the text by others, with a comma before them if there is to be one. */
export function splice(from: usize, to: usize, text: usize, bytes: usize, comma: bool): void {
  const buffer = draft();
  buffer.room(end - start + bytes + 1);
  buffer.append(start, from - start);
  if (comma) buffer.appendByte(0x2c);
  buffer.append(text, bytes);
  buffer.append(to, end - to);
  commit(buffer);
}
