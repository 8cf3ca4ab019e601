import { paddedBytes, utf8, wordsOf, writeDecimal, writeDigits } from '../base/bytes.js';
import type { StoredMessage } from '../storage/message-log.js';

/** Five numbers, their dots, and what a copy by words reads behind. */
const NUMBERS_BYTES_MAX = 120;
const DOT = 0x2e;
const TIME_DIGITS = 13;

/** Where a consumer's messages are acknowledged: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<ns>.<pending>`. */
export class AckReply {
  readonly bytes: Uint8Array;
  readonly words: DataView;
  length = 0;
  private readonly prefixBytes: number;
  /** Milliseconds as they were written last: many messages come within one. */
  private readonly time = new Uint8Array(TIME_DIGITS);
  private timeMs = -1;

  constructor(stream: string, consumer: string) {
    const prefix = utf8(`$JS.ACK.${stream}.${consumer}.`);
    this.prefixBytes = prefix.length;
    this.bytes = paddedBytes(prefix.length + NUMBERS_BYTES_MAX);
    this.words = wordsOf(this.bytes);
    this.bytes.set(prefix);
  }

  /** Writes that of one delivery; `pending`: how many messages come behind it. */
  write({ sequence, timeMs, timeNs }: StoredMessage, deliveries: number, consumerSequence: number, pending: number) {
    const { bytes } = this;
    let at = writeDecimal(bytes, this.prefixBytes, deliveries);
    bytes[at++] = DOT;
    at = writeDecimal(bytes, at, sequence);
    bytes[at++] = DOT;
    at = writeDecimal(bytes, at, consumerSequence);
    bytes[at++] = DOT;
    at = this.writeTime(at, timeMs);
    writeDigits(bytes, at, at + 6, timeNs);
    at += 6;
    bytes[at++] = DOT;
    this.length = writeDecimal(bytes, at, pending);
  }

  private writeTime(at: number, timeMs: number): number {
    const { bytes, time } = this;
    if (timeMs !== this.timeMs) {
      const end = writeDecimal(bytes, at, timeMs);
      if (end - at !== TIME_DIGITS) return end;
      this.timeMs = timeMs;
      for (let i = 0; i < TIME_DIGITS; i++) time[i] = bytes[at + i];
      return end;
    }
    for (let i = 0; i < TIME_DIGITS; i++) bytes[at + i] = time[i];
    return at + TIME_DIGITS;
  }
}
