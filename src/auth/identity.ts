import type { Permissions } from './permissions.js';

/** How a client may come in, as nats-server names it. */
export type ConnectionType = 'STANDARD' | 'WEBSOCKET' | 'LEAFNODE' | 'LEAFNODE_WS' | 'MQTT' | 'MQTT_WS' | 'IN_PROCESS';

/** Who a connection turned out to be. */
export interface Identity {
  /** A user, or the public key of one; empty when nobody had to be named. */
  readonly userName: string;
  readonly account: string;
  /** What it may do; null is everything. */
  readonly permissions: Permissions | null;
  /** Limits of its own; null is none but those of the server. */
  readonly limits: IdentityLimits | null;
  /** When it has to go, in milliseconds since the epoch; null is never. */
  readonly expiresMs: number | null;
  /** What a JWT said; null without one. */
  readonly claims: IdentityClaims | null;
}

/** -1 is no limit. */
export interface IdentityLimits {
  subscriptionsMax: number;
  payloadBytesMax: number;
}

export interface IdentityClaims {
  jwt: string;
  issuer: string;
  name: string;
  tags: readonly string[];
  /** Seconds since the epoch. */
  issuedAt: number;
}

/** Where clients are whom nothing puts elsewhere. */
export const GLOBAL_ACCOUNT = '$G';
export const SYSTEM_ACCOUNT = '$SYS';

/** An identity of which only this is known. */
export function identityOf(userName: string, account: string, permissions: Permissions | null): Identity {
  return { userName, account, permissions, limits: null, expiresMs: null, claims: null };
}
