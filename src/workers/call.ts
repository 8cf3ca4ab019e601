import type { Fault } from '../sandbox/fault.js';
import type { Frame } from '../sandbox/frame.js';
import { FAULT } from '../sandbox/instance.js';
import { Outbox } from '../sandbox/outbox.js';
import type { GuestSpec } from './protocol.js';

/** Who is asked, as a thread sees it. */
export interface Asked {
  readonly id: number;
  readonly spec: GuestSpec;
  /** What one call may take. */
  readonly watchdogMs: number;
  /** Whether the worker at hand knows it. */
  posted: boolean;
  memoryBytes: number;
  /** Workers that it took with it. */
  stuck: number;
  settle(call: Call, answer: Answer): void;
}

/** One thing asked of a guest in a worker thread, from when it is asked until it was answered; it may be asked again of another thread. */
export interface Call {
  /** Of `CallKind`. */
  readonly kind: number;
  /** Whom it is asked of. */
  guest: Asked;
  /** The message of a call with one; its bytes stay as they are until the answer. */
  readonly frame: Frame | null;
  /** Bytes of other calls. */
  readonly data: Uint8Array | null;
  /** What the guest is told of the time. */
  readonly wallMs: number;
  /** It was decided without asking, and only waits for the answers before it. */
  readonly decided: boolean;
  /** Whether its time is wanted; others are timed now and then. */
  readonly timed: boolean;
  /** `answer` holds until this returns. */
  onAnswer(answer: Answer): void;
}

/** What became of a call. */
export class Answer {
  /** The verdict on a message, 0 for another call that was done, or `FAULT`. */
  verdict = FAULT;
  /** Why, after a fault. */
  fault: Fault = { cause: 'unavailable', text: '' };
  fuelUsed = 0;
  /** Nanoseconds that it took, or -1 when it was not timed. */
  ns = -1;
  /** Whether that time stands for those of other calls, which were not timed. */
  isSample = false;
  memoryBytes = 0;
  /** Instances that were made for it. */
  renewals = 0;
  readonly outbox = new Outbox();

  /** Makes it that of a call of which nothing came, after so long. */
  failed(fault: Fault, ns = -1): this {
    this.verdict = FAULT;
    this.fault = fault;
    this.fuelUsed = 0;
    this.ns = ns;
    this.isSample = false;
    this.renewals = 0;
    if (!this.outbox.isEmpty) this.outbox.clear();
    return this;
  }
}
