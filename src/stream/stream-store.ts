import type { LogListener, MessageLog } from '../storage/message-log.js';
import type { ConsumerConfig } from './consumer-config.js';
import type { LedgerState } from './ledger.js';
import type { StoredMarks } from './source-marks.js';
import type { StreamConfig } from './stream-config.js';

/** A consumer as it was written down. */
export interface StoredConsumer {
  name: string;
  config: ConsumerConfig;
  createdMs: number;
  state: LedgerState | null;
}

/** Where one stream keeps its messages, its configuration and its consumers. */
export interface StreamStore {
  openLog(listener: LogListener, config: StreamConfig): Promise<MessageLog>;
  /** How far sources were taken; null: nothing is written down. */
  readMarks(): Promise<StoredMarks | null>;
  /** `state` is asked whenever they are written down. */
  watchMarks(state: () => Promise<StoredMarks>): void;
  touchMarks(): void;
  flushMarks(): Promise<unknown>;
  /** Limits are being lowered: what is beyond them has to go, by the next process if this one ends. */
  noteSweep(): Promise<void>;
  /** All of it is gone. */
  endSweep(): Promise<void>;
  saveConfig(config: StreamConfig, createdMs: number): Promise<void>;
  /** `state` is asked whenever the state is written down. */
  saveConsumer(consumer: Omit<StoredConsumer, 'state'>, state: () => LedgerState): Promise<void>;
  /** The same for a consumer that was written down before. */
  watch(name: string, state: () => LedgerState): void;
  removeConsumer(name: string): Promise<void>;
  /** The consumer's state changed: it is written down soon. */
  touch(name: string): void;
  /** Resolves when the consumer's state, as it is now, is durable; with false when it could not be written. */
  flush(name: string): Promise<boolean>;
  close(): Promise<void>;
  /** Removes what makes it a stream: after a crash it is none, whatever else is left. */
  forget(): Promise<void>;
  /** Removes everything. */
  delete(): Promise<void>;
}

/** A stream as it was written down. */
export interface StoredStream {
  config: StreamConfig;
  createdMs: number;
}
