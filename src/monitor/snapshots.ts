/** Plain values that monitoring shows. Who has the state makes them; this room turns them into JSON. */
export interface ServerSnapshot {
  id: string;
  name: string;
  version: string;
  host: string;
  port: number;
  authRequired: boolean;
  startedMs: number;
  connections: number;
  totalConnections: number;
  subscriptions: number;
  cachedRoutes: number;
  slowConsumers: number;
  staleConnections: number;
  connectionsMax: number;
  subscriptionsMax: number;
  payloadBytesMax: number;
  pendingBytesMax: number;
  controlLineBytesMax: number;
  pingIntervalMs: number;
  pingsOutMax: number;
  writeDeadlineMs: number;
  authTimeoutMs: number;
  monitoring: { host: string; port: number | null; basePath: string };
  tags: string[];
  metadata: Record<string, string>;
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
  user: string;
  account: string;
  subscriptionCount: number;
  subscriptions: SubscriptionSnapshot[];
}

/** Plugins and attachments as the control API shows them. */
export interface PluginsSnapshot {
  plugins: object[];
  attachments: object[];
}

/** Where monitoring gets its values. */
export interface MonitorSource {
  server(): ServerSnapshot;
  openConnections(): ConnectionSnapshot[];
  /** The last that ended, oldest first. */
  closedConnections(): ConnectionSnapshot[];
  plugins(): PluginsSnapshot;
}
