import type { Verdict } from '../auth/authentication.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Account } from '../broker/account.js';
import type { Accounts } from '../broker/accounts.js';
import type { MessageTrace } from '../broker/message-trace.js';
import type { FlushQueue } from '../net/flush-queue.js';
import type { Transport } from '../net/transport.js';
import type { Congestion } from './congestion.js';
import type { ConnectOptions } from './connect-options.js';
import type { InfoBuilder } from './info.js';
import type { ClientLimits } from './limits.js';
import type { ReadingTurn } from './reading-turn.js';
import type { ClientTls } from './tls-entrance.js';

/** Who wants to be known, as far as the connection says it: a session. */
export interface Applicant {
  readonly id: number;
  readonly label: string;
  readonly transport: Transport;
  readonly remoteHost: string;
  readonly nonce: string | null;
}

/** What a session needs of the house around it: the door is one. */
export interface ClientContext {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly flushQueue: FlushQueue;
  readonly accounts: Accounts;
  /** Where a client is before it said who it is. */
  readonly account: Account;
  readonly info: InfoBuilder;
  readonly limits: ClientLimits;
  /** Bytes of a message that a protocol trace prints at most. */
  readonly tracedBytesMax: number;
  readonly congestion: Congestion;
  readonly turn: ReadingTurn;
  /** Whether clients must identify themselves. */
  readonly authRequired: boolean;
  /** Null where clients come without TLS, or with it already. */
  readonly tls: ClientTls | null;
  staleConnections: number;
  /** Whether a client is given something to sign. */
  readonly nonceRequired: boolean;
  /** Who the client is, by what it said in CONNECT; null is nobody. */
  authenticate(options: Readonly<ConnectOptions>, who: Applicant): Verdict;
  /** What became of a message is known; the account's trace goes out. */
  traced(account: Account, trace: MessageTrace): void;
  /** The session with this id was let in, or was not. */
  connected(id: number): void;
  refused(id: number): void;
  /** The session with this id ended. */
  remove(id: number): void;
}
