/** What a server, or an account, may use at most. -1 is no limit. */
export interface StreamLimits {
  memoryBytesMax: number;
  storeBytesMax: number;
  /** What the account itself is promised, which may be less. */
  accountMemoryMax: number;
  accountStoreMax: number;
  streamsMax: number;
  /** Of one stream, by storage; -1 is no limit. */
  memoryStreamBytesMax: number;
  storeStreamBytesMax: number;
  /** Whether each stream must have a limit of bytes. */
  bytesMaxRequired: boolean;
  /** Of one stream. */
  consumersMax: number;
  /** 0 is no limit. */
  ackPendingMax: number;
  /** Messages of one pull request; 0 is no limit. */
  requestBatchMax: number;
  /** Longest duplicate window in ns; 0 is no limit. */
  duplicateWindowMaxNs: number;
  /** The tier that these are of; empty without tiers, `missing`: none of them is for streams of one replica. */
  tier: '' | 'R1' | 'missing';
}
