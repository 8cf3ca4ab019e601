/** What the configuration says about streams. */
export interface JetStreamOptions {
  /** Bytes in memory, and on disk; -1 is no limit. */
  memoryBytesMax: number;
  storeBytesMax: number;
  /** Empty without one. */
  domain: string;
  /** Whether requests with unknown fields are refused. */
  strict: boolean;
  /** When what is stored is made durable: before each acknowledgement, every so many ms, or when the system likes. */
  sync: 'always' | 'os' | number;
  /** 0 is no limit. */
  ackPendingMax: number;
  requestBatchMax: number;
  duplicateWindowMaxNs: number;
  /** -1 is no limit. */
  consumersMax: number;
  /** With which the log is encrypted; empty is not at all. */
  key: string;
  /** The one before, to read what was written with it. */
  previousKey: string;
  cipher: 'chacha' | 'aes';
}

export function defaultJetStream(): JetStreamOptions {
  return {
    memoryBytesMax: -1,
    storeBytesMax: -1,
    domain: '',
    strict: true,
    sync: 'always',
    ackPendingMax: 0,
    requestBatchMax: 0,
    duplicateWindowMaxNs: 0,
    consumersMax: -1,
    key: '',
    previousKey: '',
    cipher: 'chacha',
  };
}
