// Several values of a text at once: those that paths select are kept, or left out.
import { commit, draft, rescan } from './document';
import { applyEdits, beginEdits, newText, noteEdit } from './edits';
import { markLast } from './last';
import { Buffer } from './memory';
import { childOf, EVERY, hasKey, nextSegment, Path, segmentIndex, segmentKey, segmentKeyBytes } from './path';
import { ENTRY_BYTES, Entry, Kind, kindOf, LAST, MARKED, PARTIAL, root } from './tape';
import { appendJsonBytes } from './text';
import { Value } from './value';

const MASKED: Buffer = new Buffer();

/** Keeps only what the paths select, in the order of the text. False for a text that is neither an object nor an array: it stays as it is. */
export function keepSelected(paths: Path[]): bool {
  if (kindOf(root()) < <u32>Kind.Array) return false;
  for (let i = 0; i < paths.length; i++) mark(root(), paths[i].first, paths[i].count, false);
  return write(true);
}

/** Leaves out what the paths select; false when there is nothing of it. */
export function removeSelected(paths: Path[]): bool {
  let any = false;
  for (let i = 0; i < paths.length; i++) any = mark(root(), paths[i].first, paths[i].count, true) || any;
  return any && write(false);
}

/** Puts a text in the place of what the paths select; false when there is nothing of it. `keepLast` characters of a string or number stay behind it. */
export function maskSelected(paths: Path[], mask: Buffer, keepLast: i32): bool {
  let any = false;
  for (let i = 0; i < paths.length; i++) any = mark(root(), paths[i].first, paths[i].count, true) || any;
  if (!any) return false;
  beginEdits();
  const end = changetype<Entry>(root()).next;
  for (let at = root(); at != end; ) {
    const entry = changetype<Entry>(at);
    if ((entry.info & MARKED) == 0) {
      at += ENTRY_BYTES;
      continue;
    }
    appendMasked(newText(), at, mask, keepLast);
    noteEdit(entry.start, entry.end);
    at = entry.next;
  }
  return applyEdits();
}

/** What stays of a value: nothing, or its last characters when there are at least as many before them. */
function appendMasked(to: Buffer, at: usize, mask: Buffer, keepLast: i32): void {
  const entry = changetype<Entry>(at);
  const kind = kindOf(at);
  MASKED.length = 0;
  MASKED.append(mask.start, mask.length);
  if (keepLast > 0 && (kind == Kind.String || kind == Kind.Number)) {
    const start = changetype<Value>(at).plain;
    const bytes = changetype<Value>(at).plainBytes;
    const last = lastCharacters(start, bytes, keepLast);
    if (last != 0) MASKED.append(last, start + bytes - last);
  }
  appendJsonBytes(to, MASKED.start, MASKED.length);
}

/** Where the last characters of a text begin; 0 unless it has twice as many. */
function lastCharacters(start: usize, bytes: usize, count: i32): usize {
  let at = start + bytes;
  let last: usize = 0;
  for (let left = count * 2; left > 0; left--) {
    if (at == start) return 0;
    do at--;
    while (at > start && (load<u8>(at) & 0xc0) == 0x80);
    if (left == count + 1) last = at;
  }
  return last;
}

/**
 * Gives the members that a path selects another key. Answers how many; -1 when an object has that key already, or would get it twice by a `*`: then nothing is
 * changed.
 */
export function renameSelected(path: Path, key: Path): i32 {
  if (!mark(root(), path.first, path.count, true)) return 0;
  beginEdits();
  const count = renameIn(root(), key.first, path.count, segmentIndex(path.last) == EVERY);
  if (count > 0) applyEdits();
  else rescan();
  return count;
}

function renameIn(from: usize, key: usize, left: i32, isEvery: bool): i32 {
  const container = changetype<Entry>(from);
  let count = 0;
  for (let at = from + ENTRY_BYTES; at != container.next; at = changetype<Entry>(at).next) {
    const entry = changetype<Entry>(at);
    if (left == 1 && (entry.info & MARKED) != 0 && entry.keyStart != 0) {
      // A `*` may select what has the new key already.
      if (hasKey(at, segmentKey(key), segmentKeyBytes(key))) continue;
      // Without it, they are of one key, which the object had twice before.
      if (childOf(from, key) != 0 || (isEvery && count > 0)) return -1;
      appendJsonBytes(newText(), segmentKey(key), segmentKeyBytes(key));
      noteEdit(entry.keyStart - 1, entry.keyEnd + 1);
      count++;
    } else if ((entry.info & PARTIAL) != 0) {
      const inner = renameIn(at, key, left - 1, isEvery);
      if (inner < 0) return -1;
      count += inner;
    }
  }
  return count;
}

function write(keep: bool): bool {
  const buffer = draft();
  writePart(buffer, root(), keep);
  commit(buffer);
  return true;
}

/**
 * Marks what lies at a path from `from`. Of members with the same key, `all` or only the last one: what is to be removed must not come back from
 * behind a second key of that name.
 */
function mark(from: usize, segment: usize, left: i32, all: bool): bool {
  const entry = changetype<Entry>(from);
  if (left == 0) {
    entry.info |= MARKED;
    return true;
  }
  const kind = kindOf(from);
  if (kind != Kind.Object && kind != Kind.Array) return false;
  let any = false;
  const rest = nextSegment(segment);
  const every = segmentIndex(segment) == EVERY;
  if (every || (all && kind == Kind.Object)) {
    const lastOnly = !all && kind == Kind.Object;
    if (lastOnly) markLast(from);
    for (let at = from + ENTRY_BYTES; at != entry.next; at = changetype<Entry>(at).next) {
      const meant = every
        ? !lastOnly || (changetype<Entry>(at).info & LAST) != 0
        : hasKey(at, segmentKey(segment), segmentKeyBytes(segment));
      if (meant && mark(at, rest, left - 1, all)) any = true;
    }
  } else {
    const child = childOf(from, segment);
    any = child != 0 && mark(child, rest, left - 1, all);
  }
  if (any) entry.info |= PARTIAL;
  return any;
}

/** What becomes of a member or element. */
enum Fate {
  Gone,
  /** Its text stays as it is. */
  Whole,
  /** Some of what is in it stays. */
  Part,
}

// @ts-ignore: decorator
@inline
function fateOf(info: u32, keep: bool): Fate {
  if ((info & MARKED) != 0) return keep ? Fate.Whole : Fate.Gone;
  if ((info & PARTIAL) != 0) return Fate.Part;
  return keep ? Fate.Gone : Fate.Whole;
}

/** Writes what stays of a container. Neighbours that stay whole are copied together, with what is between them. */
function writePart(buffer: Buffer, from: usize, keep: bool): void {
  const isObject = kindOf(from) == Kind.Object;
  const container = changetype<Entry>(from);
  let first = true;
  let runStart: usize = 0;
  let runEnd: usize = 0;
  buffer.appendByte(isObject ? 0x7b : 0x5b);
  for (let at = from + ENTRY_BYTES; at != container.next; at = changetype<Entry>(at).next) {
    const child = changetype<Entry>(at);
    const fate = fateOf(child.info, keep);
    const start = isObject ? child.keyStart - 1 : child.start;
    if (fate == Fate.Whole) {
      if (runStart == 0) runStart = start;
      runEnd = child.end;
      continue;
    }
    first = endRun(buffer, runStart, runEnd, first);
    runStart = 0;
    if (fate == Fate.Gone) continue;
    // With the key and the colon.
    first = endRun(buffer, start, child.start, first);
    writePart(buffer, at, keep);
  }
  endRun(buffer, runStart, runEnd, first);
  buffer.appendByte(isObject ? 0x7d : 0x5d);
}

/** Writes a run, if there is one; answers whether nothing was written yet. */
function endRun(buffer: Buffer, start: usize, end: usize, first: bool): bool {
  if (start == 0) return first;
  if (!first) buffer.appendByte(0x2c);
  buffer.append(start, end - start);
  return false;
}
