import { wordsOf } from '../base/bytes.js';

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** The parts of one message as they lie in its publisher's bytes. An absent part has the same start and end; headers end where the payload starts. */
export interface Frame {
  readonly bytes: Uint8Array;
  /** The same bytes, and what lies behind them. */
  readonly words: DataView;
  /** Where `bytes` lie in the arena, or -1. */
  readonly arenaOffset: number;
  readonly subjectStart: number;
  readonly subjectEnd: number;
  readonly replyStart: number;
  readonly replyEnd: number;
  readonly headersStart: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** A frame of one message after the other: the same object each time. */
export class MovingFrame implements Frame {
  bytes = NO_BYTES;
  words: DataView = wordsOf(NO_BYTES);
  arenaOffset = -1;
  subjectStart = 0;
  subjectEnd = 0;
  replyStart = 0;
  replyEnd = 0;
  headersStart = 0;
  payloadStart = 0;
  payloadEnd = 0;
}

/** A frame whose parts lie next to each other in bytes of their own. */
export function frameOf(subject: Uint8Array, reply: Uint8Array, headers: Uint8Array, payload: Uint8Array): Frame {
  const bytes = Buffer.concat([subject, reply, headers, payload]);
  const replyStart = subject.length;
  const headersStart = replyStart + reply.length;
  const payloadStart = headersStart + headers.length;
  return {
    bytes,
    words: wordsOf(bytes),
    arenaOffset: -1,
    subjectStart: 0,
    subjectEnd: replyStart,
    replyStart,
    replyEnd: headersStart,
    headersStart,
    payloadStart,
    payloadEnd: bytes.length,
  };
}
