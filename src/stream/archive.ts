import { textOf, utf8 } from '../base/bytes.js';
import { RECORD_BYTES_MAX } from '../storage/record.js';

/**
 * The archive of a stream, as nats-server 2.14 and later write it: entries one behind the other, first `state.json`, then
 * `consumers/<name>`, then messages, whose name is their subject; an entry of zeros is the end.
 *
 * ```text
 * "NATSARC1" then entries: name's bytes | time | sequence | headers' bytes | payload's bytes   (varints, time signed, in ns)
 *                          name | headers | payload
 * ```
 */
const MAGIC = utf8('NATSARC1');
const NAME_BYTES_MAX = 1 << 20;

export class ArchiveMistake extends Error {}

export interface ArchiveEntry {
  name: Uint8Array;
  timeMs: number;
  timeNs: number;
  /** 0 is none. */
  sequence: number;
  headers: Uint8Array;
  payload: Uint8Array;
}

/** What an archive begins with. */
export function archiveHead(): Uint8Array {
  return MAGIC;
}

export function archiveEntry({ name, timeMs, timeNs, sequence, headers, payload }: ArchiveEntry): Uint8Array {
  const time = BigInt(timeMs) * 1_000_000n + BigInt(timeNs);
  const numbers = [BigInt(name.length), time * 2n, BigInt(sequence), BigInt(headers.length), BigInt(payload.length)];
  return Buffer.concat([Uint8Array.from(numbers.flatMap(varint)), name, headers, payload]);
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  return [...bytes, Number(value)];
}

/** Whether it is the entry behind the last one. */
export function isEnd({ name, sequence, headers, payload }: ArchiveEntry): boolean {
  return name.length === 0 && sequence === 0 && headers.length === 0 && payload.length === 0;
}

/** Takes an archive in pieces, gives its entries. */
export class ArchiveReader {
  private rest: Buffer = Buffer.alloc(0);
  /** What came behind `rest`, and is joined with it once an entry is complete: not again for each piece of a long one. */
  private pieces: Uint8Array[] = [];
  private bytes = 0;
  /** Bytes without which there is nothing to read. */
  private wanted = MAGIC.length;
  private begun = false;

  /** Gives one entry after the other: a megabyte holds hundreds of thousands of small ones. Throws an `ArchiveMistake`. */
  *push(piece: Uint8Array): Generator<ArchiveEntry> {
    this.pieces.push(piece);
    this.bytes += piece.length;
    if (this.bytes < this.wanted) return;
    this.rest = Buffer.concat([this.rest, ...this.pieces]);
    this.pieces = [];
    if (!this.begun) {
      if (textOf(this.rest, 0, MAGIC.length) !== textOf(MAGIC))
        throw new ArchiveMistake(`an archive of streams begins with ${textOf(MAGIC)}: this is another format`);
      this.begun = true;
      this.rest = this.rest.subarray(MAGIC.length);
    }
    this.wanted = 0;
    for (let entry = this.next(); entry !== null; entry = this.next()) yield entry;
    this.bytes = this.rest.length;
  }

  private next(): ArchiveEntry | null {
    const numbers: bigint[] = [];
    let at = 0;
    while (numbers.length < 5) {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        if (at >= this.rest.length) return null;
        if (shift > 63n) throw new ArchiveMistake('a number is too long');
        const byte = this.rest[at++];
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      numbers.push(value);
    }
    const [nameBytes, time, sequence, headersBytes, payloadBytes] = numbers;
    if (nameBytes > NAME_BYTES_MAX || headersBytes + payloadBytes > RECORD_BYTES_MAX)
      throw new ArchiveMistake('an entry is too long');
    const nameEnd = at + Number(nameBytes);
    const headersEnd = nameEnd + Number(headersBytes);
    const end = headersEnd + Number(payloadBytes);
    if (end > this.rest.length) {
      this.wanted = end;
      return null;
    }
    const entry: ArchiveEntry = {
      name: this.rest.subarray(at, nameEnd),
      timeMs: Number(time / 2n / 1_000_000n),
      timeNs: Number((time / 2n) % 1_000_000n),
      sequence: Number(sequence),
      headers: this.rest.subarray(nameEnd, headersEnd),
      payload: this.rest.subarray(headersEnd, end),
    };
    this.rest = this.rest.subarray(end);
    return entry;
  }
}
