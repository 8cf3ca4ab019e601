import { rangesEqual } from '../base/bytes.js';
import { ByteStore, type ByteStoreContent } from './byte-store.js';

const SHARD_BITS = 6;
const SHARDS = 1 << SHARD_BITS;
const SLOTS_FIRST = 8;
const ROW_BITS = 3;
const ROWS_FIRST = 4;
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

/** All of an index but its tables, as it can be written down. */
export interface SubjectIndexContent {
  numbers: number;
  freeNumber: number;
  waitingNumber: number;
  waiting: number;
  rows: Int32Array;
  names: ByteStoreContent;
}

/**
 * The subjects of a log: of each its number of messages, and its first and last sequence. A million subjects of 20 bytes take
 * some 65 MB, and no objects.
 *
 * ```text
 * shards[hash >>> 26]  slots (open addressing): number of the subject + 1, or 0
 * rows[number * 8]     hash | place of the bytes | length and flags | count | first u64 | last u64
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
  private rows = new Int32Array(ROWS_FIRST << ROW_BITS);
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
      const row = number << ROW_BITS;
      if (this.rows[row + HASH] === hash && this.hasName(row, bytes, start, end)) return number;
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
    const row = number << ROW_BITS;
    if (this.rows[row + COUNT]++ === 0) this.setFirst(number, sequence);
    this.setLast(number, sequence);
  }

  /** Counts a message that is older than all others of the subject. */
  noteFirst(number: number, sequence: number): void {
    const row = number << ROW_BITS;
    if (this.rows[row + COUNT]++ === 0) this.setLast(number, sequence);
    this.setFirst(number, sequence);
  }

  /** Takes a message away. The subject stays, even with none left, until `forget`. */
  takeAway(number: number, sequence: number): void {
    const row = number << ROW_BITS;
    const { rows } = this;
    const left = --rows[row + COUNT];
    if (left === 0) return;
    const first = this.firstNoted(number);
    const last = this.lastNoted(number);
    if (sequence === first && first !== last) rows[row + LENGTH] |= FIRST_OPEN;
    if (sequence === last && first !== last) rows[row + LENGTH] |= LAST_OPEN;
    if (left > 1) return;
    // The one that is left is at the end that is known, if one is.
    if (!this.isLastOpen(number)) this.setFirst(number, last);
    else if (!this.isFirstOpen(number)) this.setLast(number, first);
  }

  /** Frees the number of a subject that has no messages. */
  forget(number: number): void {
    const row = number << ROW_BITS;
    const { rows } = this;
    this.unhang(number, rows[row + HASH]);
    this.names.remove(this.placeOf(row), rows[row + LENGTH] & LENGTH_MASK);
    rows[row + PLACE] = this.waitingNumber;
    this.waitingNumber = number;
    this.waiting++;
    this.size--;
  }

  count(number: number): number {
    return this.rows[(number << ROW_BITS) + COUNT];
  }

  /** The first sequence; a lower bound while `isFirstOpen`. */
  firstNoted(number: number): number {
    return this.sequence((number << ROW_BITS) + FIRST);
  }

  /** The last sequence; an upper bound while `isLastOpen`. */
  lastNoted(number: number): number {
    return this.sequence((number << ROW_BITS) + LAST);
  }

  isFirstOpen(number: number): boolean {
    return (this.rows[(number << ROW_BITS) + LENGTH] & FIRST_OPEN) !== 0;
  }

  isLastOpen(number: number): boolean {
    return (this.rows[(number << ROW_BITS) + LENGTH] & LAST_OPEN) !== 0;
  }

  setFirst(number: number, sequence: number): void {
    const row = number << ROW_BITS;
    this.setSequence(row + FIRST, sequence);
    this.rows[row + LENGTH] &= ~FIRST_OPEN;
  }

  setLast(number: number, sequence: number): void {
    const row = number << ROW_BITS;
    this.setSequence(row + LAST, sequence);
    this.rows[row + LENGTH] &= ~LAST_OPEN;
  }

  /** Whether this number is that of a subject with messages. */
  isUsed(number: number): boolean {
    return this.rows[(number << ROW_BITS) + COUNT] > 0;
  }

  /** The subject lies at `nameStart` of these bytes, and is `nameLength` long; valid until the next subject is added. */
  nameBytes(number: number): Uint8Array {
    return this.names.chunk(this.placeOf(number << ROW_BITS));
  }

  nameStart(number: number): number {
    return this.names.at(this.placeOf(number << ROW_BITS));
  }

  nameLength(number: number): number {
    return this.rows[(number << ROW_BITS) + LENGTH] & LENGTH_MASK;
  }

  name(number: number): Uint8Array {
    const start = this.nameStart(number);
    return this.nameBytes(number).subarray(start, start + this.nameLength(number));
  }

  content(): SubjectIndexContent {
    const { numbers, freeNumber, waitingNumber, waiting } = this;
    const rows = this.rows.subarray(0, numbers << ROW_BITS);
    return { numbers, freeNumber, waitingNumber, waiting, rows, names: this.names.content() };
  }

  static from(content: SubjectIndexContent): SubjectIndex {
    const index = new SubjectIndex();
    const { names, ...rest } = content;
    Object.assign(index, rest);
    if (content.rows.length === 0) index.rows = new Int32Array(ROWS_FIRST << ROW_BITS);
    index.names = ByteStore.from(names);
    for (let number = 0; number < content.numbers; number++) {
      if (!index.isUsed(number)) continue;
      index.hang(number, index.rows[(number << ROW_BITS) + HASH]);
      index.size++;
    }
    return index;
  }

  private add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const number = this.takeNumber();
    const row = number << ROW_BITS;
    const { rows } = this;
    rows[row + HASH] = hash;
    rows[row + PLACE] = this.names.add(bytes, start, end) / 4;
    rows[row + LENGTH] = end - start;
    rows[row + COUNT] = 0;
    this.size++;
    this.hang(number, hash);
    return number;
  }

  private placeOf(row: number): number {
    return (this.rows[row + PLACE] >>> 0) * 4;
  }

  private hasName(row: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.rows[row + LENGTH] & LENGTH_MASK;
    if (length !== end - start) return false;
    const place = this.placeOf(row);
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
      this.freeNumber = this.rows[(free << ROW_BITS) + PLACE];
      return free;
    }
    if (this.numbers << ROW_BITS >= this.rows.length) {
      const rows = new Int32Array(this.rows.length * 2);
      rows.set(this.rows);
      this.rows = rows;
    }
    return this.numbers++;
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
    for (const slot of old.slots)
      if (slot !== 0) put(shard.slots, slot - 1, this.rows[((slot - 1) << ROW_BITS) + HASH]);
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
      const home = mix(this.rows[((slots[at] - 1) << ROW_BITS) + HASH]) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at];
      hole = at;
    }
    slots[hole] = 0;
    shard.used--;
  }

  private sequence(at: number): number {
    return this.rows[at + 1] * TWO_32 + (this.rows[at] >>> 0);
  }

  private setSequence(at: number, sequence: number): void {
    this.rows[at] = sequence | 0;
    this.rows[at + 1] = Math.floor(sequence / TWO_32);
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
