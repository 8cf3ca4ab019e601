import type { ExportSettings, ImportSettings, MappingSettings } from '../broker/account-settings.js';
import type { AttachmentHistograms, AttachmentSnapshot, PluginSnapshot } from '../host/snapshot.js';
import type { ThreadSnapshot } from '../workers/tier.js';
import type { JetStreamSnapshot } from './streams-snapshot.js';

/** A port beside the clients' one, as the configuration asks for it. */
export interface PortSnapshot {
  name: string;
  host: string;
  /** Null when nothing listens. */
  port: number | null;
}

export interface WebSocketSnapshot extends PortSnapshot {
  advertise: string;
  noAuthUser: string;
  handshakeTimeoutMs: number;
  authTimeoutMs: number | null;
  tls: boolean;
  sameOrigin: boolean;
  allowedOrigins: readonly string[];
  compression: boolean;
}

/** What is known about the interest in subjects. */
export interface InterestSnapshot {
  subscriptions: number;
  inserts: number;
  removes: number;
  walks: number;
  cachedRoutes: number;
  fanoutMax: number;
  fanoutMean: number;
}

/** Plain values that monitoring shows. Who has the state makes them; this room turns them into JSON. */
export interface ServerSnapshot {
  id: string;
  name: string;
  version: string;
  weirVersion: string;
  host: string;
  port: number;
  authRequired: boolean;
  startedMs: number;
  configLoadedMs: number;
  lameDuck: boolean;
  /** Whether the configuration asks for JetStream. */
  jetstreamWanted: boolean;
  connections: number;
  totalConnections: number;
  interest: InterestSnapshot;
  slowConsumers: number;
  staleConnections: number;
  /** -1 is no limit. */
  connectionsMax: number;
  subscriptionsMax: number;
  payloadBytesMax: number;
  pendingBytesMax: number;
  controlLineBytesMax: number;
  pingIntervalMs: number;
  pingsOutMax: number;
  writeDeadlineMs: number;
  authTimeoutMs: number;
  monitoring: { host: string; port: number; secure: boolean; basePath: string };
  /** TLS of the clients' port; null without. */
  tls: { required: boolean; verify: boolean; timeoutMs: number; validUntilMs: number } | null;
  websocket: WebSocketSnapshot | null;
  cluster: PortSnapshot | null;
  leafnodes: PortSnapshot | null;
  gateway: PortSnapshot | null;
  mqtt: PortSnapshot | null;
  systemAccount: string;
  /** JWTs of the operators. */
  operatorTokens: readonly string[];
  tags: readonly string[];
  metadata: Readonly<Record<string, string>>;
  configDigest: string;
  inMessages: number;
  inBytes: number;
  outMessages: number;
  outBytes: number;
  stalls: number;
}

export interface SubscriptionSnapshot {
  account: string;
  filter: string;
  queue: string | null;
  sid: string;
  delivered: number;
  deliveredMax: number;
  connectionId: number;
}

export interface ConnectionSnapshot {
  id: number;
  kind: 'tcp' | 'tls' | 'websocket';
  ip: string;
  port: number;
  startedMs: number;
  lastActivityMs: number;
  stoppedMs: number | null;
  reason: string | null;
  rttNs: number;
  pendingBytes: number;
  inMessages: number;
  inBytes: number;
  outMessages: number;
  outBytes: number;
  stalls: number;
  name: string;
  language: string;
  version: string;
  /** Empty without TLS. */
  tlsVersion: string;
  tlsCipherSuite: string;
  /** Null without a certificate of the client. */
  tlsPeer: { subject: string; sha256: string; keySha256: string } | null;
  tlsFirst: boolean;
  user: string;
  account: string;
  /** What people call the account. */
  accountLabel: string;
  /** What its JWT says; null without one. */
  claims: { jwt: string; issuer: string; tags: readonly string[] } | null;
  subscriptionCount: number;
  /** Empty unless they were asked for. */
  subscriptions: SubscriptionSnapshot[];
}

/** Plugins and attachments as the control API shows them. */
export interface PluginsSnapshot {
  plugins: (PluginSnapshot & { account: string })[];
  attachments: (AttachmentSnapshot & { account: string })[];
  /** What plugins emitted: waiting to be published, and lost because too much waited. */
  emits: { waiting: number; lost: number };
  /** Threads of the worker tier. */
  workers: ThreadSnapshot[];
}

/** One account. */
export interface AccountSnapshot {
  name: string;
  isSystem: boolean;
  jetstream: boolean;
  clients: number;
  /** When it was last made what it is. */
  updatedMs: number;
  interest: InterestSnapshot;
  slowConsumers: number;
  inMessages: number;
  inBytes: number;
  outMessages: number;
  outBytes: number;
  exports: readonly ExportSettings[];
  imports: readonly ImportSettings[];
  mappings: readonly MappingSettings[];
  /** What its JWT says; null where it is in the configuration. */
  claims: { token: string; issuer: string; name: string; tags: readonly string[]; expired: boolean } | null;
}

/** Where monitoring gets its values. */
export interface MonitorSource {
  server(): ServerSnapshot;
  openConnections(withSubscriptions: boolean): ConnectionSnapshot[];
  /** The last that ended, oldest first. */
  closedConnections(): ConnectionSnapshot[];
  plugins(): PluginsSnapshot;
  pluginHistograms(): (AttachmentHistograms & { account: string })[];
  accounts(): AccountSnapshot[];
  /** Null without streams. */
  jetstream(): JetStreamSnapshot | null;
}

/** The account of those whom nothing puts elsewhere. */
export const ACCOUNT = '$G';
