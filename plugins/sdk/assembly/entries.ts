import { NO_ROW, Table } from './table';
import { Value } from './value';

/** Rows that nobody uses any more, beside those in use, until they are cleared away. */
const UNUSED_MAX: i32 = 256;

/** What a plugin remembers of each key of its table, found by the bytes of the key: a look-up makes no strings. */
export class Entries<T> {
  private table: Table = new Table();
  private keys: string[] = [];
  private values: T[] = [];
  private isThere: bool[] = [];
  private count: i32 = 0;

  /** How many keys there are. */
  get size(): i32 {
    return this.count;
  }

  set(key: string, value: T): void {
    const row = this.table.add(key);
    if (row == this.keys.length) {
      this.keys.push(key);
      this.values.push(value);
      this.isThere.push(true);
      this.count++;
      return;
    }
    this.values[row] = value;
    if (!this.isThere[row]) this.count++;
    this.isThere[row] = true;
  }

  remove(key: string): void {
    const utf8 = String.UTF8.encode(key);
    const row = this.find(changetype<usize>(utf8), utf8.byteLength);
    if (row == NO_ROW) return;
    this.isThere[row] = false;
    this.count--;
    if (this.keys.length - this.count > max(this.count, UNUSED_MAX)) this.clear();
  }

  /** The row of a key, or NO_ROW. It holds until the next entry comes. */
  find(start: usize, bytes: usize): i32 {
    const row = this.table.find(start, bytes);
    return row == NO_ROW || unchecked(this.isThere[row]) ? row : NO_ROW;
  }

  /** The row of a value: of a string's text, or of another value's JSON text. */
  findValue(value: Value): i32 {
    const row = this.table.findValue(value);
    return row == NO_ROW || unchecked(this.isThere[row]) ? row : NO_ROW;
  }

  /** What was set for the key of a row. */
  at(row: i32): T {
    return this.values[row];
  }

  /** Numbers the rows that are in use anew. */
  private clear(): void {
    const keys = this.keys;
    const values = this.values;
    const isThere = this.isThere;
    this.table = new Table();
    this.keys = [];
    this.values = [];
    this.isThere = [];
    this.count = 0;
    for (let row = 0; row < keys.length; row++) if (isThere[row]) this.set(keys[row], values[row]);
  }
}
