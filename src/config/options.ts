import type { AuthorizationSettings } from '../auth/authenticator.js';
import type { PluginDeclarations } from '../host/declarations.js';

/** A listener of a feature that is not there yet. */
export interface PeerListenerOptions {
  host: string;
  port: number;
}

export interface TlsOptions {
  certFile: string;
  keyFile: string;
  caFile: string | null;
  verify: boolean;
}

export interface WebSocketOptions {
  host: string;
  port: number;
  advertise: string;
  tls: TlsOptions | null;
  sameOrigin: boolean;
  allowedOrigins: string[];
  compression: boolean;
  handshakeTimeoutMs: number;
  userCookie: string;
  passwordCookie: string;
  tokenCookie: string;
  headers: Record<string, string>;
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

/** Everything that can be set, with defaults filled in. Only `config/` makes one. */
export interface Options {
  host: string;
  /** 0 is any free port. */
  port: number;
  clientAdvertise: string;
  serverName: string;
  controlLineBytesMax: number;
  payloadBytesMax: number;
  pendingBytesMax: number;
  connectionsMax: number;
  subscriptionsMax: number;
  subscriptionTokensMax: number;
  pingIntervalMs: number;
  pingsOutMax: number;
  writeDeadlineMs: number;
  closedClientsMax: number;
  headers: boolean;
  noProducerStall: boolean;
  authorization: AuthorizationSettings;
  authTimeoutMs: number;
  monitoring: { host: string; port: number; basePath: string } | null;
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
  storeDir: string;
  plugins: PluginDeclarations;
  tags: string[];
  metadata: Record<string, string>;
  configFile: string;
  configDigest: string;
}

/** nats-server's defaults. */
export function defaultOptions(): Options {
  return {
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
    authTimeoutMs: 2_000,
    monitoring: null,
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
    storeDir: '',
    plugins: { enabled: true, modules: [], attachments: [] },
    tags: [],
    metadata: {},
    configFile: '',
    configDigest: '',
  };
}
