import { Entry, ENTRY_BYTES, KEY_ESCAPED, KIND_MASK, Kind } from './scan';
import { sameBytes, sameEscaped } from './text';

/**
 * Where a value lies in a JSON text: keys and indexes with dots between them, such as `a.b.0`. A backslash makes the character behind it an
 * ordinary one: `a\.b` is one key. `*` stands for every member or element where paths select several values (`Json.keep`, `Json.remove`).
 *
 * Made once, outside of `onMessage`; texts are made into paths as they come, and the last ones used are kept.
 */
@final
export class Path {
  readonly text: string;
  /** Number of segments. */
  readonly count: i32;
  /** Whether it holds a `*`. */
  readonly selectsMany: bool;
  /** The segments, one behind the other: their address. */
  readonly first: usize;
  /** Keeps what `first` points into. */
  private readonly bytes: StaticArray<u8>;

  constructor(text: string) {
    this.text = text;
    const utf8 = Uint8Array.wrap(String.UTF8.encode(text));
    const bytes = new StaticArray<u8>(roomFor(utf8));
    let count = 0;
    let many = false;
    let segment = changetype<usize>(bytes);
    this.bytes = bytes;
    this.first = segment;
    for (let at = 0; at <= utf8.length; ) {
      at = readSegment(utf8, at, segment) + 1;
      many = many || segmentIndex(segment) == EVERY;
      count++;
      segment = nextSegment(segment);
    }
    this.count = count;
    this.selectsMany = many;
  }
}

// A segment: u32 length of the key, i32 index, then the key's bytes, padded so that sixteen can be read at once.
const SEGMENT_HEAD: usize = 8;
/** The index of a segment that is none. */
const NOT_AN_INDEX: i32 = -1;
/** The index of `*`. */
export const EVERY: i32 = -2;
const INDEX_DIGITS_MAX: i32 = 9;

function roomFor(utf8: Uint8Array): i32 {
  let segments = 1;
  for (let i = 0; i < utf8.length; i++) if (utf8[i] == 0x2e) segments++;
  return utf8.length + segments * (<i32>SEGMENT_HEAD + 16) + 16;
}

/** Reads the segment that begins at `at` of the path's text, and answers where it ends. */
function readSegment(utf8: Uint8Array, at: i32, segment: usize): i32 {
  const start = at;
  let to = segment + SEGMENT_HEAD;
  for (; at < utf8.length && utf8[at] != 0x2e; at++) {
    if (utf8[at] == 0x5c && at + 1 < utf8.length) at++;
    store<u8>(to++, utf8[at]);
  }
  store<u32>(segment, <u32>(to - segment - SEGMENT_HEAD));
  const every = at - start == 1 && utf8[start] == 0x2a;
  store<i32>(segment, every ? EVERY : readIndex(utf8, start, at), 4);
  return at;
}

function readIndex(utf8: Uint8Array, start: i32, end: i32): i32 {
  if (end == start || end - start > INDEX_DIGITS_MAX || (utf8[start] == 0x30 && end - start > 1)) return NOT_AN_INDEX;
  let index: i32 = 0;
  for (let i = start; i < end; i++) {
    const digit = <i32>utf8[i] - 0x30;
    if (<u32>digit > 9) return NOT_AN_INDEX;
    index = index * 10 + digit;
  }
  return index;
}

// @ts-ignore: decorator
@inline
export function segmentKey(segment: usize): usize {
  return segment + SEGMENT_HEAD;
}

// @ts-ignore: decorator
@inline
export function segmentKeyBytes(segment: usize): usize {
  return load<u32>(segment);
}

// @ts-ignore: decorator
@inline
export function segmentIndex(segment: usize): i32 {
  return load<i32>(segment, 4);
}

// @ts-ignore: decorator
@inline
export function nextSegment(segment: usize): usize {
  return segment + SEGMENT_HEAD + ((segmentKeyBytes(segment) + 15) & ~15);
}

/** Whether the member `entry` has this key. */
// @ts-ignore: decorator
@inline
export function hasKey(entry: usize, key: usize, bytes: usize): bool {
  const member = changetype<Entry>(entry);
  const start = member.keyStart;
  if ((member.info & KEY_ESCAPED) != 0) return sameEscaped(start, member.keyEnd, key, bytes);
  return member.keyEnd - start == bytes && sameBytes(start, key, bytes);
}

// @ts-ignore: decorator
@inline
export function kindOf(entry: usize): u32 {
  return changetype<Entry>(entry).info & KIND_MASK;
}

/** The member or element of a container that a segment names, or 0. Of members with the same key the last one counts, as in JSON.parse. */
export function childOf(container: usize, segment: usize): usize {
  const kind = kindOf(container);
  const end = changetype<Entry>(container).next;
  if (kind == Kind.Object) {
    const key = segmentKey(segment);
    const bytes = segmentKeyBytes(segment);
    let found: usize = 0;
    for (let at = container + ENTRY_BYTES; at != end; at = changetype<Entry>(at).next) {
      if (hasKey(at, key, bytes)) found = at;
    }
    return found;
  }
  let index = segmentIndex(segment);
  if (kind != Kind.Array || index < 0) return 0;
  for (let at = container + ENTRY_BYTES; at != end; at = changetype<Entry>(at).next) {
    if (index-- == 0) return at;
  }
  return 0;
}

/** The value that lies at `path` from the entry `from`, or 0. */
export function find(from: usize, path: Path): usize {
  let segment = path.first;
  for (let left = path.count; left > 0 && from != 0; left--) {
    from = childOf(from, segment);
    segment = nextSegment(segment);
  }
  return from;
}

const CACHE_MASK: usize = 15;
const CACHE: StaticArray<Path | null> = new StaticArray<Path | null>(16);

/** The path of a text. A literal is the same string each time, so it is looked for by its address. */
export function pathOf(text: string): Path {
  const slot = <i32>((changetype<usize>(text) >> 4) & CACHE_MASK);
  const cached = CACHE[slot];
  // The path holds its text, so another text cannot have that address.
  if (cached !== null && changetype<usize>(cached.text) == changetype<usize>(text)) return cached;
  const path = new Path(text);
  CACHE[slot] = path;
  return path;
}
