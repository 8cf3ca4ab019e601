import { FLAG, RECORD_BYTES_MIN, recordFlags, recordLength } from './record.js';

/** So many bytes of ranges at most go into one record. */
const PAYLOAD_BYTES_MAX = 16 * 1024;
/** Two numbers of seven bits a byte: a sequence has 53 bits. */
const RANGE_BYTES_MAX = 16;

/** Ranges of sequences that were removed, in the order of removal; those that touch become one. */
export class RemovedRanges {
  /** first, last, first, last, … */
  private ends: number[] = [];
  private taken = 0;

  get isEmpty(): boolean {
    return this.taken === this.ends.length;
  }

  add(first: number, last: number): void {
    const { ends } = this;
    const end = ends.length - 1;
    if (end > this.taken && ends[end] === first - 1) ends[end] = last;
    else if (end > this.taken && ends[end - 1] === last + 1) ends[end - 1] = first;
    else ends.push(first, last);
  }

  /** Takes as many ranges as one record holds, as its payload:  { first, count: seven bits a byte, lowest first }. */
  takePayload(): Uint8Array {
    const payload = new Uint8Array(
      Math.min(PAYLOAD_BYTES_MAX, ((this.ends.length - this.taken) / 2) * RANGE_BYTES_MAX),
    );
    let at = 0;
    while (this.taken < this.ends.length && at + RANGE_BYTES_MAX <= payload.length) {
      const first = this.ends[this.taken++];
      const last = this.ends[this.taken++];
      at = writeNumber(payload, at, first);
      at = writeNumber(payload, at, last - first);
    }
    if (this.isEmpty) {
      this.ends = [];
      this.taken = 0;
    }
    return payload.subarray(0, at);
  }
}

/** Calls `visit` with each range of the record of removals at `at`. Does nothing for other records. */
export function forEachRemoved(view: DataView, at: number, visit: (first: number, last: number) => void): void {
  if ((recordFlags(view, at) & FLAG.REMOVALS) === 0) return;
  const end = at + recordLength(view, at);
  let value = 0;
  let unit = 1;
  let first = -1;
  for (let i = at + RECORD_BYTES_MIN; i < end; i++) {
    const byte = view.getUint8(i);
    value += (byte & 127) * unit;
    unit *= 128;
    if (byte > 127) continue;
    if (first < 0) first = value;
    else {
      visit(first, first + value);
      first = -1;
    }
    value = 0;
    unit = 1;
  }
}

function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  while (value > 127) {
    bytes[at++] = (value % 128) | 128;
    value = Math.floor(value / 128);
  }
  bytes[at++] = value;
  return at;
}
