import type { FaultCause } from '../sandbox/fault.js';
import type { PluginLimits } from './limits.js';

/** When a plugin of a chain runs. Within a phase, by `order`, then by name. */
export const PHASES = ['authorize', 'validate', 'transform', 'enrich', 'observe'] as const;
export type Phase = (typeof PHASES)[number];

/** What is done with a message whose plugin failed. */
export const FAILURE_ACTIONS = ['reject', 'dead-letter', 'drop', 'pass', 'bypass-chain'] as const;
export type FailureAction = (typeof FAILURE_ACTIONS)[number];

/** Where an attachment is in a message's way: once before it is matched with subscriptions, or for some of its receivers. */
export const STAGES = ['publish', 'deliver'] as const;
export type Stage = (typeof STAGES)[number];

/** Where a plugin runs: on the event loop, or in a worker thread beside it. */
export const TIERS = ['loop', 'worker'] as const;
export type Tier = (typeof TIERS)[number];

/** Receivers that an attachment of the stage `deliver` is for; what is left out is all of them. */
export interface ReceiverSelection {
  /** Covers the subject filter of the subscription. */
  subscription?: string;
  queue?: string;
  user?: string;
  /** A stream whose consumers give the message, and one of them by its name. */
  stream?: string;
  consumer?: string;
}

/** Fault causes that have an action of their own; `default` is for the others. */
export type FailurePolicy = Partial<Record<FaultCause | 'default', FailureAction>>;

/** Budgets as an attachment asks for them; what is left out has the default. */
export interface BudgetRequest {
  fuel_per_message?: number;
  /** For making the instance and handing over the configuration. */
  fuel_for_init?: number;
  memory_bytes?: number;
  output_bytes?: number;
  /** In the worker tier: what one call may take. */
  watchdog_ms?: number;
  /** Further messages that one call may publish. */
  emits_per_message?: number;
  /** Messages and bytes beyond these are faults with the cause `overload`. */
  messages_per_second?: number;
  bytes_per_second?: number;
  /** Time of the processor, as a share of one: 0.25 is a quarter of each second. */
  cpu_share?: number;
  /** What its table may hold: entries, and bytes of their keys and values. */
  table_entries?: number;
  table_bytes?: number;
}

/** What a plugin looks up: keys and values that the host hands to it, and keeps up to date. */
export interface TableDeclaration {
  /** Values by their keys; they are handed over as JSON text. */
  entries?: Record<string, unknown>;
  /** Only in the configuration file: a file that holds the entries, as a JSON object. */
  file?: string;
  /** A key-value bucket of the account; what is in it goes before `entries` of the same key. */
  bucket?: string;
  /** Which keys of the bucket, as a filter; all of them when left out. */
  keys?: string;
}

/** Effects that an attachment may have. */
export interface Grants {
  /** Subject filters that it may emit to. */
  emit?: string[];
  log?: boolean;
  metric?: boolean;
  /** Keeps what the plugin saves of itself: over a swap, a new instance, a restart. */
  state?: boolean;
  /** Has a table. */
  table?: boolean;
}

/** An attachment as an operator writes it, in the configuration file or as JSON. */
export interface AttachmentDeclaration {
  name: string;
  plugin: string;
  /** A version number; the newest at the time of attaching when left out. */
  version?: number;
  /** The subject filter it is attached to. */
  subject: string;
  /** `publish` when left out. */
  stage?: Stage;
  /** Only at the stage `deliver`. */
  receivers?: ReceiverSelection;
  phase?: Phase;
  order?: number;
  /** Milliseconds between ticks, in place of what the plugin's manifest says. */
  tick_ms?: number;
  /** Where it runs; `loop` when left out. */
  tier?: Tier;
  /** Whether its module charges fuel; `on` when left out, and `off` only on the tier `worker`. */
  metering?: 'on' | 'off';
  /** Handed to the plugin as JSON. */
  config?: unknown;
  table?: TableDeclaration;
  budget?: BudgetRequest;
  grants?: Grants;
  failure?: FailurePolicy;
  /** Allows `pass` on failure where it would let through what a plugin was there to stop. */
  force?: boolean;
}

/** What the configuration file declares in `plugins { … }`. */
export interface PluginDeclarations {
  enabled: boolean;
  modules: { name: string; file: string }[];
  attachments: AttachmentDeclaration[];
  /** Public nkeys: modules have to be signed by one of them. */
  trustedKeys?: readonly string[];
  /** The most worker threads for attachments of the tier `worker`. */
  workers?: number;
  limits?: Partial<PluginLimits>;
}
