import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Account } from '../broker/account.js';
import type { Accounts } from '../broker/accounts.js';
import type { ClientDoor } from '../client/door.js';
import type { InfoState, ServerIdentity } from '../client/info.js';
import type { Options } from '../config/options.js';
import type { PluginHost } from '../host/plugin-host.js';
import type { JetStreamSnapshot } from '../monitor/streams-snapshot.js';
import type { OperatorAccounts } from './operator-accounts.js';
import type { PluginHosts } from './plugin-hosts.js';
import type { ServerKey } from './server-key.js';

/** What a server is made of, for those who wire a part of it. */
export interface ServerParts {
  readonly options: Options;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly identity: ServerIdentity;
  readonly key: ServerKey;
  readonly accounts: Accounts;
  readonly account: Account;
  /** Null where accounts are in the configuration. */
  readonly operator: OperatorAccounts | null;
  readonly hosts: PluginHosts;
  /** That of the global account. */
  readonly host: PluginHost;
  readonly door: ClientDoor;
  /** Null without streams. */
  readonly streams: { snapshot(): JetStreamSnapshot; arrange(): Promise<void> } | null;
  /** What INFO says to clients; other ways in say some of it otherwise. */
  readonly infoState: InfoState;
  readonly startedMs: number;
  /** When the configuration was last read. */
  readonly configLoadedMs: number;
  /** Whether the server is about to go. */
  readonly lameDuckMode: boolean;
}

/** Ports that are open beside the clients' one. */
export interface OpenPorts {
  portOf(kind: 'monitoring' | 'websocket' | 'cluster' | 'leafnodes' | 'gateway' | 'mqtt'): number | null;
}
