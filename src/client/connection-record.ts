import { textOf } from '../base/bytes.js';
import type { Transport } from '../net/transport.js';
import { authorizedUser } from './request-info.js';
import type { ClientSession } from './session.js';

/** What is known of one connection, open or closed: plain values, nothing that lives on. */
export interface ConnectionRecord {
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
  subscriptions: SubscriptionRecord[];
}

export interface SubscriptionRecord {
  account: string;
  filter: string;
  queue: string | null;
  sid: string;
  delivered: number;
  deliveredMax: number;
  connectionId: number;
}

/** `stoppedMs` is null for an open connection. Without `withSubscriptions` their list stays empty, which saves time with many of them. */
export function recordOf(session: ClientSession, stoppedMs: number | null, withSubscriptions = true): ConnectionRecord {
  const { transport, options } = session;
  return {
    id: session.id,
    kind: transport.kind,
    ip: session.remoteHost,
    port: transport.remotePort,
    startedMs: session.startedMs,
    lastActivityMs: session.lastActivityMs,
    stoppedMs,
    reason: session.closedReason,
    rttNs: session.keepAlive.rttNs,
    pendingBytes: session.outbound.pendingBytes,
    inMessages: session.inMessages,
    inBytes: session.inBytes,
    outMessages: session.outMessages,
    outBytes: session.outBytes,
    stalls: session.stalls,
    name: options.name,
    language: options.language,
    version: options.version,
    tlsVersion: transport.tls?.version ?? '',
    tlsCipherSuite: transport.tls?.cipherSuite ?? '',
    tlsPeer: peerOf(transport),
    tlsFirst: session.tlsFirst,
    user: authorizedUser(session),
    account: session.account.name,
    accountLabel: session.account.label || session.account.name,
    claims: session.identity?.claims ?? null,
    subscriptionCount: session.subscriptions.size,
    subscriptions: withSubscriptions ? subscriptionsOf(session) : [],
  };
}

function peerOf({ tls }: Transport): ConnectionRecord['tlsPeer'] {
  if (!tls?.peer) return null;
  const { subject, sha256, keySha256 } = tls.peer;
  return { subject: subject.toReversed().join(','), sha256, keySha256 };
}

function subscriptionsOf(session: ClientSession): SubscriptionRecord[] {
  return Array.from(session.subscriptions.values(), (subscription) => ({
    account: session.account.name,
    filter: subscription.filter,
    queue: subscription.queue,
    sid: textOf(subscription.sid),
    delivered: subscription.delivered,
    deliveredMax: subscription.deliveredMax,
    connectionId: session.id,
  }));
}
