import { wordsOf } from '../base/bytes.js';
import { FLAG, isRecord, RECORD_BYTES_MIN, recordFlags, recordLength, recordSequence } from './record.js';

/** A stretch of bytes that are not records, and the sequences that messages in it may have had. */
export interface Stretch {
  offset: number;
  bytes: number;
  firstSequence: number;
  lastSequence: number;
  /** Whether there is proof that what was here had been durable: then it is damage, else what a crash left of a write. */
  wasDurable: boolean;
}

/** No record behind damage has a sequence so far beyond what was before it: keeps chance hits out. */
const SEQUENCE_LEAP_MAX = 2 ** 40;

/** Walks the records of a segment, and finds the stretches that are not records. */
export class RecordScan {
  readonly stretches: Stretch[] = [];
  /** The offset of each record. */
  readonly records: number[] = [];
  /** The last sequence given, as far as the records say. */
  sequence: number;
  private readonly seed: number;

  constructor(base: number, seed: number) {
    this.sequence = base - 1;
    this.seed = seed;
  }

  /** Goes through `bytes[start, end)`, behind which there is slack for reading by words. Where there is no record it looks for the next one. */
  scan(bytes: Uint8Array, start: number, end: number): void {
    const view = wordsOf(bytes);
    for (let at = start; at < end; ) {
      if (isRecord(bytes, view, at, end, this.seed)) {
        this.note(view, at);
        at += recordLength(view, at);
      } else {
        const next = this.findRecord(bytes, view, at + 1, end);
        this.addStretch(at, next - at);
        at = next;
      }
    }
  }

  addStretch(offset: number, bytes: number): void {
    const first = this.sequence + 1;
    this.stretches.push({ offset, bytes, firstSequence: first, lastSequence: -1, wasDurable: false });
  }

  /** What was last lost is below `next`, if records did not say so. */
  end(next: number): void {
    for (const stretch of this.stretches) if (stretch.lastSequence < 0) stretch.lastSequence = next - 1;
  }

  private note(view: DataView, at: number): void {
    const flags = recordFlags(view, at);
    const sequence = recordSequence(view, at);
    const stretch = this.stretches.at(-1);
    if (stretch !== undefined) {
      if (stretch.lastSequence < 0) stretch.lastSequence = flags & FLAG.REMOVALS ? sequence : sequence - 1;
      if (flags & FLAG.FIRST_AFTER_SYNC) for (const each of this.stretches) each.wasDurable = true;
    }
    this.sequence = Math.max(this.sequence, sequence);
    this.records.push(at);
  }

  /** The next record, newer than those before; `end` when there is none. */
  private findRecord(bytes: Uint8Array, view: DataView, from: number, end: number): number {
    for (let at = from; at <= end - RECORD_BYTES_MIN; at++) {
      const length = recordLength(view, at);
      if (length < RECORD_BYTES_MIN || length > end - at) continue;
      const found = recordSequence(view, at) - (recordFlags(view, at) & FLAG.REMOVALS ? 0 : 1);
      if (found < this.sequence || found > this.sequence + SEQUENCE_LEAP_MAX) continue;
      if (isRecord(bytes, view, at, end, this.seed)) return at;
    }
    return end;
  }
}
