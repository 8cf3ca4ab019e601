import type { Identity } from '../auth/identity.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Account } from '../broker/account.js';
import type { FlushQueue } from '../net/flush-queue.js';
import type { Transport } from '../net/transport.js';
import type { Congestion } from './congestion.js';
import type { ConnectOptions } from './connect-options.js';
import type { InfoBuilder } from './info.js';
import type { ClientLimits } from './limits.js';
import type { ClientTls } from './tls-entrance.js';

/** What a session needs of the house around it: the door is one. */
export interface ClientContext {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly flushQueue: FlushQueue;
  readonly account: Account;
  readonly info: InfoBuilder;
  readonly limits: ClientLimits;
  /** Bytes of a message that a protocol trace prints at most. */
  readonly tracedBytesMax: number;
  readonly congestion: Congestion;
  /** Whether clients must identify themselves. */
  readonly authRequired: boolean;
  /** Null where clients come without TLS, or with it already. */
  readonly tls: ClientTls | null;
  slowConsumers: number;
  staleConnections: number;
  /** Who the client is, by what it said in CONNECT; null is nobody. */
  authenticate(options: Readonly<ConnectOptions>, transport: Transport): Identity | null | Promise<Identity | null>;
  /** The session with this id ended. */
  remove(id: number): void;
}
