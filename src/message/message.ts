import { arenaOffset } from '../base/arena.js';
import { lastWord, paddedBytes, wordsOf } from '../base/bytes.js';

/**
 * One message in flight: offsets into `bytes`, no copies. Subject, reply, headers and payload are half-open ranges; an
 * absent part is an empty range.
 *
 * ```text
 * bytes  … s u b j e c t … r e p l y … N A T S / 1 . 0 … p a y l o a d \r \n
 *          ^subjectStart   ^replyStart ^headersStart     ^payloadStart ^payloadEnd
 *                          └──────────── tail: [reply ]sizes\r\n headers payload \r\n ──────┘
 * ```
 *
 * The bytes belong to whoever made the message and are valid until the call that handed it over returns: whoever keeps
 * them copies them. The object itself is reused for the next message, so it is never kept either.
 */
export class Message {
  bytes: Uint8Array = NO_BYTES;
  /** The same bytes, and what lies behind them, for whoever reads words. */
  words: DataView = NO_WORDS;
  /** Where `bytes` lie in the arena, or -1. */
  arenaOffset = -1;
  subjectStart = 0;
  subjectEnd = 0;
  /** `hashSubject` of the subject, so that the parser's pass over the bytes is the only one. */
  subjectHash = 0;
  replyStart = 0;
  replyEnd = 0;
  /** The raw `NATS/1.0…\r\n\r\n` block; it ends where the payload starts. */
  headersStart = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /**
   * Where a ready-made wire form of everything after the subject begins and ends, or -1: a publish line's tail is, byte for
   * byte, the tail of the line its receivers get, so it can be copied in one piece.
   */
  tailStart = -1;
  tailEnd = -1;
  /** A view of the tail, made once for all receivers of this message; null until the first one asks. */
  tail: Uint8Array | null = null;
  /** How many plugins' emits led to this message. */
  hops = 0;
}

/** Points the message at other bytes; its offsets are the caller's to set. */
export function lookAt(message: Message, bytes: Uint8Array): void {
  if (message.bytes === bytes) return;
  message.bytes = bytes;
  message.words = wordsOf(bytes);
  message.arenaOffset = arenaOffset(bytes);
  message.tail = null;
}

/** Bytes of nothing. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);
const NO_WORDS = wordsOf(NO_BYTES);

/** The parts that a message is made of; `null` is absent. */
export interface MessageParts {
  subject: Uint8Array;
  reply: Uint8Array | null;
  headers: Uint8Array | null;
  payload: Uint8Array;
}

/** Lays the parts next to each other in bytes of their own: a message that may be kept. */
export function composeMessage(parts: MessageParts, hops = 0): Message {
  const { subject, reply, headers, payload } = parts;
  const replyBytes = reply?.length ?? 0;
  const headersBytes = headers?.length ?? 0;
  // Whoever copies a part of it by words reads beyond its end.
  const bytes = paddedBytes(subject.length + replyBytes + headersBytes + payload.length);
  const message = new Message();
  message.bytes = bytes;
  message.words = wordsOf(bytes);
  message.subjectEnd = subject.length;
  message.replyStart = message.subjectEnd;
  message.replyEnd = message.replyStart + replyBytes;
  message.headersStart = message.replyEnd;
  message.payloadStart = message.headersStart + headersBytes;
  message.payloadEnd = bytes.length;
  message.subjectHash = hashSubject(subject, 0, subject.length);
  message.hops = hops;
  bytes.set(subject, 0);
  if (reply !== null) bytes.set(reply, message.replyStart);
  if (headers !== null) bytes.set(headers, message.headersStart);
  bytes.set(payload, message.payloadStart);
  return message;
}

/** Where every subject hash starts. The parser computes the same hash while it scans: keep the two alike. */
export const SUBJECT_HASH_SEED = 0x3c6ef372;
const SUBJECT_HASH_FACTOR = 0x9e3779b1 | 0;

/** One step of the hash: the next four bytes of the subject as a little-endian word, the last one filled up with zeros. */
export function hashStep(hash: number, word: number): number {
  return Math.imul(((hash << 5) | (hash >>> 27)) ^ word, SUBJECT_HASH_FACTOR);
}

/** The 32-bit hash of `bytes[start, end)`, four bytes a step (as FxHash does): its high bits are its best. */
export function hashSubject(bytes: Uint8Array, start: number, end: number): number {
  let hash = SUBJECT_HASH_SEED;
  for (let i = start; i < end; i += 4) {
    let word = 0;
    for (let j = Math.min(end, i + 4) - 1; j >= i; j--) word = (word << 8) | bytes[j];
    hash = hashStep(hash, word);
  }
  return hash;
}

/** The same of the bytes that `words` are a view of. */
export function hashWords(words: DataView, start: number, end: number): number {
  let hash = SUBJECT_HASH_SEED;
  let i = start;
  for (const last = end - 4; i <= last; i += 4) hash = hashStep(hash, words.getInt32(i, true));
  return i < end ? hashStep(hash, lastWord(words, i, end - i)) : hash;
}

/** Whether the message's subject is the one of so many bytes that `own` are made of (`packWords`). */
export function isSubject(message: Message, own: Int32Array, length: number): boolean {
  return message.subjectEnd - message.subjectStart === length && beginsWith(message, own, length);
}

/** Whether the message's subject, which is not shorter, begins with them. */
export function beginsWith({ words, subjectStart }: Message, own: Int32Array, length: number): boolean {
  const whole = length >> 2;
  for (let i = 0; i < whole; i++) if (own[i] !== words.getInt32(subjectStart + i * 4, true)) return false;
  // Of the last word only the bytes that belong to it.
  const rest = length & 3;
  return rest === 0 || own[whole] === lastWord(words, subjectStart + whole * 4, rest);
}
