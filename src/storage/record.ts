import { copyWords, WORD_SLACK_BYTES } from '../base/bytes.js';
import { hashWords, type Message } from '../message/message.js';
import type { Block } from './block.js';
import { crc32 } from './crc32.js';
import type { LogTime, StoredMessage } from './message-log.js';

/**
 * One record of the log. Little-endian; docs/adr/0010-format-of-the-message-log.md tells why.
 *
 * ```text
 * 0  crc32           u32  of all that follows, the length included
 * 4  length          u32  of the whole record
 * 8  sequence, low   u32
 * 12 sequence, high  u24, then flags u8
 * 16 time            u64  milliseconds << 20 | nanoseconds beyond them
 * 24 subject length  u16
 * 26 headers length  u32  only with HAS_HEADERS
 *    subject, headers, payload
 * ```
 *
 * A record of removals has the sequence and the time of the last message so far, and ranges for a payload (removal-record.ts).
 */
export const RECORD_BYTES_MIN = 26;
/** What no record is longer than: a length beyond it is damage. */
export const RECORD_BYTES_MAX = 72 * 1024 * 1024;
const HEADERS_LENGTH_BYTES = 4;

export const FLAG = {
  HAS_HEADERS: 1,
  /** Not a message: says which messages are removed. */
  REMOVALS: 2,
  /** When this was written everything before it was durable: damage before it is not a torn write. */
  FIRST_AFTER_SYNC: 4,
  /** The next message belongs with this one: a crash leaves both or none. */
  CONTINUES: 8,
} as const;
const FLAGS_ALL = FLAG.HAS_HEADERS | FLAG.REMOVALS | FLAG.FIRST_AFTER_SYNC | FLAG.CONTINUES;

const TWO_32 = 2 ** 32;
/** Up to here a loop over words copies faster than making a view. */
const WORDS_COPY_MAX = 64;

/** The length of a message's record. */
export function recordBytes(subjectBytes: number, headersBytes: number, payloadBytes: number): number {
  return RECORD_BYTES_MIN + subjectBytes + (headersBytes > 0 ? HEADERS_LENGTH_BYTES + headersBytes : 0) + payloadBytes;
}

/** The length of the record that this message makes. */
export function recordBytesOf(message: Message): number {
  return recordBytes(
    message.subjectEnd - message.subjectStart,
    message.payloadStart - message.headersStart,
    message.payloadEnd - message.payloadStart,
  );
}

/** Writes a message's record, whose length is `length`, at the end of a block that has room for it. */
export function writeMessage(
  block: Block,
  length: number,
  message: Message,
  sequence: number,
  time: LogTime,
  flags: number,
) {
  const { view, used } = block;
  const subjectBytes = message.subjectEnd - message.subjectStart;
  const headersBytes = message.payloadStart - message.headersStart;
  let at = used + RECORD_BYTES_MIN;
  if (headersBytes > 0) {
    flags |= FLAG.HAS_HEADERS;
    view.setUint32(at, headersBytes, true);
    at += HEADERS_LENGTH_BYTES;
  }
  copyPart(block, at, message, message.subjectStart, message.subjectEnd);
  at += subjectBytes;
  copyPart(block, at, message, message.headersStart, message.payloadEnd);
  view.setUint16(used + 24, subjectBytes, true);
  seal(block, length, sequence, time, flags);
}

function copyPart(block: Block, at: number, message: Message, start: number, end: number): void {
  if (end - start <= WORDS_COPY_MAX && end + WORD_SLACK_BYTES <= message.words.byteLength) {
    copyWords(block.view, at, message.words, start, end - start);
  } else {
    block.bytes.set(message.bytes.subarray(start, end), at);
  }
}

/** Writes what all records have in front, and makes the record part of the block. */
export function seal(block: Block, length: number, sequence: number, time: LogTime, flags: number): void {
  const { bytes, view, used } = block;
  view.setUint32(used + 4, length, true);
  view.setUint32(used + 8, sequence >>> 0, true);
  view.setUint32(used + 12, (Math.floor(sequence / TWO_32) | (flags << 24)) >>> 0, true);
  view.setUint32(used + 16, (((time.timeMs % 4096) << 20) | time.timeNs) >>> 0, true);
  view.setUint32(used + 20, Math.floor(time.timeMs / 4096), true);
  view.setUint32(used, crc32(bytes, view, used + 4, used + length, block.owner.seed), true);
  block.used = used + length;
}

/** Takes `FIRST_AFTER_SYNC` from the record at `at`: it will be written together with what is before it. */
export function unflagSync({ bytes, view, owner }: Block, at: number): void {
  const flags = recordFlags(view, at);
  if ((flags & FLAG.FIRST_AFTER_SYNC) === 0) return;
  view.setUint8(at + 15, flags & ~FLAG.FIRST_AFTER_SYNC);
  view.setUint32(at, crc32(bytes, view, at + 4, at + recordLength(view, at), owner.seed), true);
}

export function recordFlags(view: DataView, at: number): number {
  return view.getUint8(at + 15);
}

export function recordLength(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

export function recordSequence(view: DataView, at: number): number {
  return (view.getUint32(at + 12, true) & 0xffffff) * TWO_32 + view.getUint32(at + 8, true);
}

export function recordTimeMs(view: DataView, at: number): number {
  return view.getUint32(at + 20, true) * 4096 + (view.getUint32(at + 16, true) >>> 20);
}

export function recordTimeNs(view: DataView, at: number): number {
  return view.getUint32(at + 16, true) & 0xfffff;
}

/** Where the subject starts, and its length. */
export function subjectStart(view: DataView, at: number): number {
  return at + RECORD_BYTES_MIN + (recordFlags(view, at) & FLAG.HAS_HEADERS ? HEADERS_LENGTH_BYTES : 0);
}

export function subjectLength(view: DataView, at: number): number {
  return view.getUint16(at + 24, true);
}

/** Whether `bytes[at, end)` begins with a whole and undamaged record of a segment with this seed. */
export function isRecord(bytes: Uint8Array, view: DataView, at: number, end: number, seed: number): boolean {
  if (end - at < RECORD_BYTES_MIN) return false;
  const length = recordLength(view, at);
  if (length < RECORD_BYTES_MIN || length > RECORD_BYTES_MAX || length > end - at) return false;
  const flags = recordFlags(view, at);
  if ((flags & ~FLAGS_ALL) !== 0 || recordTimeNs(view, at) > 999_999) return false;
  let parts = RECORD_BYTES_MIN + subjectLength(view, at);
  if (flags & FLAG.HAS_HEADERS) {
    if (length < parts + HEADERS_LENGTH_BYTES) return false;
    parts += HEADERS_LENGTH_BYTES + view.getUint32(at + RECORD_BYTES_MIN, true);
  }
  return parts <= length && crc32(bytes, view, at + 4, at + length, seed) === view.getUint32(at, true);
}

/** Makes `into` the message of the record at `at`. */
export function readMessage(block: Block, at: number, into: StoredMessage): void {
  const { bytes, view } = block;
  const { message } = into;
  const headers = recordFlags(view, at) & FLAG.HAS_HEADERS;
  const end = at + recordLength(view, at);
  const start = at + RECORD_BYTES_MIN + (headers ? HEADERS_LENGTH_BYTES : 0);
  message.bytes = bytes;
  message.words = view;
  message.subjectStart = start;
  message.subjectEnd = start + subjectLength(view, at);
  message.subjectHash = hashWords(view, start, message.subjectEnd);
  message.replyStart = message.replyEnd = message.headersStart = message.subjectEnd;
  message.payloadStart = message.headersStart + (headers ? view.getUint32(at + RECORD_BYTES_MIN, true) : 0);
  message.payloadEnd = end;
  message.tail = null;
  into.sequence = recordSequence(view, at);
  into.timeMs = recordTimeMs(view, at);
  into.timeNs = recordTimeNs(view, at);
  into.place = block;
  into.placeEnd = end;
}
