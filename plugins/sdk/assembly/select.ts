// Several values of a text at once: those that paths select are kept, or left out.
import { commit, draft } from './document';
import { markLast } from './last';
import { Buffer } from './memory';
import { childOf, EVERY, hasKey, nextSegment, Path, segmentIndex, segmentKey, segmentKeyBytes } from './path';
import { ENTRY_BYTES, Entry, Kind, kindOf, LAST, MARKED, PARTIAL, root } from './tape';

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
