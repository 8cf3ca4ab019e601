/** What a server, or an account, may use at most. -1 is no limit. */
export interface StreamLimits {
  memoryBytesMax: number;
  storeBytesMax: number;
  streamsMax: number;
  /** Of one stream. */
  consumersMax: number;
  /** 0 is no limit. */
  ackPendingMax: number;
  /** Messages of one pull request; 0 is no limit. */
  requestBatchMax: number;
  /** Longest duplicate window in ns; 0 is no limit. */
  duplicateWindowMaxNs: number;
}

export const NO_LIMITS: StreamLimits = {
  memoryBytesMax: -1,
  storeBytesMax: -1,
  streamsMax: -1,
  consumersMax: -1,
  ackPendingMax: 0,
  requestBatchMax: 0,
  duplicateWindowMaxNs: 0,
};
