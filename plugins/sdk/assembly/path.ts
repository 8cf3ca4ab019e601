import { ENTRY_BYTES, Entry, KEY_ESCAPED, Kind, kindOf, root } from './tape';
import { sameBytes, sameEscaped } from './text';

/**
 * Where a value lies in a JSON text: keys and indexes with dots between them, such as `a.b.0`. A backslash makes the character behind it an
 * ordinary one: `a\.b` is one key. `*` stands for every member or element where paths select several values (`Json.keep`, `Json.remove`).
 *
 * Made once, outside of `onMessage`, and never freed; texts are made into paths as they come, and the last ones used are kept.
 */
@unmanaged
export class Path {
  /** Number of segments. */
  readonly count: i32;
  /** Whether it holds a `*`. */
  readonly selectsMany: bool;
  /** Whether it is one key that can be searched for by its bytes. */
  readonly isSearchable: bool;
  /** The segments, one behind the other: their address. */
  readonly first: usize;
  /** The path's own text lies behind them. */
  private readonly textStart: usize;
  private readonly textBytes: usize;

  constructor(text: string) {
    const utf8 = Uint8Array.wrap(String.UTF8.encode(text));
    const room = roomFor(utf8);
    const block = heap.alloc(room + utf8.length);
    let count = 0;
    let many = false;
    let segment = block;
    for (let at = 0; at <= utf8.length; ) {
      at = readSegment(utf8, at, segment) + 1;
      many = many || segmentIndex(segment) == EVERY;
      count++;
      segment = nextSegment(segment);
    }
    memory.copy(block + room, utf8.dataStart, utf8.length);
    this.first = block;
    this.count = count;
    this.selectsMany = many;
    this.isSearchable = count == 1 && isSearchable(block);
    this.textStart = block + room;
    this.textBytes = utf8.length;
  }

  get text(): string {
    return String.UTF8.decodeUnsafe(this.textStart, this.textBytes);
  }

  /** Its last segment, as a key. */
  get lastKey(): string {
    const segment = this.last;
    return String.UTF8.decodeUnsafe(segmentKey(segment), segmentKeyBytes(segment));
  }

  /** The address of that segment. */
  get last(): usize {
    let segment = this.first;
    for (let i = 1; i < this.count; i++) segment = nextSegment(segment);
    return segment;
  }

  /** For paths that nobody else holds. */
  free(): void {
    forgetLookUp();
    heap.free(this.first);
    heap.free(changetype<usize>(this));
  }
}

// A segment: u32 length of the key, i32 index, then the key's bytes, a quote, and so much padding that sixteen can be read at once.
const SEGMENT_HEAD: usize = 8;
/** The index of a segment that is none. */
const NOT_AN_INDEX: i32 = -1;
/** The index of `*`. */
export const EVERY: i32 = -2;
const INDEX_DIGITS_MAX: i32 = 9;

function roomFor(utf8: Uint8Array): usize {
  let segments: usize = 1;
  for (let i = 0; i < utf8.length; i++) if (utf8[i] == 0x2e) segments++;
  return utf8.length + segments * (SEGMENT_HEAD + 16) + 16;
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
  store<u8>(to, 0x22);
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
  return segment + SEGMENT_HEAD + ((segmentKeyBytes(segment) + 16) & ~15);
}

/**
 * Whether the key, between two quotes, is found in a JSON text by its bytes: not when it may be spelled with escapes only, nor when its first byte may
 * stand behind a string, whose closing quote would then be taken for the key's opening one.
 */
function isSearchable(segment: usize): bool {
  const key = segmentKey(segment);
  const first = <u32>load<u8>(key);
  if (first == 0x2c || first == 0x3a || first == 0x7d) return false;
  for (let at = key, end = key + segmentKeyBytes(segment); at < end; at++) {
    const byte = load<u8>(at);
    if (byte <= 0x20 || byte == 0x22 || byte == 0x5c) return false;
  }
  return segmentKeyBytes(segment) > 0;
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

// The last look-up: a plugin asks what kind a value is, then for the value, then changes it.
let lastPath: usize = 0;
let lastEntry: usize = 0;

/** For whoever changes the text. */
// @ts-ignore: decorator
@inline
export function forgetLookUp(): void {
  lastPath = 0;
}

/** The value that lies at `path` in the text on the tape, or 0. */
// @ts-ignore: decorator
@inline
export function find(path: Path): usize {
  return changetype<usize>(path) == lastPath ? lastEntry : lookUp(path);
}

function lookUp(path: Path): usize {
  let entry = root();
  let segment = path.first;
  for (let left = path.count; left > 0 && entry != 0; left--) {
    entry = childOf(entry, segment);
    segment = nextSegment(segment);
  }
  lastPath = changetype<usize>(path);
  lastEntry = entry;
  return entry;
}

const CACHE_MASK: usize = 15;
const CACHED_TEXTS: StaticArray<string> = StaticArray.fromArray(['', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '']);
const CACHED_PATHS: usize = memory.data(16 * sizeof<usize>(), 8);

/** The path of a text. A literal is the same string each time, so it is looked for by its address. */
export function pathOf(text: string): Path {
  const slot = (changetype<usize>(text) >> 4) & CACHE_MASK;
  const at = CACHED_PATHS + slot * sizeof<usize>();
  const cached = load<usize>(at);
  // As long as the cache holds a text, no other can have its address.
  if (cached != 0 && changetype<usize>(unchecked(CACHED_TEXTS[<i32>slot])) == changetype<usize>(text)) return changetype<Path>(cached);
  if (cached != 0) changetype<Path>(cached).free();
  const path = new Path(text);
  unchecked((CACHED_TEXTS[<i32>slot] = text));
  store<usize>(at, changetype<usize>(path));
  return path;
}
