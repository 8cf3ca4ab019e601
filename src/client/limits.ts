/** What a client may do, and when the server loses patience. All may change by a reload. */
export interface ClientLimits {
  controlLineBytesMax: number;
  payloadBytesMax: number;
  /** Bytes that may wait for one client before it is a slow consumer. */
  pendingBytesMax: number;
  connectionsMax: number;
  /** Per connection; 0 is no limit. */
  subscriptionsMax: number;
  /** Tokens of a subscription's filter; 0 is no limit. */
  subscriptionTokensMax: number;
  pingIntervalMs: number;
  /** Unanswered pings before a connection is stale. */
  pingsOutMax: number;
  writeDeadlineMs: number;
  authTimeoutMs: number;
  /** Whether headers are supported at all. */
  headers: boolean;
  /** Never slow a publisher down for the sake of a slow subscriber. */
  noProducerStall: boolean;
  closedClientsMax: number;
}

/** nats-server's defaults. */
export const DEFAULT_LIMITS: ClientLimits = {
  controlLineBytesMax: 4096,
  payloadBytesMax: 1024 * 1024,
  pendingBytesMax: 64 * 1024 * 1024,
  connectionsMax: 65536,
  subscriptionsMax: 0,
  subscriptionTokensMax: 0,
  pingIntervalMs: 120_000,
  pingsOutMax: 2,
  writeDeadlineMs: 10_000,
  authTimeoutMs: 2_000,
  headers: true,
  noProducerStall: false,
  closedClientsMax: 10_000,
};
