import { currentBytes, currentStart, problem, ready, splice } from './document';
import { Buffer } from './memory';
import { NUMBER_BYTES_MAX, parseNumber, writeNumber, writeRounded } from './number';
import { childOf, find, kindOf, nextSegment, Path, pathOf, segmentKey, segmentKeyBytes } from './path';
import { Entry, ENTRY_BYTES, ESCAPED, KEY_ESCAPED, Kind, root } from './scan';
import { keepSelected, removeSelected } from './select';
import { appendJsonBytes, appendJsonText, decode } from './text';

const VALUE: Buffer = new Buffer();
const MEMBER: Buffer = new Buffer();

/**
 * A JSON text: values are read where they lie, and an edit changes only its place. A path is keys and indexes with dots between them
 * (`sensor.readings.0`); the empty text is a key like any other. Of members with the same key the last one counts, as in `JSON.parse`.
 */
@final
export class Json {
  /** Whether the text is valid JSON. Reading from an invalid one finds nothing. */
  get valid(): bool {
    return ready();
  }

  /** What is wrong with the text, for people; empty when nothing is. */
  get problem(): string {
    return problem();
  }

  /** What the whole text is. */
  get rootKind(): Kind {
    return ready() ? <Kind>kindOf(root()) : Kind.Missing;
  }

  kind(path: string): Kind {
    return this.kindAt(pathOf(path));
  }

  kindAt(path: Path): Kind {
    const entry = this.entry(path);
    return entry == 0 ? Kind.Missing : <Kind>kindOf(entry);
  }

  has(path: string): bool {
    return this.entry(pathOf(path)) != 0;
  }

  /** A number; NaN when there is none. */
  number(path: string): f64 {
    return this.numberAt(pathOf(path));
  }

  numberAt(path: Path): f64 {
    const entry = this.entry(path);
    if (entry == 0 || kindOf(entry) != Kind.Number) return NaN;
    return parseNumber(changetype<Entry>(entry).start, changetype<Entry>(entry).end);
  }

  /** A string; empty when there is none. */
  text(path: string): string {
    return this.textAt(pathOf(path));
  }

  textAt(path: Path): string {
    const entry = this.entry(path);
    if (entry == 0 || kindOf(entry) != Kind.String) return '';
    const value = changetype<Entry>(entry);
    return decode(value.start + 1, value.end - 1, (value.info & ESCAPED) != 0);
  }

  /** Whether the value is `true`. */
  isTrue(path: string): bool {
    const entry = this.entry(pathOf(path));
    return entry != 0 && kindOf(entry) == Kind.Boolean && load<u8>(changetype<Entry>(entry).start) == 0x74;
  }

  /** The JSON text of a value as it stands there; empty when there is none. */
  raw(path: string): string {
    return this.rawAt(pathOf(path));
  }

  rawAt(path: Path): string {
    const entry = this.entry(path);
    if (entry == 0) return '';
    const value = changetype<Entry>(entry);
    return String.UTF8.decodeUnsafe(value.start, value.end - value.start);
  }

  /** Elements of an array or members of an object. */
  length(path: string): i32 {
    const entry = this.entry(pathOf(path));
    if (entry == 0 || kindOf(entry) < <u32>Kind.Array) return 0;
    let count = 0;
    const end = changetype<Entry>(entry).next;
    for (let at = entry + ENTRY_BYTES; at != end; at = changetype<Entry>(at).next) count++;
    return count;
  }

  /** The keys of an object in their order; those of the whole text for no path. */
  keys(path: string | null = null): string[] {
    const keys: string[] = [];
    if (!ready()) return keys;
    const entry = path === null ? root() : this.entry(pathOf(path));
    if (entry == 0 || kindOf(entry) != <u32>Kind.Object) return keys;
    const end = changetype<Entry>(entry).next;
    for (let at = entry + ENTRY_BYTES; at != end; at = changetype<Entry>(at).next) {
      const member = changetype<Entry>(at);
      keys.push(decode(member.keyStart, member.keyEnd, (member.info & KEY_ESCAPED) != 0));
    }
    return keys;
  }

  /** Sets a number, rounded to `decimals` when they are not negative. False when there is no place for it. */
  setNumber(path: string, value: f64, decimals: i32 = -1): bool {
    return this.setNumberAt(pathOf(path), value, decimals);
  }

  setNumberAt(path: Path, value: f64, decimals: i32 = -1): bool {
    VALUE.length = 0;
    const at = VALUE.room(NUMBER_BYTES_MAX);
    VALUE.length = (decimals < 0 ? writeNumber(at, value) : writeRounded(at, value, decimals)) - at;
    return this.put(path);
  }

  setText(path: string, value: string): bool {
    VALUE.length = 0;
    appendJsonText(VALUE, value);
    return this.put(pathOf(path));
  }

  /** Sets a value to JSON text, which must be valid. */
  setRaw(path: string, json: string): bool {
    return this.setRawAt(pathOf(path), json);
  }

  setRawAt(path: Path, json: string): bool {
    VALUE.length = 0;
    VALUE.appendText(json);
    return this.put(path);
  }

  /**
   * Adds members to the object that is the whole text: `"key":value` with commas between them, of keys that it does not have yet. False when the
   * text is no object.
   */
  addMembers(members: Buffer): bool {
    if (this.rootKind != Kind.Object) return false;
    insertLast(root(), members);
    return true;
  }

  /** Keeps only what the paths select; `*` stands for every member or element. */
  keep(paths: Path[]): void {
    if (ready()) keepSelected(paths);
  }

  /** Leaves out what the paths select. */
  remove(paths: Path[]): void {
    if (ready()) removeSelected(paths);
  }

  /** The whole text. */
  toString(): string {
    return String.UTF8.decodeUnsafe(currentStart(), currentBytes());
  }

  /** Where a value lies on the tape, or 0. */
  private entry(path: Path): usize {
    return ready() ? find(root(), path) : 0;
  }

  /** Puts VALUE at a path: in place of what is there, or as a new member of the object that the path leads to. */
  private put(path: Path): bool {
    if (!ready()) return false;
    const entry = find(root(), path);
    if (entry != 0) {
      splice(changetype<Entry>(entry).start, changetype<Entry>(entry).end, VALUE.start, VALUE.length);
      return true;
    }
    let parent = root();
    let segment = path.first;
    for (let i = 1; i < path.count; i++) {
      parent = childOf(parent, segment);
      if (parent == 0) return false;
      segment = nextSegment(segment);
    }
    if (kindOf(parent) != <u32>Kind.Object) return false;
    MEMBER.length = 0;
    appendJsonBytes(MEMBER, segmentKey(segment), segmentKeyBytes(segment));
    MEMBER.appendByte(0x3a);
    MEMBER.append(VALUE.start, VALUE.length);
    insertLast(parent, MEMBER);
    return true;
  }
}

const INSERTION: Buffer = new Buffer();

/** Puts members behind the last one of an object. */
function insertLast(object: usize, members: Buffer): void {
  const entry = changetype<Entry>(object);
  const isEmpty = entry.next == object + ENTRY_BYTES;
  INSERTION.length = 0;
  if (!isEmpty) INSERTION.appendByte(0x2c);
  INSERTION.append(members.start, members.length);
  splice(entry.end - 1, entry.end - 1, INSERTION.start, INSERTION.length);
}
