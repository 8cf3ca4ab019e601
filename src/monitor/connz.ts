import { goDuration, uptimeText } from './durations.js';
import type { ConnectionSnapshot, MonitorSource, SubscriptionSnapshot } from './snapshots.js';

/** A query that cannot be answered; the text is what the client gets with status 400. */
export class BadQuery extends Error {}

const LIMIT = 1024;

type Order = (one: ConnectionSnapshot, other: ConnectionSnapshot) => number;
const falling =
  (value: (connection: ConnectionSnapshot) => number): Order =>
  (one, other) =>
    value(other) - value(one);

const ORDERS: Record<string, Order> = {
  cid: (one, other) => one.id - other.id,
  start: (one, other) => one.startedMs - other.startedMs,
  subs: falling((connection) => connection.subscriptionCount),
  pending: falling((connection) => connection.pendingBytes),
  msgs_to: falling((connection) => connection.outMessages),
  msgs_from: falling((connection) => connection.inMessages),
  bytes_to: falling((connection) => connection.outBytes),
  bytes_from: falling((connection) => connection.inBytes),
  last: falling((connection) => connection.lastActivityMs),
  idle: (one, other) => one.lastActivityMs - other.lastActivityMs,
  uptime: (one, other) => one.startedMs - other.startedMs,
  stop: falling((connection) => connection.stoppedMs ?? 0),
  reason: (one, other) => (one.reason ?? '').localeCompare(other.reason ?? ''),
  rtt: falling((connection) => connection.rttNs),
};

/** A whole number of the query, or what it is without. */
export function numberOf(query: URLSearchParams, name: string, without: number): number {
  const text = query.get(name);
  if (text === null || text === '') return without;
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new BadQuery(
    `Error decoding int for ${JSON.stringify(name)}: found ${JSON.stringify(text)}, expected a whole number`,
  );
}

function isSet(query: URLSearchParams, name: string): boolean {
  return ['1', 'true', 'TRUE', 't'].includes(query.get(name) ?? '');
}

/** `/connz` with its parameters. */
export function connz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const sort = query.get('sort') || 'cid';
  const order = ORDERS[sort];
  if (order === undefined) throw new BadQuery(`invalid sorting option: ${sort}`);
  const state = (query.get('state') || 'open').toLowerCase();
  if (!['open', 'closed', 'any', 'all', 'active'].includes(state)) {
    throw new BadQuery(`Error decoding state for ${state}, expected open, closed or any`);
  }
  if ((sort === 'stop' || sort === 'reason') && state !== 'closed') {
    throw new BadQuery(`sort by ${sort} only valid on closed connections`);
  }
  const all = [
    ...(state === 'closed' ? [] : source.openConnections()),
    ...(state === 'open' || state === 'active' ? [] : source.closedConnections()),
  ];
  const matching = all.filter((connection) => matches(connection, query)).sort(order);
  const offset = Math.max(0, numberOf(query, 'offset', 0));
  const limit = numberOf(query, 'limit', LIMIT) || LIMIT;
  const page = matching.slice(offset, offset + limit);
  return {
    server_id: source.server().id,
    now: new Date(nowMs).toISOString(),
    num_connections: page.length,
    total: matching.length,
    offset,
    limit,
    connections: page.map((connection) => connectionJson(connection, query, nowMs)),
  };
}

function matches(connection: ConnectionSnapshot, query: URLSearchParams): boolean {
  const id = numberOf(query, 'cid', 0);
  if (id !== 0 && connection.id !== id) return false;
  const user = query.get('user');
  if (user && connection.user !== user) return false;
  const account = query.get('acc');
  if (account && connection.account !== account) return false;
  const filter = query.get('filter_subject');
  return !filter || connection.subscriptions.some((subscription) => subscription.filter === filter);
}

const KINDS = { tcp: 'nats', tls: 'nats', websocket: 'websocket' } as const;

function connectionJson(connection: ConnectionSnapshot, query: URLSearchParams, nowMs: number): object {
  const detail = query.get('subs') === 'detail';
  const auth = isSet(query, 'auth');
  const endMs = connection.stoppedMs ?? nowMs;
  return {
    cid: connection.id,
    kind: 'Client',
    type: KINDS[connection.kind],
    ip: connection.ip,
    port: connection.port,
    start: new Date(connection.startedMs).toISOString(),
    last_activity: new Date(connection.lastActivityMs).toISOString(),
    stop: connection.stoppedMs === null ? undefined : new Date(connection.stoppedMs).toISOString(),
    reason: connection.reason ?? undefined,
    rtt: connection.rttNs > 0 ? goDuration(connection.rttNs) : undefined,
    uptime: uptimeText(endMs - connection.startedMs),
    idle: uptimeText(Math.max(0, endMs - connection.lastActivityMs)),
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
    authorized_user: (auth && connection.user) || undefined,
    account: auth ? connection.account : undefined,
    subscriptions_list: isSet(query, 'subs') ? connection.subscriptions.map(({ filter }) => filter) : undefined,
    subscriptions_list_detail: detail ? connection.subscriptions.map(subscriptionJson) : undefined,
  };
}

export function subscriptionJson(subscription: SubscriptionSnapshot): object {
  return {
    account: subscription.account,
    subject: subscription.filter,
    qgroup: subscription.queue ?? undefined,
    sid: subscription.sid,
    msgs: subscription.delivered,
    max: subscription.deliveredMax || undefined,
    cid: subscription.connectionId,
  };
}
