import { paddedBytes, wordsOf } from '../base/bytes.js';
import { hashSubject, Message } from '../message/message.js';
import { writeSizes } from '../wire/nats/encoder.js';

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;
/** The longest `headers total\r\n` and the spaces. */
const SIZES_BYTES_MAX = 32;

/** What goes out instead of what was stored; null is as stored. */
export interface Changes {
  headers: Uint8Array | null;
  /** Whether the payload stays behind. */
  withoutPayload: boolean;
}

const AS_STORED: Changes = { headers: null, withoutPayload: false };

/**
 * Lays stored messages out as their receivers are to get them: one copy into bytes that are used over and over, in the form of a
 * publish line, so that a session copies the tail in one piece.
 *
 * ```text
 * subject ' ' reply ' ' [headers' bytes ' '] bytes \r\n headers payload \r\n
 *             └──────────────────────── tail ───────────────────────────┘
 * ```
 */
export class Outgoing {
  private readonly message = new Message();
  private bytes = paddedBytes(4096);

  constructor() {
    this.use(this.bytes);
  }

  /** The message under the reply subject `reply[0, replyBytes)`; valid until the next call. */
  compose(stored: Message, reply: Uint8Array, replyBytes: number, changes: Changes = AS_STORED): Message {
    const { subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = stored;
    const { headers, withoutPayload } = changes;
    const headersBytes = headers?.length ?? payloadStart - headersStart;
    const payloadBytes = withoutPayload ? 0 : payloadEnd - payloadStart;
    const subjectBytes = subjectEnd - subjectStart;
    const total = headersBytes + payloadBytes;
    this.reserve(subjectBytes + replyBytes + total + SIZES_BYTES_MAX);
    const { bytes, message } = this;
    bytes.set(stored.bytes.subarray(subjectStart, subjectEnd), 0);
    message.subjectEnd = subjectBytes;
    message.subjectHash = hashSubject(bytes, 0, subjectBytes);
    let at = subjectBytes;
    bytes[at++] = SPACE;
    message.tailStart = message.replyStart = at;
    bytes.set(replyBytes === reply.length ? reply : reply.subarray(0, replyBytes), at);
    at += replyBytes;
    message.replyEnd = at;
    if (replyBytes > 0) bytes[at++] = SPACE;
    at = writeSizes(bytes, at, headersBytes, total);
    message.headersStart = at;
    if (headers !== null) bytes.set(headers, at);
    const from = headers === null ? headersStart : payloadStart;
    const to = withoutPayload ? payloadStart : payloadEnd;
    const copyAt = headers === null ? at : at + headersBytes;
    bytes.set(stored.bytes.subarray(from, to), copyAt);
    message.payloadStart = at + headersBytes;
    at += total;
    message.payloadEnd = at;
    bytes[at++] = CR;
    bytes[at++] = LF;
    message.tailEnd = at;
    message.tail = null;
    return message;
  }

  private reserve(length: number): void {
    if (length <= this.bytes.length) return;
    this.use(paddedBytes(2 ** Math.ceil(Math.log2(length))));
  }

  private use(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.message.bytes = bytes;
    this.message.words = wordsOf(bytes);
  }
}
