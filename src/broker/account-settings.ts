/** Limits of one account; -1 is none. */
export interface AccountLimits {
  connectionsMax: number;
  subscriptionsMax: number;
  payloadBytesMax: number;
  leafNodesMax: number;
}

export const NO_LIMITS: Readonly<AccountLimits> = {
  connectionsMax: -1,
  subscriptionsMax: -1,
  payloadBytesMax: -1,
  leafNodesMax: -1,
};

/** How many answers a request gets. */
export type ResponseType = 'singleton' | 'stream' | 'chunked';

/** What an account offers to others. */
export interface ExportSettings {
  kind: 'stream' | 'service';
  subject: string;
  /** Who may import it; null is everybody. */
  accounts: readonly string[] | null;
  /** Which token of the subject must be the importing account's name, counted from 1; 0 is none. */
  tokenPosition: number;
  responseType: ResponseType;
  /** How long an answer may take. */
  responseThresholdMs: number;
  latency: { subject: string; sampling: number } | null;
  /** Whether a traced request is followed into this account. */
  allowTrace: boolean;
}

/** What an account takes from another one. */
export interface ImportSettings {
  kind: 'stream' | 'service';
  account: string;
  /** The subject in the other account. */
  subject: string;
  /** The subject here; empty is the same. */
  to: string;
  /** Put in front of a stream's subjects. */
  prefix: string;
  /** Whether the other account is told who asks. */
  share: boolean;
  /** Whether the traced messages of a stream are followed into this account. */
  allowTrace: boolean;
  /** Whether the other account agreed by a token: then it needs not be on its list. */
  activated?: boolean;
}

/** Where messages go that are published to a subject. */
export interface MappingSettings {
  source: string;
  /** Weights in percent. */
  destinations: readonly { subject: string; weight: number; cluster: string }[];
}

export interface AccountSettings {
  name: string;
  limits: AccountLimits;
  exports: readonly ExportSettings[];
  imports: readonly ImportSettings[];
  mappings: readonly MappingSettings[];
  /** Where traces go of messages with a `traceparent`, and of how many of them in a hundred; null is nowhere. */
  trace: { dest: string; sampling: number } | null;
}

export function emptyAccount(name: string): AccountSettings {
  return { name, limits: NO_LIMITS, exports: [], imports: [], mappings: [], trace: null };
}
