import { wordsOf } from '../../base/bytes.js';
import { hashSubject, type Message } from '../../message/message.js';

/** Where the parts of a parsed PUB or HPUB are. */
export interface PublishParts {
  count: number;
  withReply: boolean;
  headersBytes: number;
  bodyStart: number;
  payloadEnd: number;
}

/**
 * Fills `message`, whose `bytes` are those of the line, from a PUB or HPUB line. A line with single spaces and CRLF already is the tail that receivers get; any other is
 * written anew, so that a receiver sees what nats-server would send: the arguments as they were, sizes with their leading zeros too.
 */
export function canonicalPublish(message: Message, bytes: Uint8Array, tokens: Int32Array, parts: PublishParts): void {
  const { count, withReply, headersBytes, bodyStart, payloadEnd } = parts;
  const subjectStart = tokens[0];
  const subjectEnd = tokens[1];
  message.subjectHash = hashSubject(bytes, subjectStart, subjectEnd);
  message.tail = null;
  if (isCanonical(tokens, parts, bytes)) {
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
  const written = new Uint8Array(payloadEnd + 2 - subjectStart);
  let at = copyRange(written, 0, bytes, subjectStart, subjectEnd);
  message.bytes = written;
  message.words = wordsOf(written);
  message.arenaOffset = -1;
  message.subjectStart = 0;
  message.subjectEnd = at;
  message.tailStart = at;
  message.replyStart = at;
  message.replyEnd = at;
  // Headers of no bytes are no headers: without their size the tail is that of a plain message.
  const noHeaders = count - (withReply ? 1 : 0) === 3 && headersBytes === 0;
  for (let i = 1; i < count; i++) {
    if (noHeaders && i === count - 2) continue;
    if (i > 1 && at > message.tailStart) written[at++] = SPACE;
    at = copyRange(written, at, bytes, tokens[i * 2], tokens[i * 2 + 1]);
    if (i === 1 && withReply) message.replyEnd = at;
  }
  written[at++] = CR;
  written[at++] = LF;
  message.headersStart = at;
  message.payloadStart = at + headersBytes;
  message.payloadEnd = at + payloadEnd - bodyStart;
  message.tailEnd = copyRange(written, at, bytes, bodyStart, payloadEnd + 2);
}

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** Copies `bytes[start, end)` to `target` at `at`; returns the offset behind it. */
function copyRange(target: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  target.set(bytes.subarray(start, end), at);
  return at + end - start;
}

/** Whether the arguments are split by single spaces, the line ends in CRLF, and headers, if there are any, are not empty. */
function isCanonical(tokens: Int32Array, parts: PublishParts, bytes: Uint8Array): boolean {
  const { count, withReply, headersBytes, bodyStart } = parts;
  if (count - (withReply ? 1 : 0) === 3 && headersBytes === 0) return false;
  for (let i = 1; i < count; i++) {
    if (tokens[i * 2] !== tokens[i * 2 - 1] + 1 || bytes[tokens[i * 2 - 1]] !== SPACE) return false;
  }
  return tokens[count * 2 - 1] === bodyStart - 2 && bytes[bodyStart - 2] === CR;
}
