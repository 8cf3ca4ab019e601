import { NO_ROW, Table } from './table';
import { Value } from './value';

/** What a plugin remembers of each key of its table, found by the bytes of the key: a look-up makes no strings. */
export class Entries<T> {
  private readonly table: Table = new Table();
  /** By the numbers of the keys. */
  private readonly values: T[] = [];

  /** How many keys there are. */
  get size(): i32 {
    return this.table.size;
  }

  set(key: string, value: T): void {
    const row = this.table.add(key);
    if (row == this.values.length) this.values.push(value);
    else this.values[row] = value;
  }

  remove(key: string): void {
    const utf8 = String.UTF8.encode(key);
    const row = this.find(changetype<usize>(utf8), utf8.byteLength);
    if (row != NO_ROW) this.table.remove(row);
  }

  /** The row of a key, or NO_ROW. It holds until the next entry comes. */
  find(start: usize, bytes: usize): i32 {
    return this.table.find(start, bytes);
  }

  /** The row of a value: of a string's text, or of another value's JSON text. */
  findValue(value: Value): i32 {
    return this.table.findValue(value);
  }

  /** What was set for the key of a row. */
  at(row: i32): T {
    return this.values[row];
  }
}
