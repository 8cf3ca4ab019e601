import { takeFromArena } from '../base/arena.js';
import { copyBytes, copyWords, paddedBytes } from '../base/bytes.js';
import { hashWords, lookAt, Message } from '../message/message.js';
import { writeSizes } from '../wire/nats/encoder.js';

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;
/** The longest `headers total\r\n`, the spaces, and what a copy by words writes behind. */
const SIZES_BYTES_MAX = 40;
const LINE_BYTES = 16 * 1024;

/** What goes out instead of what was stored; null is as stored. */
export interface Changes {
  headers: Uint8Array | null;
  /** Whether the payload stays behind. */
  withoutPayload: boolean;
}

const AS_STORED: Changes = { headers: null, withoutPayload: false };

/** Bytes, and the same as words: `[0, length)` of them. */
export interface Words {
  readonly bytes: Uint8Array;
  readonly words: DataView;
  readonly length: number;
}

/**
 * Lays stored messages out as their receivers are to get them: one copy into bytes that are used over and over, in the form of a
 * publish line, so that a session copies the tail in one piece.
 *
 * ```text
 * subject ' ' reply ' ' [headers' bytes ' '] bytes \r\n headers payload \r\n
 *             └──────────────────────── tail ───────────────────────────┘
 * ```
 */
class Outgoing {
  private readonly message = new Message();

  constructor(bytes: Uint8Array) {
    lookAt(this.message, bytes);
  }

  /** The message under a reply subject; valid until the next call. */
  compose(stored: Message, reply: Words, changes: Changes = AS_STORED): Message {
    const { subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = stored;
    const { headers, withoutPayload } = changes;
    const headersBytes = headers?.length ?? payloadStart - headersStart;
    const payloadBytes = withoutPayload ? 0 : payloadEnd - payloadStart;
    const subjectBytes = subjectEnd - subjectStart;
    const replyBytes = reply.length;
    const total = headersBytes + payloadBytes;
    this.reserve(subjectBytes + replyBytes + total + SIZES_BYTES_MAX);
    const { message } = this;
    const { bytes } = message;
    copyWords(message.words, 0, stored.words, subjectStart, subjectBytes);
    message.subjectEnd = subjectBytes;
    message.subjectHash = stored.subjectHash;
    let at = subjectBytes;
    bytes[at++] = SPACE;
    message.tailStart = message.replyStart = at;
    copyBytes(message, at, reply, 0, replyBytes);
    at += replyBytes;
    message.replyEnd = at;
    if (replyBytes > 0) bytes[at++] = SPACE;
    at = writeSizes(bytes, at, headersBytes, total);
    message.headersStart = at;
    if (headers !== null) bytes.set(headers, at);
    const from = headers === null ? headersStart : payloadStart;
    const to = withoutPayload ? payloadStart : payloadEnd;
    copyBytes(message, headers === null ? at : at + headersBytes, stored, from, to - from);
    message.payloadStart = at + headersBytes;
    return this.end(at + total);
  }

  /**
   * The message as an answer on the reply subject of `request`: `writeHeaders` writes `headersBytes` of headers in place of those that
   * were stored. Valid until the next call.
   */
  answer(request: Message, stored: Message, headers: HeaderWriter): Message {
    const { replyStart, replyEnd } = request;
    const subjectBytes = replyEnd - replyStart;
    const payloadBytes = stored.payloadEnd - stored.payloadStart;
    const total = headers.length + payloadBytes;
    this.reserve(subjectBytes + total + SIZES_BYTES_MAX);
    const { message } = this;
    const { bytes } = message;
    copyWords(message.words, 0, request.words, replyStart, subjectBytes);
    message.subjectEnd = subjectBytes;
    message.subjectHash = hashWords(message.words, 0, subjectBytes);
    let at = subjectBytes;
    bytes[at++] = SPACE;
    message.tailStart = message.replyStart = message.replyEnd = at;
    at = writeSizes(bytes, at, headers.length, total);
    message.headersStart = at;
    headers.write(message, at);
    at += headers.length;
    message.payloadStart = at;
    copyBytes(message, at, stored, stored.payloadStart, payloadBytes);
    return this.end(at + payloadBytes);
  }

  private end(payloadEnd: number): Message {
    const { message } = this;
    const { bytes } = message;
    message.payloadEnd = payloadEnd;
    bytes[payloadEnd] = CR;
    bytes[payloadEnd + 1] = LF;
    message.tailEnd = payloadEnd + 2;
    message.tail = null;
    return message;
  }

  private reserve(length: number): void {
    if (length > this.message.bytes.length) lookAt(this.message, paddedBytes(2 ** Math.ceil(Math.log2(length))));
  }
}

/** Headers that are written where they are to stand. */
export interface HeaderWriter {
  readonly length: number;
  write(into: Message, at: number): void;
}

const first = takeFromArena(LINE_BYTES);
/** Those that nobody uses: one mostly, more when giving a message leads to another one before it is given. */
const free = [new Outgoing(first ?? paddedBytes(LINE_BYTES))];

/** Takes one, for as long as its message is needed. */
export function takeOutgoing(): Outgoing {
  return free.pop() ?? new Outgoing(paddedBytes(4096));
}

export function returnOutgoing(outgoing: Outgoing): void {
  free.push(outgoing);
}
