import type { Budget } from '../sandbox/budget.js';
import type { Image } from '../sandbox/image.js';
import type { PreparedModule } from '../sandbox/prepare.js';

/** What the event loop asks a worker thread to do. */
export const CallKind = { message: 1, open: 2, tick: 3, drain: 4, save: 5, restore: 6, budget: 7, close: 8 } as const;

/** Everything a guest is made of, as it is posted to a thread. */
export interface GuestSpec {
  readonly id: number;
  readonly prepared: PreparedModule;
  readonly budget: Budget;
  /** JSON text. */
  readonly config: string;
  /** What each new instance is a copy of; null when it is started anew each time. */
  readonly image: Image | null;
  /** Whether its state outlives an instance. */
  readonly keepsState: boolean;
  /** What it saved of itself last. */
  readonly savedState: Uint8Array | null;
}

/**
 * A request in its ring, in words of four bytes; the bytes of a frame, or of whatever else the kind needs, begin at `REQUEST_BYTES`.
 *
 * ```text
 * 0 length   1 kind   2 guest   3 flags   4 bytes   5 subject end   6, 7 reply   8 headers start   9 payload start   10, 11 time (double)
 * ```
 */
export const RequestWord = {
  kind: 1,
  guest: 2,
  flags: 3,
  bytes: 4,
  subjectEnd: 5,
  replyStart: 6,
  replyEnd: 7,
  headersStart: 8,
  payloadStart: 9,
  time: 10,
} as const;
export const REQUEST_BYTES = 48;

/**
 * An answer in its ring: one for each request, in the same order. The outbox's records begin at `ANSWER_BYTES`, the text of a fault behind them.
 *
 * ```text
 * 0 length   1 verdict   2 fuel   3 nanoseconds, or -1   4 memory   5 code   6 renewals   7 cause, or -1   8 outbox bytes   9 text bytes   10 flags
 * ```
 */
export const AnswerWord = {
  verdict: 1,
  fuel: 2,
  ns: 3,
  memoryBytes: 4,
  code: 5,
  renewals: 6,
  cause: 7,
  outboxBytes: 8,
  textBytes: 9,
  flags: 10,
} as const;
export const ANSWER_BYTES = 48;

/** Flags of requests and answers: the bytes are too many for the ring and come by the thread's port. */
export const BY_PORT = 1;
/** Of a request: its time is wanted. */
export const TIMED = 2;
/** Of an answer: its time is there because it was wanted, and stands for no other call. */
export const NO_SAMPLE = 4;

/** Words that both threads look at. */
export const StatusWord = {
  /** Counts up when there is something to do. */
  bell: 0,
  workerSleeps: 1,
  loopSleeps: 2,
  /** Calls begun so far. */
  begun: 3,
  /** `Phase` of the call at hand. */
  phase: 4,
  wantsRoom: 5,
} as const;
export const STATUS_BYTES = 64;

/** What a thread is at: a new instance may take longer than a call. */
export const Phase = { idle: 0, opening: 1, calling: 2 } as const;

/** What a thread is started with. */
export interface ThreadMemory {
  readonly status: SharedArrayBuffer;
  readonly requests: SharedArrayBuffer;
  readonly answers: SharedArrayBuffer;
}

/** What comes by the port: a guest to be, or bytes that are too many for a ring. */
export type Posted = GuestSpec | Uint8Array;
