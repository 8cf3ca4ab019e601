import { Pages } from './pages.js';

/** More than a subject may have. */
const CHUNK_BYTES = 256 * 1024;
const FIRST_BYTES = 256;
const UNIT_BYTES = 4;

/** All of a store, as it can be written down. */
export interface ByteStoreContent {
  chunks: Uint8Array[];
  end: number;
  free: number[];
}

/**
 * Many short byte strings, each at a number, without an object for each. Places that were given back are used again for strings of
 * the same length, rounded up to four; a free place holds the number of the next one.
 */
export class ByteStore {
  private chunks = new Pages<Uint8Array>([new Uint8Array(FIRST_BYTES)]);
  /** Where new places are made. */
  private end = UNIT_BYTES;
  /** The first free place of each length in units; 0 is none. */
  private free: number[] = [];

  /** Copies `bytes[start, end)`, at most a chunk long; returns its place. */
  add(bytes: Uint8Array, start: number, end: number): number {
    const units = unitsOf(end - start);
    const place = this.take(units);
    const chunk = this.chunks.writable(Math.floor(place / CHUNK_BYTES));
    const at = place & (CHUNK_BYTES - 1);
    for (let i = start; i < end; i++) chunk[at + i - start] = bytes[i];
    return place;
  }

  /** The bytes around a place, in which it begins at `at(place)`. */
  chunk(place: number): Uint8Array {
    return this.chunks.list[Math.floor(place / CHUNK_BYTES)];
  }

  at(place: number): number {
    return place & (CHUNK_BYTES - 1);
  }

  remove(place: number, length: number): void {
    const units = unitsOf(length);
    writeNumber(this.chunks.writable(Math.floor(place / CHUNK_BYTES)), this.at(place), this.free[units] ?? 0);
    while (this.free.length < units) this.free.push(0);
    this.free[units] = place / UNIT_BYTES;
  }

  /** All of it, as it is now; it stays so. */
  content(): ByteStoreContent {
    return { chunks: this.chunks.freeze(), end: this.end, free: [...this.free] };
  }

  static from({ chunks, end, free }: ByteStoreContent): ByteStore {
    return Object.assign(new ByteStore(), { chunks: new Pages(chunks), end, free });
  }

  private take(units: number): number {
    const free = units < this.free.length ? this.free[units] : 0;
    if (free !== 0) {
      const place = free * UNIT_BYTES;
      this.free[units] = readNumber(this.chunk(place), this.at(place));
      return place;
    }
    const bytes = units * UNIT_BYTES;
    const { list } = this.chunks;
    if (this.end + bytes > list.length * CHUNK_BYTES) {
      this.end = list.length * CHUNK_BYTES;
      this.chunks.push(new Uint8Array(CHUNK_BYTES));
    }
    if (list.length === 1 && this.end + bytes > list[0].length) this.growFirst(this.end + bytes);
    const place = this.end;
    this.end += bytes;
    return place;
  }

  /** The first chunk starts small, for logs of few subjects. */
  private growFirst(needed: number): void {
    let { length } = this.chunks.list[0];
    while (length < needed) length *= 2;
    this.chunks.grow(0, new Uint8Array(length));
  }
}

function unitsOf(length: number): number {
  return Math.max(1, Math.ceil(length / UNIT_BYTES));
}

function writeNumber(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = value >>> (8 * i);
}

function readNumber(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
