import type { MessageLog } from '../storage/message-log.js';
import type { ConsumerConfig } from './consumer-config.js';
import type { Feed } from './feed.js';
import type { Ledger } from './ledger.js';
import type { StreamConfig } from './stream-config.js';
import type { Surroundings } from './surroundings.js';

/** The stream, as its consumers see it. They tell it who they are by name. */
export interface ConsumerOwner {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly surroundings: Surroundings;
  /** The consumer will not ask for this message again. */
  onDone(name: string, sequence: number): void;
  /** The consumer's state changed: it has to be written down some time. */
  onChanged(name: string): void;
  /** The consumer was not used for so long that it is to go. */
  onUnused(name: string): void;
}

/** A consumer, as its parts see it. */
export interface ConsumerCore {
  readonly name: string;
  readonly config: ConsumerConfig;
  readonly ledger: Ledger;
  readonly feed: Feed;
  readonly owner: ConsumerOwner;
  ackedMs: number;
  /** When a message was last given, and when it was last used. */
  readonly deliveredMs: number;
  readonly usedMs: number;
  /** Gives what can be given. */
  wake(): void;
}
