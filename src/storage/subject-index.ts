import { rangesEqual } from '../base/bytes.js';
import { ByteStore, type ByteStoreContent } from './byte-store.js';
import { Pages } from './pages.js';

const SHARD_BITS = 6;
const SHARDS = 1 << SHARD_BITS;
const SLOTS_FIRST = 8;
const ROW_BITS = 3;
const ROWS_FIRST = 4;
const PAGE_BITS = 12;
const PAGE_ROWS = 1 << PAGE_BITS;
const PAGE_MASK = PAGE_ROWS - 1;
/** So many freed numbers wait at least: epochs are long. */
const WAITING_MIN = 1024;
const TWO_32 = 2 ** 32;
const NONE = -1;

/** Columns of a row; sequences take two. */
const HASH = 0;
const PLACE = 1;
const LENGTH = 2;
const COUNT = 3;
const FIRST = 4;
const LAST = 6;

/** The message that counts as a subject's first, or last, was removed: the true one is above, or below, what is noted. */
const FIRST_OPEN = 1 << 16;
const LAST_OPEN = 1 << 17;
const LENGTH_MASK = 0xffff;
/** Places are multiples of it. */
const PLACE_UNIT = 4;

/** All of an index but its tables, as it can be written down. */
export interface SubjectIndexContent {
  numbers: number;
  freeNumber: number;
  waitingNumber: number;
  waiting: number;
  rows: Int32Array[];
  names: ByteStoreContent;
}

/**
 * The subjects of a log: of each its number of messages, and its first and last sequence. A million subjects of 20 bytes take
 * some 65 MB, and no objects.
 *
 * ```text
 * shards[hash >>> 26]  slots (open addressing): number of the subject + 1, or 0
 * rows, 8 a number      hash | place of the bytes | length and flags | count | first u64 | last u64
 *                      in pages of 4,096 rows
 * names                the bytes
 * ```
 *
 * There are many small tables rather than one, so that growing one stops nobody for long. A subject without messages is forgotten
 * and its number given to another one, an epoch later.
 */
export class SubjectIndex {
  /** Subjects that have messages. */
  size = 0;
  /** Numbers given so far. */
  numbers = 0;
  private readonly shards: Shard[] = [];
  private rows = new Pages<Int32Array>([new Int32Array(ROWS_FIRST << ROW_BITS)]);
  private names = new ByteStore();
  /** Changes when numbers that were freed may be given again: what was remembered by number is void then. */
  epoch = 0;
  /** Freed numbers, linked by their PLACE: those that may be given, and those that wait for a new epoch. */
  private freeNumber = NONE;
  private waitingNumber = NONE;
  private waiting = 0;

  constructor() {
    for (let i = 0; i < SHARDS; i++) this.shards.push(EMPTY_SHARD);
  }

  /** The number of a subject, or -1; `hash` is `hashSubject`'s. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { slots } = this.shards[hash >>> (32 - SHARD_BITS)];
    const mask = slots.length - 1;
    for (let at = mix(hash) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const number = slots[at] - 1;
      if (this.cell(number, HASH) === hash && this.hasName(number, bytes, start, end)) return number;
    }
    return NONE;
  }

  /** The number of a subject, given now if it has none. */
  findOrAdd(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const found = this.find(bytes, start, end, hash);
    return found === NONE ? this.add(bytes, start, end, hash) : found;
  }

  /** Counts a message that is newer than all others of the subject. */
  noteLast(number: number, sequence: number): void {
    if (this.addToCount(number, 1) === 1) this.setFirst(number, sequence);
    this.setLast(number, sequence);
  }

  /** Counts a message that is older than all others of the subject. */
  noteFirst(number: number, sequence: number): void {
    if (this.addToCount(number, 1) === 1) this.setLast(number, sequence);
    this.setFirst(number, sequence);
  }

  /** Takes a message away. The subject stays, even with none left, until `forget`. */
  takeAway(number: number, sequence: number): void {
    const left = this.addToCount(number, -1);
    if (left === 0) return;
    const first = this.firstNoted(number);
    const last = this.lastNoted(number);
    if (sequence === first && first !== last) this.setFlags(number, FIRST_OPEN, 0);
    if (sequence === last && first !== last) this.setFlags(number, LAST_OPEN, 0);
    if (left > 1) return;
    // The one that is left is at the end that is known, if one is.
    if (!this.isLastOpen(number)) this.setFirst(number, last);
    else if (!this.isFirstOpen(number)) this.setLast(number, first);
  }

  /** Frees the number of a subject that has no messages. */
  forget(number: number): void {
    this.unhang(number, this.cell(number, HASH));
    this.names.remove(this.placeOf(number), this.nameLength(number));
    this.set(number, PLACE, this.waitingNumber);
    this.waitingNumber = number;
    this.waiting++;
    this.size--;
  }

  count(number: number): number {
    return this.cell(number, COUNT) >>> 0;
  }

  /** The first sequence; a lower bound while `isFirstOpen`. */
  firstNoted(number: number): number {
    return this.sequence(number, FIRST);
  }

  /** The last sequence; an upper bound while `isLastOpen`. */
  lastNoted(number: number): number {
    return this.sequence(number, LAST);
  }

  isFirstOpen(number: number): boolean {
    return (this.cell(number, LENGTH) & FIRST_OPEN) !== 0;
  }

  isLastOpen(number: number): boolean {
    return (this.cell(number, LENGTH) & LAST_OPEN) !== 0;
  }

  setFirst(number: number, sequence: number): void {
    this.setSequence(number, FIRST, sequence);
    this.setFlags(number, 0, FIRST_OPEN);
  }

  setLast(number: number, sequence: number): void {
    this.setSequence(number, LAST, sequence);
    this.setFlags(number, 0, LAST_OPEN);
  }

  /** Whether this number is that of a subject with messages. */
  isUsed(number: number): boolean {
    return this.cell(number, COUNT) !== 0;
  }

  /** The subject lies at `nameStart` of these bytes, and is `nameLength` long; valid until the next subject is added. */
  nameBytes(number: number): Uint8Array {
    return this.names.chunk(this.placeOf(number));
  }

  nameStart(number: number): number {
    return this.names.at(this.placeOf(number));
  }

  nameLength(number: number): number {
    return this.cell(number, LENGTH) & LENGTH_MASK;
  }

  name(number: number): Uint8Array {
    const start = this.nameStart(number);
    return this.nameBytes(number).subarray(start, start + this.nameLength(number));
  }

  /** All of it, as it is now; it stays so. */
  content(): SubjectIndexContent {
    const { numbers, freeNumber, waitingNumber, waiting } = this;
    return { numbers, freeNumber, waitingNumber, waiting, rows: this.rows.freeze(), names: this.names.content() };
  }

  static from({ rows, names, ...rest }: SubjectIndexContent): SubjectIndex {
    const index = new SubjectIndex();
    index.numbers = rest.numbers;
    index.freeNumber = rest.freeNumber;
    index.waitingNumber = rest.waitingNumber;
    index.waiting = rest.waiting;
    index.rows = new Pages(rows);
    index.names = ByteStore.from(names);
    for (let number = 0; number < index.numbers; number++) {
      if (!index.isUsed(number)) continue;
      index.hang(number, index.cell(number, HASH));
      index.size++;
    }
    return index;
  }

  private add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const number = this.takeNumber();
    this.set(number, HASH, hash);
    this.set(number, PLACE, this.names.add(bytes, start, end) / PLACE_UNIT);
    this.set(number, LENGTH, end - start);
    this.set(number, COUNT, 0);
    this.size++;
    this.hang(number, hash);
    return number;
  }

  private cell(number: number, column: number): number {
    return this.rows.list[number >>> PAGE_BITS][((number & PAGE_MASK) << ROW_BITS) + column];
  }

  private set(number: number, column: number, value: number): void {
    this.rows.writable(number >>> PAGE_BITS)[((number & PAGE_MASK) << ROW_BITS) + column] = value;
  }

  private addToCount(number: number, by: number): number {
    const page = this.rows.writable(number >>> PAGE_BITS);
    const at = ((number & PAGE_MASK) << ROW_BITS) + COUNT;
    page[at] += by;
    return page[at] >>> 0;
  }

  private setFlags(number: number, on: number, off: number): void {
    const page = this.rows.writable(number >>> PAGE_BITS);
    const at = ((number & PAGE_MASK) << ROW_BITS) + LENGTH;
    page[at] = (page[at] | on) & ~off;
  }

  private sequence(number: number, column: number): number {
    const page = this.rows.list[number >>> PAGE_BITS];
    const at = ((number & PAGE_MASK) << ROW_BITS) + column;
    return page[at + 1] * TWO_32 + (page[at] >>> 0);
  }

  private setSequence(number: number, column: number, sequence: number): void {
    const page = this.rows.writable(number >>> PAGE_BITS);
    const at = ((number & PAGE_MASK) << ROW_BITS) + column;
    page[at] = sequence | 0;
    page[at + 1] = Math.floor(sequence / TWO_32);
  }

  private placeOf(number: number): number {
    return (this.cell(number, PLACE) >>> 0) * PLACE_UNIT;
  }

  private hasName(number: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.nameLength(number);
    if (length !== end - start) return false;
    const place = this.placeOf(number);
    return rangesEqual(this.names.chunk(place), this.names.at(place), bytes, start, length);
  }

  private takeNumber(): number {
    if (this.freeNumber === NONE && this.waiting > Math.max(WAITING_MIN, this.size >>> 1)) {
      this.freeNumber = this.waitingNumber;
      this.waitingNumber = NONE;
      this.waiting = 0;
      this.epoch++;
    }
    const free = this.freeNumber;
    if (free !== NONE) {
      this.freeNumber = this.cell(free, PLACE);
      return free;
    }
    this.makeRoom();
    return this.numbers++;
  }

  /** The first page starts small, for logs of few subjects. */
  private makeRoom(): void {
    const { list } = this.rows;
    const rows = list[0].length >>> ROW_BITS;
    if (this.numbers === list.length * PAGE_ROWS) this.rows.push(new Int32Array(PAGE_ROWS << ROW_BITS));
    else if (this.numbers === rows) this.rows.grow(0, new Int32Array(list[0].length * 2));
  }

  private hang(number: number, hash: number): void {
    const index = hash >>> (32 - SHARD_BITS);
    let shard = this.shards[index];
    if (shard === EMPTY_SHARD) shard = this.shards[index] = new Shard(SLOTS_FIRST);
    else if ((shard.used + 1) * 4 > shard.slots.length * 3) shard = this.growShard(index);
    put(shard.slots, number, hash);
    shard.used++;
  }

  private growShard(index: number): Shard {
    const old = this.shards[index];
    const shard = new Shard(old.slots.length * 2);
    for (const slot of old.slots) if (slot !== 0) put(shard.slots, slot - 1, this.cell(slot - 1, HASH));
    shard.used = old.used;
    this.shards[index] = shard;
    return shard;
  }

  /** Empties the slot, and moves up what was pushed behind it. */
  private unhang(number: number, hash: number): void {
    const shard = this.shards[hash >>> (32 - SHARD_BITS)];
    const { slots } = shard;
    const mask = slots.length - 1;
    let hole = mix(hash) & mask;
    while (slots[hole] !== number + 1) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = mix(this.cell(slots[at] - 1, HASH)) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at];
      hole = at;
    }
    slots[hole] = 0;
    shard.used--;
  }
}

class Shard {
  readonly slots: Int32Array;
  used = 0;

  constructor(slots: number) {
    this.slots = new Int32Array(slots);
  }
}

/** What all shards are before their first subject. */
const EMPTY_SHARD = new Shard(1);

function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

function put(slots: Int32Array, number: number, hash: number): void {
  const mask = slots.length - 1;
  let at = mix(hash) & mask;
  while (slots[at] !== 0) at = (at + 1) & mask;
  slots[at] = number + 1;
}
