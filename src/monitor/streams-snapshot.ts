import type { ApiStats } from '../stream/api-request.js';
import type { Streams } from '../stream/streams.js';

/** One account's streams, for monitoring to look at. */
export interface AccountStreamsSnapshot {
  readonly streams: Streams;
  readonly stats: Readonly<ApiStats>;
}

/** What streams as a part of the server are. */
export interface JetStreamSnapshot {
  memoryBytesMax: number;
  storeBytesMax: number;
  folder: string;
  domain: string;
  strict: boolean;
  /** When what is stored is made durable: before each acknowledgement, every so many ms, or when the system likes. */
  sync: 'always' | 'os' | number;
  /** What streams and consumers may ask for; 0, and -1 consumers, is no limit. */
  limits: { requestBatchMax: number; ackPendingMax: number; duplicateWindowMaxNs: number; consumersMax: number };
  /** By name. */
  accounts: readonly AccountStreamsSnapshot[];
}
