import { hashOf } from './hash';
import { Buffer } from './memory';
import { KEY_ESCAPED } from './tape';
import { plainStart, sameBytes, unescape } from './text';
import { Value } from './value';

/** No row. */
export const NO_ROW: i32 = -1;
const SLOTS_FIRST: u32 = 16;

/** What is known of a key by its number. */
@unmanaged
class Row {
  hash: u32;
  /** Where its bytes lie among all keys. */
  offset: usize;
  bytes: usize;
}

const ROW_BYTES: usize = offsetof<Row>();

/** Numbers texts from 0 on, in the order in which they are added, and finds their numbers by bytes: a look-up makes no strings. It is never freed. */
@unmanaged
export class Table {
  private readonly keys: Buffer = new Buffer();
  private readonly rows: Buffer = new Buffer();
  private count: i32 = 0;
  /** Row numbers by hash, each at the first free slot from where its hash points; a power of two of them, at most half in use. */
  private slots: usize = emptySlots(SLOTS_FIRST);
  private mask: u32 = SLOTS_FIRST - 1;

  /** The number of a key, which is added if it is not there. */
  add(key: string): i32 {
    const utf8 = String.UTF8.encode(key);
    const start = changetype<usize>(utf8);
    const bytes = <usize>utf8.byteLength;
    const found = this.find(start, bytes);
    if (found != NO_ROW) return found;
    this.rows.room(ROW_BYTES);
    this.rows.length += ROW_BYTES;
    const number = this.count++;
    const row = this.row(number);
    row.hash = hashOf(start, bytes);
    row.offset = this.keys.length;
    row.bytes = bytes;
    this.keys.append(start, bytes);
    if (<u32>this.count * 2 > this.mask) this.rehash();
    else this.place(number);
    return number;
  }

  /** The number of a text, or NO_ROW. May read PADDING bytes behind it. */
  find(start: usize, bytes: usize): i32 {
    const hash = hashOf(start, bytes);
    let slot = hash & this.mask;
    while (true) {
      const number = load<i32>(this.slots + (<usize>slot << 2));
      if (number == NO_ROW) return NO_ROW;
      const row = this.row(number);
      if (row.hash == hash && row.bytes == bytes && sameBytes(this.keys.start + row.offset, start, bytes)) return number;
      slot = (slot + 1) & this.mask;
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

  // @ts-ignore: decorator
  @inline
  private row(number: i32): Row {
    return changetype<Row>(this.rows.start + <usize>number * ROW_BYTES);
  }

  private place(number: i32): void {
    let slot = this.row(number).hash & this.mask;
    while (load<i32>(this.slots + (<usize>slot << 2)) != NO_ROW) slot = (slot + 1) & this.mask;
    store<i32>(this.slots + (<usize>slot << 2), number);
  }

  private rehash(): void {
    heap.free(this.slots);
    const count = (this.mask + 1) * 2;
    this.slots = emptySlots(count);
    this.mask = count - 1;
    for (let number = 0; number < this.count; number++) this.place(number);
  }
}

function emptySlots(count: u32): usize {
  const slots = heap.alloc(<usize>count << 2);
  memory.fill(slots, 0xff, <usize>count << 2);
  return slots;
}
