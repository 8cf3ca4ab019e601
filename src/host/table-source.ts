/** Takes an entry of a bucket; a value of null is one that is not there any more. False: not now, ask again in a later turn. */
export type TakeEntry = (key: string, value: Uint8Array | null) => boolean;

/** A bucket that is being followed. */
export interface TableFeed {
  /** Whether the bucket is there. */
  readonly following: boolean;
  /** Resolves when everything was taken that was in the bucket at first; at once when there is none. */
  readonly ready: Promise<void>;
  close(): void;
}

/** The key-value buckets of an account: what tables of plugins are fed with. */
export interface TableSource {
  has(bucket: string): boolean;
  /** Hands over the keys that the filter matches, and what becomes of them. A bucket that is not there is waited for. */
  follow(bucket: string, keys: string, take: TakeEntry): TableFeed;
}
