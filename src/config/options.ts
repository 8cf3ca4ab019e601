import type { AuthorizationSettings } from '../auth/authenticator.js';
import { GLOBAL_ACCOUNT, SYSTEM_ACCOUNT } from '../auth/identity.js';
import { type AccountSettings, emptyAccount } from '../broker/account-settings.js';
import type { PluginDeclarations } from '../host/declarations.js';
import type { TlsSettings } from '../net/tls-context.js';
import type { AccountJetStream } from './accounts-jetstream.js';
import { defaultJetStream, type JetStreamOptions } from './jetstream-options.js';

/** A listener of a feature that is not there yet. */
export interface PeerListenerOptions {
  /** Name of the cluster, where there is one. */
  name: string;
  host: string;
  /** 0 is any free port; null: the block asks for no listener. */
  port: number | null;
}

/** An account of the configuration. */
export interface AccountOptions extends AccountSettings {
  /** A public account key; empty is none. */
  nkey: string;
  /** Null is nothing to store. */
  jetstream: AccountJetStream | null;
}

export function accountOptions(name: string): AccountOptions {
  return { ...emptyAccount(name), nkey: '', jetstream: null };
}

/** Where the JWTs of accounts come from. */
export type ResolverOptions =
  | { kind: 'memory' }
  | { kind: 'url'; url: string; timeoutMs: number; tls: ResolverTls | null }
  | {
      kind: 'directory';
      folder: string;
      mayDelete: boolean;
      deleteForGood: boolean;
      /** 0 is no limit. */
      accountsMax: number;
      timeoutMs: number;
    };

/** How the server that knows accounts is asked by HTTPS. Certificates, keys and authorities are PEM texts; empty is none, or the system's. */
export interface ResolverTls {
  cert: string;
  key: string;
  ca: string;
  /** Whether it may be anybody. */
  insecure: boolean;
  minVersion: TlsSettings['minVersion'];
  /** In OpenSSL's words; empty is the default. */
  ciphers: string;
  curves: string;
}

export interface OperatorOptions {
  /** Public keys that sign for accounts. */
  trustedKeys: string[];
  /** The operators' own JWTs. */
  tokens: string[];
  resolver: ResolverOptions;
  preload: [account: string, token: string][];
  /** Accounts that may be used; null is all. */
  pinnedAccounts: string[] | null;
  /** The JWT of who shows none; empty is nobody. */
  defaultSentinel: string;
}

/** A `tls` block. Its files are read when the configuration is. */
export interface TlsOptions extends TlsSettings {
  timeoutMs: number;
  /** Whether the certificate that a client shows says which user it is. */
  map: boolean;
  /** Whether the handshake comes before INFO; after `fallbackMs` without one, INFO comes first (0: never). */
  handshakeFirst: boolean;
  fallbackMs: number;
  /** Handshakes in a second; 0 is no limit. */
  connectionRateMax: number;
}

export interface WebSocketOptions {
  host: string;
  /** 0 is any free port. */
  port: number;
  /** `host:port` that other clients are told; empty is host and port. */
  advertise: string;
  tls: TlsOptions | null;
  sameOrigin: boolean;
  allowedOrigins: string[];
  compression: boolean;
  handshakeTimeoutMs: number;
  /** Names of the cookies that carry credentials; empty is none. */
  jwtCookie: string;
  userCookie: string;
  passwordCookie: string;
  tokenCookie: string;
  /** Who may come in, where that differs from other clients. */
  authorization: AuthorizationSettings | null;
  noAuthUser: string;
  authTimeoutMs: number | null;
  /** Added to the answer to each upgrade. */
  headers: Record<string, string>;
  /** Null is as for other clients. */
  pingIntervalMs: number | null;
}

export interface LogOptions {
  file: string;
  debug: boolean;
  trace: boolean;
  time: boolean;
  utc: boolean;
  sizeBytesMax: number;
  filesMax: number;
  format: 'text' | 'json';
  tracedBytesMax: number;
}

export interface MonitoringOptions {
  /** Empty is the host of the client port. */
  host: string;
  /** 0 is any free port; null: there is no monitoring. */
  port: number | null;
  /** HTTPS, with the certificates for clients. */
  secure?: boolean;
  basePath: string;
}

/** Everything that can be set, with defaults filled in. Only `config/` makes one. */
export interface Options {
  /** Memory before speed: for small devices. */
  edge: boolean;
  /** How long to wait awake for the next short message while that pays; 0 is never. */
  busyPollMs: number;
  host: string;
  /** 0 is any free port. */
  port: number;
  clientAdvertise: string;
  serverName: string;
  controlLineBytesMax: number;
  payloadBytesMax: number;
  pendingBytesMax: number;
  /** -1 is no limit. */
  connectionsMax: number;
  /** Per connection; 0 is no limit. */
  subscriptionsMax: number;
  subscriptionTokensMax: number;
  pingIntervalMs: number;
  pingsOutMax: number;
  writeDeadlineMs: number;
  closedClientsMax: number;
  headers: boolean;
  noProducerStall: boolean;
  authorization: AuthorizationSettings;
  /** All accounts, also those that are always there. */
  accounts: AccountOptions[];
  systemAccount: string;
  /** Whom to believe about accounts, where they are not in the configuration. */
  operator: OperatorOptions | null;
  authTimeoutMs: number;
  tls: TlsOptions | null;
  /** Whether clients may come without TLS though there is TLS. */
  allowNonTls: boolean;
  monitoring: MonitoringOptions;
  pidFile: string;
  portsFileDir: string;
  lameDuckDurationMs: number;
  lameDuckGraceMs: number;
  log: LogOptions;
  websocket: WebSocketOptions | null;
  cluster: PeerListenerOptions | null;
  leafnodes: PeerListenerOptions | null;
  gateway: PeerListenerOptions | null;
  mqtt: PeerListenerOptions | null;
  jetstream: boolean;
  streams: JetStreamOptions;
  storeDir: string;
  plugins: PluginDeclarations;
  tags: string[];
  metadata: Record<string, string>;
  configFile: string;
  configDigest: string;
  /** What nats-server complains about in a configuration file and takes all the same, each with its place. */
  warnings: string[];
  /** What the log says about the configuration file, each with its place. */
  notices: string[];
}

/** What may wait for a client in the edge profile, where nothing else is said. */
export const EDGE_PENDING_BYTES_MAX = 8 * 1024 * 1024;

/** nats-server's defaults. */
export function defaultOptions(): Options {
  return {
    edge: false,
    busyPollMs: 0.06,
    host: '0.0.0.0',
    port: 4222,
    clientAdvertise: '',
    serverName: '',
    controlLineBytesMax: 4096,
    payloadBytesMax: 1024 * 1024,
    pendingBytesMax: 64 * 1024 * 1024,
    connectionsMax: 65536,
    subscriptionsMax: 0,
    subscriptionTokensMax: 0,
    pingIntervalMs: 120_000,
    pingsOutMax: 2,
    writeDeadlineMs: 10_000,
    closedClientsMax: 10_000,
    headers: true,
    noProducerStall: false,
    authorization: { users: [] },
    accounts: [accountOptions(GLOBAL_ACCOUNT), accountOptions(SYSTEM_ACCOUNT)],
    systemAccount: SYSTEM_ACCOUNT,
    operator: null,
    authTimeoutMs: 2_000,
    tls: null,
    allowNonTls: false,
    monitoring: { host: '', port: null, basePath: '' },
    pidFile: '',
    portsFileDir: '',
    lameDuckDurationMs: 120_000,
    lameDuckGraceMs: 10_000,
    log: {
      file: '',
      debug: false,
      trace: false,
      time: true,
      utc: false,
      sizeBytesMax: 0,
      filesMax: 0,
      format: 'text',
      tracedBytesMax: Number.MAX_SAFE_INTEGER,
    },
    websocket: null,
    cluster: null,
    leafnodes: null,
    gateway: null,
    mqtt: null,
    jetstream: false,
    streams: defaultJetStream(),
    storeDir: '',
    plugins: { enabled: true, modules: [], attachments: [] },
    tags: [],
    metadata: {},
    configFile: '',
    configDigest: '',
    warnings: [],
    notices: [],
  };
}
