import { arenaOffset, copyInArena, takeFromArena } from '../base/arena.js';
import { copyBytes, paddedBytes, wordsOf } from '../base/bytes.js';
import { hashSubject, Message } from '../message/message.js';
import type { Outbox, Range } from '../sandbox/outbox.js';
import { writeSizes } from '../wire/nats/encoder.js';

/** Of a sheet: a message that is longer gets bytes of its own length. */
const SHEET_BYTES = 16 * 1024;
/** Sheets that lie in the arena; more are in use only while a message leads to others. */
const ARENA_SHEETS_MAX = 4;
const FREE_SHEETS_MAX = 16;
/** Blanks, line ends and the longest two sizes of a tail. */
const SYNTAX_BYTES = 32;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** Messages whose bytes are a sheet that nobody uses. */
const free: Message[] = [];
let arenaSheets = 0;

/**
 * The message with the outbox's parts in place of its own. It lies as a publisher would have sent it, its tail ready for whoever gets it, and
 * in the arena as a rule: it is delivered like any other.
 *
 * ```text
 * s u b j e c t _ r e p l y _ sizes \r \n N A T S / 1 . 0 … p a y l o a d \r \n
 * ```
 */
export function composeReplaced(message: Message, outbox: Outbox): Message {
  const { subject, reply, headers, payload } = outbox;
  const subjectBytes = lengthOf(subject, message.subjectEnd - message.subjectStart);
  const replyBytes = lengthOf(reply, message.replyEnd - message.replyStart);
  const headersBytes = lengthOf(headers, message.payloadStart - message.headersStart);
  const payloadBytes = lengthOf(payload, message.payloadEnd - message.payloadStart);
  const made = sheetFor(subjectBytes + replyBytes + headersBytes + payloadBytes + SYNTAX_BYTES);
  const bytes = made.bytes;
  made.subjectStart = 0;
  made.subjectEnd = subjectBytes;
  put(made, 0, message, message.subjectStart, outbox, subject, subjectBytes);
  made.subjectHash = subject === null ? message.subjectHash : hashSubject(bytes, 0, subjectBytes);
  let at = subjectBytes;
  bytes[at++] = SPACE;
  made.tailStart = at;
  made.replyStart = at;
  if (replyBytes > 0) {
    put(made, at, message, message.replyStart, outbox, reply, replyBytes);
    at += replyBytes;
    bytes[at++] = SPACE;
  }
  made.replyEnd = made.replyStart + replyBytes;
  at = writeSizes(bytes, at, headersBytes, headersBytes + payloadBytes);
  made.headersStart = at;
  put(made, at, message, message.headersStart, outbox, headers, headersBytes);
  at += headersBytes;
  made.payloadStart = at;
  put(made, at, message, message.payloadStart, outbox, payload, payloadBytes);
  at += payloadBytes;
  made.payloadEnd = at;
  bytes[at++] = CR;
  bytes[at++] = LF;
  made.tailEnd = at;
  made.tail = null;
  made.hops = message.hops;
  return made;
}

/** Lets a sheet be used again: its message was delivered, or was replaced itself. */
export function releaseReplaced(message: Message): void {
  if (message.bytes.length === SHEET_BYTES && free.length < FREE_SHEETS_MAX) free.push(message);
}

function lengthOf(range: Range | null, otherwise: number): number {
  return range === null ? otherwise : range.end - range.start;
}

function sheetFor(length: number): Message {
  if (length > SHEET_BYTES) return sheet(paddedBytes(length));
  const used = free.pop();
  if (used !== undefined) return used;
  if (arenaSheets === ARENA_SHEETS_MAX) return sheet(paddedBytes(SHEET_BYTES));
  arenaSheets++;
  return sheet(takeFromArena(SHEET_BYTES) ?? paddedBytes(SHEET_BYTES));
}

function sheet(bytes: Uint8Array): Message {
  const message = new Message();
  message.bytes = bytes;
  message.words = wordsOf(bytes);
  message.arenaOffset = arenaOffset(bytes);
  return message;
}

/** Puts a part at `at`: the outbox's, or the message's own that begins at `start`. */
function put(
  made: Message,
  at: number,
  message: Message,
  start: number,
  outbox: Outbox,
  range: Range | null,
  length: number,
): void {
  if (length === 0) return;
  if (range !== null) copyBytes(made, at, outbox, range.start, length);
  else if (made.arenaOffset >= 0 && message.arenaOffset >= 0) {
    copyInArena(made.arenaOffset + at, message.arenaOffset + start, length);
  } else copyBytes(made, at, message, start, length);
}
