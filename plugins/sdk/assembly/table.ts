import { hashOf } from './hash';
import { Buffer } from './memory';
import { KEY_ESCAPED } from './tape';
import { plainStart, sameBytes, unescape } from './text';
import { Value } from './value';

/** No row. */
export const NO_ROW: i32 = -1;
const HEADS_FIRST: u32 = 16;

/** What is known of a key by its number. */
@unmanaged
class Row {
  hash: u32;
  /** The next row with the same head, or the next one that is free. */
  chain: i32;
  /** Where its bytes lie among all keys. */
  offset: usize;
  bytes: usize;
  /** How many there may be. */
  room: usize;
}

const ROW_BYTES: usize = offsetof<Row>();

/**
 * Numbers texts from 0 on, in the order in which they are added, and finds their numbers by bytes: a look-up makes no strings. The number of one that was
 * removed goes to another one. It is never freed.
 *
 * No text costs much more than another: where a key is looked for is spread over one more head with each of them, and not over twice as many at once.
 *
 *   heads   0 … split │ split … mask │ mask + 1 … mask + split
 *           divided     whole          the other halves of the divided ones
 */
@unmanaged
export class Table {
  /** How many texts there are. */
  size: i32 = 0;
  private readonly keys: Buffer = new Buffer();
  private readonly rows: Buffer = new Buffer();
  /** Rows, also of texts that were removed: those hang together from `free` on. */
  private used: i32 = 0;
  private free: i32 = NO_ROW;
  private heads: usize = noHeads(HEADS_FIRST);
  private mask: u32 = HEADS_FIRST - 1;
  private split: u32 = 0;

  /** The number of a key, which is added if it is not there. */
  add(key: string): i32 {
    const utf8 = String.UTF8.encode(key);
    const start = changetype<usize>(utf8);
    const bytes = <usize>utf8.byteLength;
    const found = this.find(start, bytes);
    if (found != NO_ROW) return found;
    const number = this.take();
    const row = this.row(number);
    row.hash = hashOf(start, bytes);
    this.keep(row, start, bytes);
    this.size++;
    if (<u32>this.size > this.mask + this.split) this.divide();
    this.link(number, this.headOf(row.hash));
    return number;
  }

  /** Forgets the text with a number. */
  remove(number: i32): void {
    const row = this.row(number);
    const head = this.headOf(row.hash);
    let before = load<i32>(head);
    if (before == number) store<i32>(head, row.chain);
    else {
      while (this.row(before).chain != number) before = this.row(before).chain;
      this.row(before).chain = row.chain;
    }
    row.chain = this.free;
    this.free = number;
    this.size--;
  }

  /** The number of a text, or NO_ROW. May read PADDING bytes behind it. */
  find(start: usize, bytes: usize): i32 {
    const hash = hashOf(start, bytes);
    let number = load<i32>(this.headOf(hash));
    while (number != NO_ROW) {
      const row = this.row(number);
      if (row.hash == hash && row.bytes == bytes && sameBytes(this.keys.start + row.offset, start, bytes)) break;
      number = row.chain;
    }
    return number;
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

  // @ts-ignore: decorator
  @inline
  private headOf(hash: u32): usize {
    let head = hash & this.mask;
    if (head < this.split) head = hash & ((this.mask << 1) | 1);
    return this.heads + (<usize>head << 2);
  }

  private link(number: i32, head: usize): void {
    this.row(number).chain = load<i32>(head);
    store<i32>(head, number);
  }

  /** A row that nobody uses. */
  private take(): i32 {
    const number = this.free;
    if (number != NO_ROW) {
      this.free = this.row(number).chain;
      return number;
    }
    memory.fill(this.rows.room(ROW_BYTES), 0, ROW_BYTES);
    this.rows.length += ROW_BYTES;
    return this.used++;
  }

  /** Copies a key in the place of the one before it, or, when it is longer, behind all others: with room for more, so that what is left behind is bounded. */
  private keep(row: Row, start: usize, bytes: usize): void {
    if (bytes > row.room) {
      row.room = row.room == 0 ? bytes : bytes * 2;
      this.keys.room(row.room);
      row.offset = this.keys.length;
      this.keys.length += row.room;
    }
    row.bytes = bytes;
    memory.copy(this.keys.start + row.offset, start, bytes);
  }

  /** Divides the next head: half of its rows, more or less, go to a new one. */
  private divide(): void {
    const half = this.mask + 1;
    if (this.split == 0) this.heads = heap.realloc(this.heads, <usize>half << 3);
    const from = this.heads + (<usize>this.split << 2);
    const to = from + (<usize>half << 2);
    let number = load<i32>(from);
    store<i32>(from, NO_ROW);
    store<i32>(to, NO_ROW);
    while (number != NO_ROW) {
      const row = this.row(number);
      const next = row.chain;
      this.link(number, (row.hash & half) == 0 ? from : to);
      number = next;
    }
    if (++this.split < half) return;
    this.mask = (this.mask << 1) | 1;
    this.split = 0;
  }
}

function noHeads(count: u32): usize {
  const heads = heap.alloc(<usize>count << 2);
  memory.fill(heads, 0xff, <usize>count << 2);
  return heads;
}
