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
    authorized_user: (auth && connection.user) || undefined,
    account: auth && connection.account !== ACCOUNT ? connection.account : undefined,
    subscriptions_list: listed === 'list' ? connection.subscriptions.map(({ filter }) => filter) : undefined,
    subscriptions_list_detail: listed === 'detail' ? connection.subscriptions.map(subscriptionJson) : undefined,
    name_tag: auth && stoppedMs === null ? connection.account : undefined,
  };
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
