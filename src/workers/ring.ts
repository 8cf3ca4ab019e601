/**
 * Whole records on their way from one thread to another, in memory that both see. One thread writes, the other reads; neither waits here.
 *
 * ```text
 * words   0 written   bytes ever written, modulo 2³²        16 read   bytes ever read
 * bytes   128 …       | length ⋯ record | length ⋯ record | 0 (the rest is skipped) |
 * ```
 *
 * A record begins at a multiple of 8, is never cut in two, and has its length, of itself and the padding behind it, in its first word.
 */
const WRITTEN = 0;
const READ = 16;
const HEAD_BYTES = 128;
const ALIGN_BYTES = 8;

/** The memory of a ring for `capacity` bytes, a power of two. */
export function ringMemory(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD_BYTES + capacity);
}

/** Views of a ring; offsets are those of its buffer. */
class Ring {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Int32Array;
  readonly capacity: number;

  constructor(memory: SharedArrayBuffer) {
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.words = new Int32Array(memory);
    this.capacity = memory.byteLength - HEAD_BYTES;
  }
}

/** The largest record: two of them always find room one after the other, wherever the first one lies. */
export function recordBytesMax(capacity: number): number {
  return capacity / 4;
}

export class RingWriter extends Ring {
  private written = 0;
  /** What the reader had read when room was looked for last. */
  private seen = 0;

  /** The offset of a new record of up to `length` bytes, a multiple of 8; or -1 when there is no room for it now. */
  reserve(length: number): number {
    const needed = padded(length);
    this.seen = Atomics.load(this.words, READ);
    const free = this.capacity - ((this.written - this.seen) | 0);
    const at = this.written & (this.capacity - 1);
    const left = this.capacity - at;
    if (needed <= left) return needed <= free ? HEAD_BYTES + at : -1;
    if (left + needed > free) return -1;
    this.words[(HEAD_BYTES + at) / 4] = 0;
    this.written = (this.written + left) | 0;
    return HEAD_BYTES;
  }

  /** Hands over the record that was reserved last, which came to `length` bytes. */
  commit(length: number): void {
    const at = HEAD_BYTES + (this.written & (this.capacity - 1));
    const whole = padded(length);
    this.words[at / 4] = whole;
    this.written = (this.written + whole) | 0;
    Atomics.store(this.words, WRITTEN, this.written);
  }

  /** Waits, on a thread that may, until something was read since `reserve` found no room. */
  awaitReader(timeoutMs: number): void {
    Atomics.wait(this.words, READ, this.seen, timeoutMs);
  }
}

export class RingReader extends Ring {
  private read = 0;

  /** The offset of the next record, or -1. It stays until `release`. */
  next(): number {
    for (;;) {
      if (Atomics.load(this.words, WRITTEN) === this.read) return -1;
      const at = HEAD_BYTES + (this.read & (this.capacity - 1));
      if (this.words[at / 4] !== 0) return at;
      this.read = (this.read + this.capacity - (at - HEAD_BYTES)) | 0;
    }
  }

  /** Gives back the record at `at`. */
  release(at: number): void {
    this.read = (this.read + this.words[at / 4]) | 0;
    Atomics.store(this.words, READ, this.read);
  }

  /** Wakes a writer that waits for room. */
  wakeWriter(): void {
    Atomics.notify(this.words, READ);
  }
}

function padded(length: number): number {
  return (length + ALIGN_BYTES - 1) & -ALIGN_BYTES;
}
