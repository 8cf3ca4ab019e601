import type { Account } from '../broker/account.js';
import type { Message } from '../message/message.js';

/** Where a consumer's messages go out. */
export interface Outlet {
  /** Whether somebody takes messages now, as far as one can tell without a message. */
  readonly open: boolean;
  /** Who gets the next message, of so many bytes; null: nobody now. `nowMs`: when it began to give what it gives now. */
  addressFor(bytes: number, unseen: number, nowMs: number): Message | null;
  /** A header that every message gets, or null. */
  readonly header: readonly [string, string] | null;
  /** The address took the message, just now. */
  onSent(bytes: number, nowMs: number): void;
  /** Nobody listens on the address any more. */
  onLost(): void;
  /** There is nothing more to give now; `atEnd`: since all was given, and not since acknowledgements are missing. */
  onIdle(atEnd: boolean): void;
  /** The consumer ends. */
  close(statusLine: string): void;
}

/** What outlets ask of the consumer. */
export interface OutletOwner {
  readonly broker: Account;
  /** How many acknowledgements are missing. */
  readonly ackPending: number;
  /** Looks again whether something can go out. */
  wake(): void;
  /** Somebody was there: the consumer is in use. */
  touch(): void;
}
