import type { MessageLog } from '../storage/message-log.js';
import type { StreamConfig } from './stream-config.js';

/** A stream that others take messages from. */
export interface Origin {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly closed: boolean;
  /** Another one for each stream that was ever made, whatever its name. */
  readonly identity: string;
  /** Called whenever messages became durable. */
  readonly followers: Set<() => void>;
  /** A message is durable in the stream that took it. */
  onTaken(sequence: number): void;
}
