// Several values of a text at once: those that paths select are kept, or left out.
import { commit, draft } from './document';
import { Buffer } from './memory';
import { childOf, EVERY, hasKey, kindOf, nextSegment, Path, segmentIndex, segmentKey, segmentKeyBytes } from './path';
import { Entry, ENTRY_BYTES, Kind, MARKED, root } from './scan';

/** Something within this value is marked. */
const PARTIAL: u32 = 0x800;

/** Keeps only what the paths select, in the order of the text. */
export function keepSelected(paths: Path[]): void {
  for (let i = 0; i < paths.length; i++) mark(root(), paths[i].first, paths[i].count, false);
  const buffer = draft();
  writeKept(buffer, root());
  commit(buffer);
}

/** Leaves out what the paths select. */
export function removeSelected(paths: Path[]): void {
  let any = false;
  for (let i = 0; i < paths.length; i++) any = mark(root(), paths[i].first, paths[i].count, true) || any;
  if (!any) return;
  const buffer = draft();
  writeRest(buffer, root());
  commit(buffer);
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
    for (let at = from + ENTRY_BYTES; at != entry.next; at = changetype<Entry>(at).next) {
      const meant = every || hasKey(at, segmentKey(segment), segmentKeyBytes(segment));
      if (meant && mark(at, rest, left - 1, all)) any = true;
    }
  } else {
    const child = childOf(from, segment);
    any = child != 0 && mark(child, rest, left - 1, all);
  }
  if (any) entry.info |= PARTIAL;
  return any;
}

function writeKept(buffer: Buffer, from: usize): void {
  const entry = changetype<Entry>(from);
  if ((entry.info & MARKED) != 0) buffer.append(entry.start, entry.end - entry.start);
  else writeChildren(buffer, from, true);
}

function writeRest(buffer: Buffer, from: usize): void {
  const entry = changetype<Entry>(from);
  if ((entry.info & PARTIAL) == 0) buffer.append(entry.start, entry.end - entry.start);
  else writeChildren(buffer, from, false);
}

function writeChildren(buffer: Buffer, from: usize, keep: bool): void {
  const isObject = kindOf(from) == Kind.Object;
  const end = changetype<Entry>(from).next;
  let first = true;
  buffer.appendByte(isObject ? 0x7b : 0x5b);
  for (let at = from + ENTRY_BYTES; at != end; at = changetype<Entry>(at).next) {
    const child = changetype<Entry>(at);
    const marked = (child.info & MARKED) != 0;
    if (keep ? !marked && (child.info & PARTIAL) == 0 : marked) continue;
    if (!first) buffer.appendByte(0x2c);
    first = false;
    if (isObject) {
      buffer.appendByte(0x22);
      buffer.append(child.keyStart, child.keyEnd - child.keyStart);
      buffer.appendByte(0x22);
      buffer.appendByte(0x3a);
    }
    if (keep) writeKept(buffer, at);
    else writeRest(buffer, at);
  }
  buffer.appendByte(isObject ? 0x7d : 0x5d);
}
