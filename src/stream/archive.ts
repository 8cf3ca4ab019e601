import { paddedBytes, textOf, utf8 } from '../base/bytes.js';
import { NO_BYTES } from '../message/message.js';
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
  /** An entry, as far as it came: all of it that is kept, and never by reference to a piece that it came in. */
  private rest: Uint8Array = NO_BYTES;
  /** The same when its length is known, and the next piece came. */
  private entry: Uint8Array | null = null;
  private entryUsed = 0;
  private begun = false;
  /** How long the entry is whose end has not come; 0 when that is not known. The next piece makes room for all of it. */
  wantedBytes = 0;

  /** Gives one entry after the other: a megabyte holds hundreds of thousands of small ones. Throws an `ArchiveMistake`. */
  *push(piece: Uint8Array): Generator<ArchiveEntry> {
    let bytes = piece;
    if (this.wantedBytes > 0) {
      bytes = piece.subarray(this.fill(piece));
      const { entry } = this;
      if (entry!.length > this.entryUsed) return;
      this.entry = null;
      this.wantedBytes = 0;
      yield entryIn(entry!, headIn(entry!, 0)!);
    } else if (this.rest.length > 0) bytes = Buffer.concat([this.rest, piece]);
    this.rest = NO_BYTES;
    let at = this.begin(bytes);
    for (let head = at < 0 ? null : headIn(bytes, at); head !== null; head = headIn(bytes, at)) {
      if (head.end > bytes.length) {
        this.wantedBytes = head.end - at;
        break;
      }
      yield entryIn(bytes, head);
      at = head.end;
    }
    // A copy: a `Buffer`, whose own `slice` copies nothing, would keep all of the piece.
    this.rest = new Uint8Array(bytes.subarray(Math.max(0, at)));
  }

  /** Where the first entry begins, or -1 when that has not come. */
  private begin(bytes: Uint8Array): number {
    if (this.begun) return 0;
    if (bytes.length < MAGIC.length) return -1;
    if (textOf(bytes, 0, MAGIC.length) !== textOf(MAGIC))
      throw new ArchiveMistake(`an archive of streams begins with ${textOf(MAGIC)}: this is another format`);
    this.begun = true;
    return MAGIC.length;
  }

  /** Adds to the entry whose length is known; how much of the piece it took. */
  private fill(piece: Uint8Array): number {
    if (this.entry === null) {
      this.entry = paddedBytes(this.wantedBytes);
      this.entry.set(this.rest);
      this.entryUsed = this.rest.length;
    }
    const taken = Math.min(piece.length, this.entry.length - this.entryUsed);
    this.entry.set(piece.subarray(0, taken), this.entryUsed);
    this.entryUsed += taken;
    return taken;
  }
}

/** The numbers in front of an entry, and where it begins and ends. */
interface Head {
  start: number;
  end: number;
  nameBytes: number;
  headersBytes: number;
  time: bigint;
  sequence: number;
}

/** Null when it is not all there. */
function headIn(bytes: Uint8Array, at: number): Head | null {
  const numbers: bigint[] = [];
  let start = at;
  while (numbers.length < 5) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (start >= bytes.length) return null;
      if (shift > 63n) throw new ArchiveMistake('a number is too long');
      const byte = bytes[start++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    numbers.push(value);
  }
  const [nameBytes, time, sequence, headersBytes, payloadBytes] = numbers;
  if (nameBytes > NAME_BYTES_MAX || headersBytes + payloadBytes > RECORD_BYTES_MAX)
    throw new ArchiveMistake('an entry is too long');
  return {
    start,
    end: start + Number(nameBytes + headersBytes + payloadBytes),
    nameBytes: Number(nameBytes),
    headersBytes: Number(headersBytes),
    time,
    sequence: Number(sequence),
  };
}

function entryIn(bytes: Uint8Array, { start, end, nameBytes, headersBytes, time, sequence }: Head): ArchiveEntry {
  const nameEnd = start + nameBytes;
  const headersEnd = nameEnd + headersBytes;
  return {
    name: bytes.subarray(start, nameEnd),
    timeMs: Number(time / 2n / 1_000_000n),
    timeNs: Number((time / 2n) % 1_000_000n),
    sequence,
    headers: bytes.subarray(nameEnd, headersEnd),
    payload: bytes.subarray(headersEnd, end),
  };
}
