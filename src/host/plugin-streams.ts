import type { Message } from '../message/message.js';
import type { TableSource } from './table-source.js';

/** Which messages of a stream: at most so many of the last ones, none that is older, and those that the filter matches. */
export interface RecordedRange {
  last?: number | undefined;
  sinceMs?: number | undefined;
  filter?: string | undefined;
}

/** A message of a stream; valid until the next one is read, or the turn of the event loop ends. */
export interface RecordedMessage {
  readonly message: Message;
  readonly sequence: number;
  readonly timeMs: number;
}

/** Messages of a stream, oldest first, as far as they were there at the beginning. */
export interface RecordedMessages {
  next(): RecordedMessage | null;
  /** Brings what comes next into memory. */
  warm(): Promise<void>;
  /** Removes a message from the stream. False when it is not there, or the stream lets nothing be removed. */
  remove(sequence: number): boolean;
}

/** What plugins have of an account's streams: key-value buckets for tables, and messages to be tried on. */
export interface PluginStreams extends TableSource {
  /** Null when there is no such stream. */
  recorded(stream: string, range: RecordedRange): Promise<RecordedMessages | null>;
}
