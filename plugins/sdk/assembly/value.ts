import { markLast } from './last';
import { parseNumber } from './number';
import { childOf, nextSegment, Path, pathOf } from './path';
import { ENTRY_BYTES, Entry, ESCAPED, KEY_ESCAPED, Kind, kindOf, LAST } from './tape';
import { decode, plainStart, unescape } from './text';

/** What stands for a value that is not there. */
const MISSING: usize = memory.data(sizeof<usize>() * 8, 8);

/** Of the last string whose escapes were resolved. */
let plainBytes: usize = 0;

/**
 * A value in a JSON text, read where it lies. It holds until the text is changed, or the next message comes. What is asked of a value of another
 * kind, or of one that is missing, is answered with nothing: NaN, an empty text, false, a missing value.
 */
@unmanaged
export class Value extends Entry {
  get kind(): Kind {
    return <Kind>kindOf(changetype<usize>(this));
  }

  get exists(): bool {
    return this.kind != Kind.Missing;
  }

  /** Its number, or NaN. */
  // @ts-ignore: decorator
  @inline
  get number(): f64 {
    return this.kind == Kind.Number ? parseNumber(this.start, this.end) : NaN;
  }

  /** Its text without quotes and escapes; empty when it is no string. */
  get text(): string {
    return this.kind == Kind.String ? decode(this.start + 1, this.end - 1, (this.info & ESCAPED) != 0) : '';
  }

  /** Whether it is a string with a backslash in it. */
  get isEscaped(): bool {
    return this.kind == Kind.String && (this.info & ESCAPED) != 0;
  }

  /**
   * The address of its bytes: of a string's without quotes and escapes, of another value's as it stands there. It holds until something else is asked
   * for by a path or a value.
   */
  get plain(): usize {
    if (this.kind != Kind.String) return this.start;
    if ((this.info & ESCAPED) == 0) return this.start + 1;
    plainBytes = unescape(this.start + 1, this.end - 1);
    return plainStart();
  }

  /** How many there are, after `plain`. */
  get plainBytes(): usize {
    if (this.kind != Kind.String) return this.end - this.start;
    return (this.info & ESCAPED) == 0 ? this.end - this.start - 2 : plainBytes;
  }

  /** Whether it is `true`. */
  get isTrue(): bool {
    return this.kind == Kind.Boolean && load<u8>(this.start) == 0x74;
  }

  /** Its JSON text as it stands there. */
  get raw(): string {
    return String.UTF8.decodeUnsafe(this.start, this.end - this.start);
  }

  /** Its key in the object around it; empty in an array. */
  get key(): string {
    return decode(this.keyStart, this.keyEnd, (this.info & KEY_ESCAPED) != 0);
  }

  /** The keys of an object, each once. */
  get keys(): string[] {
    const keys = new Set<string>();
    if (this.kind == Kind.Object) {
      for (let at = this.first; at.exists; at = at.following(this)) keys.add(at.key);
    }
    return keys.values();
  }

  /** Tells which members of this object count: of those with the same key, the last. */
  markLast(): void {
    markLast(changetype<usize>(this));
  }

  /** Whether that was said of this member. */
  get isLast(): bool {
    return (this.info & LAST) != 0;
  }

  /** A value that is not there. */
  static get none(): Value {
    return missing();
  }

  /** Elements of an array or members of an object. */
  get length(): i32 {
    let count = 0;
    for (let at = this.first; at.exists; at = at.following(this)) count++;
    return count;
  }

  /** The first element or member. */
  get first(): Value {
    const at = changetype<usize>(this) + ENTRY_BYTES;
    return this.kind >= Kind.Array && this.next != at ? changetype<Value>(at) : missing();
  }

  /** The element or member behind this one in the container that it is in. */
  following(container: Value): Value {
    return this.next != container.next ? changetype<Value>(this.next) : missing();
  }

  /** What lies at a path from here. */
  at(path: string): Value {
    return this.atPath(pathOf(path));
  }

  /** The member with the key that a path ends with. */
  atKeyOf(path: Path): Value {
    const entry = this.kind == Kind.Object ? childOf(changetype<usize>(this), path.last) : 0;
    return entry == 0 ? missing() : changetype<Value>(entry);
  }

  atPath(path: Path): Value {
    let entry = changetype<usize>(this);
    let segment = path.first;
    for (let left = path.count; left > 0 && entry != 0; left--) {
      entry = childOf(entry, segment);
      segment = nextSegment(segment);
    }
    return entry == 0 ? missing() : changetype<Value>(entry);
  }
}

// @ts-ignore: decorator
@inline
export function missing(): Value {
  return changetype<Value>(MISSING);
}
