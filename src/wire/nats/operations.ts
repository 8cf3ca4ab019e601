import type { Message } from '../../message/message.js';

/** What a parser tells a session. All offsets are into `bytes` and hold until the call returns. */
export interface Operations {
  /** PUB or HPUB, payload and all. */
  onPublish(message: Message): void;
  /** SUB subject [queue] sid; the queue range is empty when absent. */
  onSubscribe(bytes: Uint8Array, tokens: Int32Array, withQueue: boolean): void;
  /** UNSUB sid [max]; `max` is 0 when absent. */
  onUnsubscribe(bytes: Uint8Array, sidStart: number, sidEnd: number, max: number): void;
  /** CONNECT; the range is its JSON. */
  onConnect(bytes: Uint8Array, start: number, end: number): void;
  onPing(): void;
  onPong(): void;
  /** -ERR from the peer. */
  onError(bytes: Uint8Array, start: number, end: number): void;
  /** Some kilobytes of a chunk are done, and there is more in it: `hold` makes it wait. */
  onSlice?(bytes: number): void;
  /** The peer broke a rule of the protocol: nothing further is parsed. */
  onViolation(violation: Violation, bytes: Uint8Array, start: number, end: number): void;
}

/** How a peer can break the protocol's rules. */
export const Violation = {
  /** Not an operation, or a payload without its line end. */
  protocol: 0,
  /** The size on a PUB or HPUB line is beyond the payload limit. */
  payload: 1,
  controlLine: 2,
  /** HPUB without header support. */
  headers: 3,
  /** The first operation was not CONNECT although one is needed. */
  authorization: 4,
  /** An operation with too few or too many arguments, or with sizes that are none. */
  arguments: 5,
} as const;
export type Violation = (typeof Violation)[keyof typeof Violation];
