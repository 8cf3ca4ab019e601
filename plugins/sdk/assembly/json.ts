import { currentBytes, currentStart, isScanned, peekAt, problem, ready, splice } from './document';
import { Buffer } from './memory';
import { appendNumber } from './number';
import { childOf, find, nextSegment, Path, pathOf, segmentKey, segmentKeyBytes } from './path';
import { entryOf, isEmptyBefore, NO_MEMBER, numberOf, peekEnd } from './peek';
import { keepSelected, maskSelected, removeSelected, renameSelected } from './select';
import { ENTRY_BYTES, Entry, Kind, kindOf, root } from './tape';
import { appendJsonBytes, appendJsonText } from './text';
import { missing, Value } from './value';

const VALUE: Buffer = new Buffer();
const MEMBER: Buffer = new Buffer();

/**
 * A JSON text: values are read where they lie, and an edit changes only its place. A path is keys and indexes with dots between them
 * (`sensor.readings.0`); the empty text is a key like any other. Of members with the same key the last one counts, as in `JSON.parse`.
 */
@unmanaged
export class Json {
  /** Whether the text is valid JSON. Reading from an invalid one finds nothing. */
  get valid(): bool {
    return ready();
  }

  /** What is wrong with the text, for people; empty when nothing is. */
  get problem(): string {
    return problem();
  }

  /** The whole text as a value. */
  get root(): Value {
    return ready() ? changetype<Value>(root()) : missing();
  }

  /** The value at a path; one that does not exist when there is none. */
  at(path: string): Value {
    return this.atPath(pathOf(path));
  }

  atPath(path: Path): Value {
    const entry = ready() ? find(path) : 0;
    return entry == 0 ? missing() : changetype<Value>(entry);
  }

  /**
   * As `atPath`, but reads no more of the text than it takes to find the value where that can be done; what else the text holds may be anything. Of
   * valid JSON the answer is the same, and of a text that was cut off. `valid` tells whether the whole text is JSON.
   */
  // @ts-ignore: decorator
  @inline
  peek(path: Path): Value {
    const at = peekAt(path);
    if (at == NO_MEMBER) return missing();
    const entry = at == 0 ? 0 : entryOf(at);
    return entry == 0 ? this.atPath(path) : changetype<Value>(entry);
  }

  /** The number at a path, found as `peek` finds values; NaN when there is none. */
  // @ts-ignore: decorator
  @inline
  peekNumber(path: Path): f64 {
    const at = peekAt(path);
    const value = at > NO_MEMBER ? numberOf(at) : NaN;
    return isNaN(value) ? lessUsualNumber(this, path) : value;
  }

  kind(path: string): Kind {
    return this.at(path).kind;
  }

  has(path: string): bool {
    return this.at(path).exists;
  }

  /** A number; NaN when there is none. */
  number(path: string): f64 {
    return this.at(path).number;
  }

  /** A string; empty when there is none. */
  text(path: string): string {
    return this.at(path).text;
  }

  /** Whether the value is `true`. */
  isTrue(path: string): bool {
    return this.at(path).isTrue;
  }

  /** The JSON text of a value as it stands there; empty when there is none. */
  raw(path: string): string {
    return this.at(path).raw;
  }

  /** The keys of an object, each once. */
  keys(path: string): string[] {
    return this.at(path).keys;
  }

  /** Elements of an array or members of an object. */
  length(path: string): i32 {
    return this.at(path).length;
  }

  /** Sets a number, rounded to `decimals` when they are not negative. False when there is no place for it. */
  setNumber(path: string, value: f64, decimals: i32 = -1): bool {
    return this.setNumberAt(pathOf(path), value, decimals);
  }

  setNumberAt(path: Path, value: f64, decimals: i32 = -1): bool {
    writeValue(value, decimals);
    return this.put(path);
  }

  /** Sets a number in the place of a value that was just found, as `setNumber` does: also of one that `peek` found. */
  replaceNumber(found: Value, value: f64, decimals: i32 = -1): void {
    writeValue(value, decimals);
    splice(found.start, found.end, VALUE.start, VALUE.length, false);
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

  /** The same from a buffer. */
  setBytesAt(path: Path, json: Buffer): bool {
    VALUE.length = 0;
    VALUE.append(json.start, json.length);
    return this.put(path);
  }

  /**
   * Adds members to the object that is the whole text: `"key":value` with commas between them, of keys that it does not have yet. False when the
   * text is no object.
   */
  addMembers(members: Buffer): bool {
    const end = isScanned() ? 0 : peekEnd(currentStart() + currentBytes());
    if (end != 0) {
      splice(end, end, members.start, members.length, !isEmptyBefore(end));
      return true;
    }
    if (this.root.kind != Kind.Object) return false;
    insertLast(root(), members);
    return true;
  }

  /** Keeps only what the paths select; `*` stands for every member or element. False when the text is neither an object nor an array. */
  keep(paths: Path[]): bool {
    return ready() && keepSelected(paths);
  }

  /** Leaves out what the paths select; false when there is nothing of it. */
  remove(paths: Path[]): bool {
    return ready() && removeSelected(paths);
  }

  /**
   * Puts the text `mask` in the place of what the paths select, with the last `keepLast` characters behind it of a string or number that has at least twice
   * as many. False when there is nothing of it.
   */
  mask(paths: Path[], mask: Buffer, keepLast: i32 = 0): bool {
    return ready() && maskSelected(paths, mask, keepLast);
  }

  /**
   * Gives the members that a path selects the key that another path is. Answers how many; -1 when an object has that key already, or would get it twice by a
   * `*`: then nothing is changed.
   */
  rename(path: Path, key: Path): i32 {
    return ready() ? renameSelected(path, key) : 0;
  }

  /** The whole text. */
  toString(): string {
    return String.UTF8.decodeUnsafe(currentStart(), currentBytes());
  }

  /** Puts VALUE at a path: in place of what is there, or as a new member of the object that the path leads to. */
  private put(path: Path): bool {
    if (!ready()) return false;
    const entry = find(path);
    if (entry != 0) {
      splice(changetype<Entry>(entry).start, changetype<Entry>(entry).end, VALUE.start, VALUE.length, false);
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

function lessUsualNumber(json: Json, path: Path): f64 {
  return json.peek(path).number;
}

/** Writes a number into VALUE. */
function writeValue(value: f64, decimals: i32): void {
  VALUE.length = 0;
  appendNumber(VALUE, value, decimals);
}

/** Puts members behind the last one of an object. */
function insertLast(object: usize, members: Buffer): void {
  const entry = changetype<Entry>(object);
  const isEmpty = entry.next == object + ENTRY_BYTES;
  splice(entry.end - 1, entry.end - 1, members.start, members.length, !isEmpty);
}
