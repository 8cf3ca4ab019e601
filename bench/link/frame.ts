import type { Message } from '../../src/message/message.js';

/**
 * A message on a minimal link between two servers: what the sender has parsed, the receiver need not look for again.
 *
 * ```text
 * u32 bytes behind this | u32 hash of the subject | u16 subject bytes | u16 flags | subject | payload
 * ```
 */
export const FRAME_HEAD_BYTES = 12;
/** The receiver sends such a frame back. */
export const ECHO = 1;

/** Writes the frame of a message at `at` and returns where the next one goes. */
export function writeFrame(batch: Buffer, at: number, message: Message): number {
  const { bytes, subjectStart, subjectEnd, payloadStart, payloadEnd } = message;
  const subjectBytes = subjectEnd - subjectStart;
  const payloadAt = at + FRAME_HEAD_BYTES + subjectBytes;
  const end = payloadAt + payloadEnd - payloadStart;
  batch.writeUInt32LE(end - at - 4, at);
  batch.writeInt32LE(message.subjectHash, at + 4);
  batch.writeUInt32LE(subjectBytes, at + 8);
  for (let i = 0; i < subjectBytes; i++) batch[at + FRAME_HEAD_BYTES + i] = bytes[subjectStart + i];
  batch.set(bytes.subarray(payloadStart, payloadEnd), payloadAt);
  return end;
}

/** Calls `take` for every whole frame and returns where the first that is not whole begins. */
export function readFrames(bytes: Buffer, end: number, take: (bytes: Buffer, at: number, end: number) => void): number {
  let at = 0;
  while (at + FRAME_HEAD_BYTES <= end) {
    const next = at + 4 + bytes.readUInt32LE(at);
    if (next > end) break;
    take(bytes, at, next);
    at = next;
  }
  return at;
}
