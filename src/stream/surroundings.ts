import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Account } from '../broker/account.js';
import type { Origin } from './origin.js';

/** What streams and consumers need of the house they live in. */
export interface Surroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The account whose messages they take and give. */
  readonly broker: Account;
  /** Of the server, that leads all its streams. */
  readonly serverName: string;
  /** Empty without one. */
  readonly domain: string;
  /** Whether as much as may be is stored. */
  isExhausted(storage: 'file' | 'memory', nowMs: number): boolean;
  /** The stream of this name, as one to take messages from. */
  findOrigin(name: string): Origin | undefined;
  /** Letters and digits that nobody else has. */
  newId(length: number): string;
  /** Tells whoever listens on `$JS.EVENT.ADVISORY.<subject>` what happened. */
  advise(subject: string, type: string, fields: object): void;
  /** The same for `$JS.EVENT.METRIC.<subject>`. */
  measure(subject: string, type: string, fields: object): void;
}
