import { copyWords, paddedBytes, wordsOf } from '../base/bytes.js';

const BYTES_MIN = 4096;
/** So much that was taken is given up at once, when it is more than half. */
const COMPACT_MIN = 1024;

/**
 * Reply subjects that wait for their acknowledgement, first in, first out. They lie in one piece of memory that is used over and over:
 * with an object for each, collecting them costs more than storing the messages.
 *
 * ```text
 * bytes |…taken…|_INBOX.a.1|_INBOX.a.2|…free…|
 *        first ──►^ends[first - 1]
 * ```
 */
export class ReplyQueue {
  private bytes = paddedBytes(BYTES_MIN);
  private words = wordsOf(this.bytes);
  private sequences: number[] = [];
  private ends: number[] = [];
  private rests: string[] = [];
  private first = 0;

  get length(): number {
    return this.sequences.length - this.first;
  }

  /** The sequence that the first one waits for. */
  get sequence(): number {
    return this.sequences[this.first];
  }

  /** What its acknowledgement says more than others. */
  get rest(): string {
    return this.rests[this.first];
  }

  /** Adds the subject `source[start, end)`. */
  push(source: DataView, start: number, end: number, sequence: number, rest: string): void {
    const at = this.ends.length === 0 ? 0 : this.ends[this.ends.length - 1];
    const length = end - start;
    if (at + length > this.bytes.length) this.reserve(at + length);
    copyWords(this.words, at, source, start, length);
    this.sequences.push(sequence);
    this.ends.push(at + length);
    this.rests.push(rest);
  }

  get firstBytes(): number {
    return this.ends[this.first] - this.startOfFirst();
  }

  /** Takes the first one away, copying it to `target` at `at`, and up to `WORD_SLACK_BYTES` more. */
  takeFirst(target: DataView, at: number): void {
    copyWords(target, at, this.words, this.startOfFirst(), this.firstBytes);
    this.first++;
    if (this.first === this.sequences.length) this.clear();
    else if (this.first > COMPACT_MIN && this.first * 2 > this.sequences.length) this.compact();
  }

  private startOfFirst(): number {
    return this.first === 0 ? 0 : this.ends[this.first - 1];
  }

  private clear(): void {
    this.sequences.length = this.ends.length = this.rests.length = this.first = 0;
    // What a great burst needed is not kept for ever.
    if (this.bytes.length > 256 * BYTES_MIN) this.use(paddedBytes(BYTES_MIN));
  }

  private compact(): void {
    const start = this.startOfFirst();
    this.bytes.copyWithin(0, start, this.ends[this.ends.length - 1]);
    this.sequences = this.sequences.slice(this.first);
    this.rests = this.rests.slice(this.first);
    this.ends = this.ends.slice(this.first).map((end) => end - start);
    this.first = 0;
  }

  private reserve(length: number): void {
    const larger = paddedBytes(2 ** Math.ceil(Math.log2(length)));
    larger.set(this.bytes);
    this.use(larger);
  }

  private use(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.words = wordsOf(bytes);
  }
}
