import { utf8, writeDecimal } from '../../base/bytes.js';
import type { Message } from '../../message/message.js';

export const PING_LINE = utf8('PING\r\n');
export const PONG_LINE = utf8('PONG\r\n');
export const OK_LINE = utf8('+OK\r\n');

export function errorLine(text: string): Uint8Array {
  return utf8(`-ERR '${text}'\r\n`);
}

export function infoLine(info: object): Uint8Array {
  return utf8(`INFO ${JSON.stringify(info)}\r\n`);
}

/** `MSG <subject> <sid> ` or `HMSG <subject> <sid> `: what stands in front of a message's tail. */
export function deliveryPrefix(verb: 'MSG' | 'HMSG', subject: Uint8Array, sid: Uint8Array): Uint8Array {
  return Buffer.concat([utf8(`${verb} `), subject, ONE_SPACE, sid, ONE_SPACE]);
}

/** Writes `[headers' bytes ' '] bytes \r\n`, as a publish line and a delivery have it; returns the offset behind it. */
export function writeSizes(bytes: Uint8Array, at: number, headersBytes: number, totalBytes: number): number {
  if (headersBytes > 0) {
    at = writeDecimal(bytes, at, headersBytes);
    bytes[at++] = SPACE;
  }
  at = writeDecimal(bytes, at, totalBytes);
  bytes[at++] = CR;
  bytes[at++] = LF;
  return at;
}

/** Longest `headers total\r\n`. */
const SIZES_BYTES_MAX = 24;

/**
 * Makes the message's tail for a message that did not come from a publish line, `[reply ]sizes\r\nheaders payload\r\n`, in
 * bytes of its own.
 */
export function encodeTail(message: Message): Uint8Array {
  return writeTail(message, message.headersStart);
}

/** The tail as a receiver without header support gets it. */
export function encodeTailWithoutHeaders(message: Message): Uint8Array {
  return writeTail(message, message.payloadStart);
}

function writeTail(message: Message, bodyStart: number): Uint8Array {
  const { bytes, replyStart, replyEnd, payloadStart, payloadEnd } = message;
  const replyBytes = replyEnd - replyStart;
  const headersBytes = payloadStart - bodyStart;
  const tail = new Uint8Array(replyBytes + SIZES_BYTES_MAX + payloadEnd - bodyStart);
  let at = 0;
  if (replyBytes > 0) {
    tail.set(bytes.subarray(replyStart, replyEnd), 0);
    tail[replyBytes] = SPACE;
    at = replyBytes + 1;
  }
  at = writeSizes(tail, at, headersBytes, payloadEnd - bodyStart);
  tail.set(bytes.subarray(bodyStart, payloadEnd), at);
  at += payloadEnd - bodyStart;
  tail[at++] = CR;
  tail[at++] = LF;
  return tail.subarray(0, at);
}

const SPACE = 0x20;
const ONE_SPACE = Uint8Array.of(SPACE);
const CR = 0x0d;
const LF = 0x0a;
