import { writeDecimal } from '../../base/bytes.js';
import { hashSubject, type Message } from '../../message/message.js';

/** Where the parts of a parsed PUB or HPUB are. */
export interface PublishParts {
  count: number;
  withReply: boolean;
  headersBytes: number;
  bodyStart: number;
  payloadEnd: number;
}

/** Room for `reply size size\r\n` beyond the line that was parsed. */
const SIZES_BYTES_MAX = 24;

/**
 * Fills `message` from a PUB or HPUB line. A line with single spaces, CRLF and plain sizes already is the tail that receivers
 * get; any other is written anew, so that a receiver sees what nats-server would send.
 */
export function canonicalPublish(message: Message, bytes: Uint8Array, tokens: Int32Array, parts: PublishParts): void {
  const { count, withReply, headersBytes, bodyStart, payloadEnd } = parts;
  const subjectStart = tokens[0];
  const subjectEnd = tokens[1];
  message.subjectHash = hashSubject(bytes, subjectStart, subjectEnd);
  message.tail = null;
  if (isCanonical(bytes, tokens, count, bodyStart)) {
    message.bytes = bytes;
    message.subjectStart = subjectStart;
    message.subjectEnd = subjectEnd;
    message.replyStart = tokens[2];
    message.replyEnd = withReply ? tokens[3] : tokens[2];
    message.headersStart = bodyStart;
    message.payloadStart = bodyStart + headersBytes;
    message.payloadEnd = payloadEnd;
    message.tailStart = tokens[2];
    message.tailEnd = payloadEnd + 2;
    return;
  }
  const reply = withReply ? bytes.subarray(tokens[2], tokens[3]) : bytes.subarray(0, 0);
  const withHeaders = count - (withReply ? 1 : 0) === 3;
  const bodyBytes = payloadEnd + 2 - bodyStart;
  const written = new Uint8Array(subjectEnd - subjectStart + reply.length + SIZES_BYTES_MAX + bodyBytes);
  written.set(bytes.subarray(subjectStart, subjectEnd), 0);
  let at = subjectEnd - subjectStart;
  message.bytes = written;
  message.subjectStart = 0;
  message.subjectEnd = at;
  message.tailStart = at;
  message.replyStart = at;
  written.set(reply, at);
  at += reply.length;
  message.replyEnd = at;
  if (withReply) written[at++] = 0x20;
  if (withHeaders) {
    at = writeDecimal(written, at, headersBytes);
    written[at++] = 0x20;
  }
  at = writeDecimal(written, at, payloadEnd - bodyStart);
  written[at++] = 0x0d;
  written[at++] = 0x0a;
  message.headersStart = at;
  message.payloadStart = at + headersBytes;
  message.payloadEnd = at + payloadEnd - bodyStart;
  written.set(bytes.subarray(bodyStart, payloadEnd + 2), at);
  message.tailEnd = message.payloadEnd + 2;
}

/** Whether the arguments are split by single spaces, the line ends in CRLF, and no size has a leading zero. */
function isCanonical(bytes: Uint8Array, tokens: Int32Array, count: number, bodyStart: number): boolean {
  for (let i = 1; i < count; i++) {
    if (tokens[i * 2] !== tokens[i * 2 - 1] + 1 || bytes[tokens[i * 2 - 1]] !== 0x20) return false;
    const sizeLike = i >= count - 2;
    if (sizeLike && bytes[tokens[i * 2]] === 0x30 && tokens[i * 2 + 1] - tokens[i * 2] > 1) return false;
  }
  return tokens[count * 2 - 1] === bodyStart - 2 && bytes[bodyStart - 2] === 0x0d;
}
