import { goDuration, uptimeText } from './durations.js';
import { ACCOUNT, type ConnectionSnapshot, type SubscriptionSnapshot } from './snapshots.js';

/** What of a connection is shown. */
export interface Shown {
  auth: boolean;
  subscriptions: 'none' | 'list' | 'detail';
}

const TYPES = { tcp: 'nats', tls: 'nats', websocket: 'websocket' } as const;

/** A connection as `/connz` shows it, keys in nats-server's order. */
export function connectionJson(connection: ConnectionSnapshot, { auth, subscriptions }: Shown, nowMs: number): object {
  const { startedMs, lastActivityMs, stoppedMs } = connection;
  const endMs = stoppedMs ?? nowMs;
  const listed = connection.subscriptions.length > 0 ? subscriptions : 'none';
  return {
    cid: connection.id,
    kind: 'Client',
    type: TYPES[connection.kind],
    ip: connection.ip,
    port: connection.port,
    start: new Date(startedMs).toISOString(),
    last_activity: new Date(lastActivityMs).toISOString(),
    stop: stoppedMs === null ? undefined : new Date(stoppedMs).toISOString(),
    reason: connection.reason ?? undefined,
    rtt: goDuration(connection.rttNs),
    uptime: uptimeText(endMs - startedMs),
    idle: uptimeText(endMs - lastActivityMs),
    pending_bytes: connection.pendingBytes,
    in_msgs: connection.inMessages,
    out_msgs: connection.outMessages,
    in_bytes: connection.inBytes,
    out_bytes: connection.outBytes,
    stalls: connection.stalls || undefined,
    subscriptions: connection.subscriptionCount,
    name: connection.name || undefined,
    lang: connection.language || undefined,
    version: connection.version || undefined,
    tls_version: connection.tlsVersion || undefined,
    tls_cipher_suite: connection.tlsCipherSuite || undefined,
    tls_peer_certs: auth && connection.tlsPeer !== null ? [peerJson(connection.tlsPeer)] : undefined,
    tls_first: connection.tlsFirst || undefined,
    authorized_user: (auth && connection.user) || undefined,
    account: auth && connection.account !== ACCOUNT ? connection.account : undefined,
    subscriptions_list: listed === 'list' ? connection.subscriptions.map(({ filter }) => filter) : undefined,
    subscriptions_list_detail: listed === 'detail' ? connection.subscriptions.map(subscriptionJson) : undefined,
    jwt: auth ? connection.claims?.jwt : undefined,
    issuer_key: auth ? connection.claims?.issuer : undefined,
    name_tag: auth && stoppedMs === null ? connection.accountLabel : undefined,
    tags: auth && connection.claims?.tags.length ? connection.claims.tags : undefined,
  };
}

function peerJson({ subject, sha256, keySha256 }: NonNullable<ConnectionSnapshot['tlsPeer']>): object {
  return { subject, spki_sha256: keySha256, cert_sha256: sha256 };
}

export function subscriptionJson(subscription: SubscriptionSnapshot): object {
  return {
    subject: subscription.filter,
    qgroup: subscription.queue ?? undefined,
    sid: subscription.sid,
    msgs: subscription.delivered,
    max: subscription.deliveredMax || undefined,
    cid: subscription.connectionId,
  };
}
