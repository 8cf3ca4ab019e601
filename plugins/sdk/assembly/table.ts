import { hashOf } from './hash';
import { Buffer } from './memory';
import { KEY_ESCAPED } from './tape';
import { plainStart, sameBytes, unescape } from './text';
import { Value } from './value';

/** No row. */
export const NO_ROW: i32 = -1;
const SLOTS_FIRST: i32 = 16;

/** A key that was set. */
class Row {
  constructor(
    readonly hash: u32,
    /** Where the key's bytes lie among all keys. */
    readonly offset: usize,
    readonly bytes: usize,
  ) {}
}

/** Numbers texts from 0 on, in the order in which they are added, and finds their numbers by bytes: a look-up makes no strings. */
export class Table {
  private readonly keys: Buffer = new Buffer();
  private readonly rows: Row[] = [];
  /** Row numbers by hash, each at the first free slot from where its hash points; a power of two of them, at most half in use. */
  private slots: StaticArray<i32> = emptySlots(SLOTS_FIRST);

  /** The number of a key, which is added if it is not there. */
  add(key: string): i32 {
    const utf8 = String.UTF8.encode(key);
    const start = changetype<usize>(utf8);
    const hash = hashOf(start, utf8.byteLength);
    const found = this.find(start, utf8.byteLength);
    if (found != NO_ROW) return found;
    this.rows.push(new Row(hash, this.keys.length, utf8.byteLength));
    this.keys.append(start, utf8.byteLength);
    if (this.rows.length * 2 > this.slots.length) this.rehash();
    else this.place(this.rows.length - 1);
    return this.rows.length - 1;
  }

  /** The number of a text, or NO_ROW. May read PADDING bytes behind it. */
  find(start: usize, bytes: usize): i32 {
    const hash = hashOf(start, bytes);
    const slots = this.slots;
    const mask = slots.length - 1;
    let slot = <i32>hash & mask;
    while (true) {
      const number = unchecked(slots[slot]);
      if (number == NO_ROW) return NO_ROW;
      const row = unchecked(this.rows[number]);
      if (row.hash == hash && row.bytes == bytes && sameBytes(this.keys.start + row.offset, start, bytes)) return number;
      slot = (slot + 1) & mask;
    }
  }

  /** The number of a value: of a string's text, or of another value's JSON text. */
  findValue(value: Value): i32 {
    const start = value.plain;
    return this.find(start, value.plainBytes);
  }

  /** The number of a member's key. */
  findKey(member: Value): i32 {
    const bytes = member.keyEnd - member.keyStart;
    if ((member.info & KEY_ESCAPED) == 0) return this.find(member.keyStart, bytes);
    const plain = unescape(member.keyStart, member.keyEnd);
    return this.find(plainStart(), plain);
  }

  private place(number: i32): void {
    const mask = this.slots.length - 1;
    let slot = <i32>this.rows[number].hash & mask;
    while (this.slots[slot] != NO_ROW) slot = (slot + 1) & mask;
    this.slots[slot] = number;
  }

  private rehash(): void {
    this.slots = emptySlots(this.slots.length * 2);
    for (let number = 0; number < this.rows.length; number++) this.place(number);
  }
}

function emptySlots(count: i32): StaticArray<i32> {
  const slots = new StaticArray<i32>(count);
  slots.fill(NO_ROW);
  return slots;
}
