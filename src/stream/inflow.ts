import type { MessageLog, StoredMessage } from '../storage/message-log.js';
import type { ApiErrorJson } from './api-error.js';
import type { Origin } from './origin.js';
import type { SourceConfig, StreamConfig } from './stream-config.js';
import type { Surroundings } from './surroundings.js';

/** A message of another stream, valid within the call. */
export type Taken = Pick<StoredMessage, 'message' | 'sequence' | 'timeMs' | 'timeNs'>;

/** Takes a message under its new subject (null is the same) from the stream of this identity, or says false: not now. */
export type Hand = (taken: Taken, subject: Uint8Array | null, identity: string) => boolean;

/** A stream that takes messages from others, as what brings them sees it. */
export interface Taker {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly nowMs: number;
  readonly surroundings: Surroundings;
  /** The stream of this name, once it is there. */
  findOrigin(name: string): Origin | undefined;
  /** Stores a message of another stream; false: not now. */
  takeMirrored(taken: Taken, subject: Uint8Array | null): boolean;
  takeSourced(taken: Taken, subject: Uint8Array | null, source: string): boolean;
}

/** Where a reader begins, and what with. */
export interface Start {
  /** The next sequence to take; 0: where the configuration says. */
  position: number;
  /** The stream it is a position in; '' when that is not known. */
  identity: string;
  hand: Hand;
  kind: 'mirror' | 'source';
}

/** Reads one other stream from a position on, and hands on what it finds. */
export interface Reader {
  readonly source: SourceConfig;
  info(): SourceInfo;
  /** Looks whether the other stream is there, or another one by that name. */
  lookAgain(): void;
  /** Messages became durable where they were taken to. */
  onCommit(): void;
  close(): void;
}

/** Messages that come from other streams: a mirror's, or those of sources. */
export interface Inflow {
  /** `mirror` or `sources` of the stream's information. */
  info(): object;
  /** Other streams came or went. */
  lookAgain(): void;
  /** Messages of its own became durable. */
  onCommit(): void;
  /** Stops taking. */
  close(): void;
}

/** How far a source was followed. */
export interface SourceInfo {
  name: string | undefined;
  external: SourceConfig['external'];
  lag: number;
  active: number;
  error?: ApiErrorJson | undefined;
  filter_subject: string | undefined;
  subject_transforms: SourceConfig['subject_transforms'];
}
