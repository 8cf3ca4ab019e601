import { paddedBytes, utf8, wordsOf, writeDecimal, writeDigits } from '../base/bytes.js';
import type { StoredMessage } from '../storage/message-log.js';

/** Five numbers, their dots, and what a copy by words reads behind. */
const NUMBERS_BYTES_MAX = 120;
const DOT = 0x2e;
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;

/**
 * Where a consumer's messages are acknowledged: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<ns>.<pending>`.
 * It stands in the same bytes each time: mostly only the last digits of it change, since the next message comes next in all counts.
 */
export class AckReply {
  readonly bytes: Uint8Array;
  readonly words: DataView;
  length = 0;
  private readonly prefixBytes: number;
  /** What was written last, and where its numbers end. */
  private deliveries = 0;
  private sequence = 0;
  private consumerSequence = 0;
  private pending = 0;
  private timeMs = -1;
  private timeNs = 0;
  private sequenceEnd = 0;
  private consumerEnd = 0;
  private timeEnd = 0;

  constructor(stream: string, consumer: string) {
    const prefix = utf8(`$JS.ACK.${stream}.${consumer}.`);
    this.prefixBytes = prefix.length;
    this.bytes = paddedBytes(prefix.length + NUMBERS_BYTES_MAX);
    this.words = wordsOf(this.bytes);
    this.bytes.set(prefix);
  }

  /** Writes that of one delivery; `pending`: how many messages come behind it. */
  write(stored: StoredMessage, deliveries: number, consumerSequence: number, pending: number): void {
    const { sequence, timeMs, timeNs } = stored;
    const isNext =
      sequence === this.sequence + 1 &&
      consumerSequence === this.consumerSequence + 1 &&
      pending === this.pending - 1 &&
      deliveries === this.deliveries;
    if (!isNext || !this.step() || !this.moveTime(timeMs, timeNs))
      this.writeAll(stored, deliveries, consumerSequence, pending);
    this.deliveries = deliveries;
    this.sequence = sequence;
    this.consumerSequence = consumerSequence;
    this.pending = pending;
    this.timeMs = timeMs;
    this.timeNs = timeNs;
  }

  /** Counts on by one; false, and the bytes are any, when a number gets another length by it. */
  private step(): boolean {
    const { bytes, length } = this;
    return countUp(bytes, this.sequenceEnd) && countUp(bytes, this.consumerEnd) && countDown(bytes, length);
  }

  private writeAll({ sequence, timeMs, timeNs }: StoredMessage, deliveries: number, consumer: number, pending: number) {
    const { bytes } = this;
    let at = writeDecimal(bytes, this.prefixBytes, deliveries);
    bytes[at++] = DOT;
    at = this.sequenceEnd = writeDecimal(bytes, at, sequence);
    bytes[at++] = DOT;
    at = this.consumerEnd = writeDecimal(bytes, at, consumer);
    bytes[at++] = DOT;
    at = this.timeEnd = this.writeTime(at, timeMs, timeNs);
    bytes[at++] = DOT;
    this.length = writeDecimal(bytes, at, pending);
  }

  /** Puts another time in place of the last one; false as `step`. Many messages come at the same time. */
  private moveTime(timeMs: number, timeNs: number): boolean {
    if (timeMs === this.timeMs && timeNs === this.timeNs) return true;
    return this.writeTime(this.consumerEnd + 1, timeMs, timeNs) === this.timeEnd;
  }

  private writeTime(start: number, timeMs: number, timeNs: number): number {
    const at = writeDecimal(this.bytes, start, timeMs);
    writeDigits(this.bytes, at, at + 6, timeNs);
    return at + 6;
  }
}

/** Adds one to the number that ends at `end`; false when it has only nines. */
function countUp(bytes: Uint8Array, end: number): boolean {
  for (let at = end - 1; ; at--) {
    const digit = bytes[at];
    if (digit === DOT) return false;
    if (digit !== NINE) {
      bytes[at] = digit + 1;
      return true;
    }
    bytes[at] = ZERO;
  }
}

/** Takes one from the number that ends at `end`; false when its first digit would be a zero. */
function countDown(bytes: Uint8Array, end: number): boolean {
  for (let at = end - 1; ; at--) {
    const digit = bytes[at];
    if (digit === DOT) return false;
    if (digit !== ZERO) {
      bytes[at] = digit - 1;
      return digit !== ONE || bytes[at - 1] !== DOT || at === end - 1;
    }
    bytes[at] = NINE;
  }
}
