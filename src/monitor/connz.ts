import { filtersOverlap } from '../subject/subject.js';
import { connectionJson, type Shown } from './connection-json.js';
import { BadQuery, booleanOf, connectionIdOf, pageOf } from './query.js';
import type { ConnectionSnapshot, MonitorSource } from './snapshots.js';

type Order = (one: ConnectionSnapshot, other: ConnectionSnapshot) => number;
const falling =
  (value: (connection: ConnectionSnapshot) => number): Order =>
  (one, other) =>
    value(other) - value(one);

const idleMs = (connection: ConnectionSnapshot) => (connection.stoppedMs ?? Date.now()) - connection.lastActivityMs;
const uptimeMs = (connection: ConnectionSnapshot) => (connection.stoppedMs ?? Date.now()) - connection.startedMs;

/** What `sort` may be; those that end in `_to` and `_from` are as the client sees it. */
const ORDERS: Record<string, Order> = {
  cid: (one, other) => one.id - other.id,
  start: (one, other) => one.id - other.id,
  subs: falling((connection) => connection.subscriptionCount),
  pending: falling((connection) => connection.pendingBytes),
  msgs_to: falling((connection) => connection.outMessages),
  msgs_from: falling((connection) => connection.inMessages),
  bytes_to: falling((connection) => connection.outBytes),
  bytes_from: falling((connection) => connection.inBytes),
  last: falling((connection) => connection.lastActivityMs),
  idle: falling(idleMs),
  uptime: (one, other) => uptimeMs(one) - uptimeMs(other),
  stop: falling((connection) => connection.stoppedMs ?? 0),
  reason: (one, other) => ((one.reason ?? '') < (other.reason ?? '') ? -1 : 1),
  rtt: falling((connection) => connection.rttNs),
};

const STATES: Record<string, { open: boolean; closed: boolean }> = {
  open: { open: true, closed: false },
  closed: { open: false, closed: true },
  any: { open: true, closed: true },
  all: { open: true, closed: true },
};

/** `/connz` with its parameters. */
export function connz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const shown = shownOf(query);
  const page = pageOf(query);
  const id = connectionIdOf(query, 'cid');
  const state = stateOf(query);
  const order = orderOf(query, state);
  const filter = query.get('filter_subject') ?? '';
  const account = query.get('acc') ?? '';
  if (filter !== '' && filter !== '>' && account === '')
    throw new BadQuery('filter by subject only valid with account filtering');
  const all = [
    ...(state.open ? source.openConnections(shown.subscriptions !== 'none' || filter !== '') : []),
    ...(state.closed ? source.closedConnections() : []),
  ];
  const limit = id > 0 ? 1 : page.limit;
  const matching = all.filter(matcher(query, id)).sort(order);
  const connections = matching.slice(page.offset, page.offset + limit);
  return {
    server_id: source.server().id,
    now: new Date(nowMs).toISOString(),
    num_connections: connections.length,
    // As in nats-server: of one account all, whatever else is asked for.
    total: all.filter((connection) => account === '' || connection.account === account).length,
    offset: page.offset,
    limit,
    connections: connections.map((connection) => connectionJson(connection, shown, nowMs)),
  };
}

function shownOf(query: URLSearchParams): Shown {
  const auth = booleanOf(query, 'auth');
  const detail = (query.get('subs') ?? '').toLowerCase() === 'detail';
  if (detail) return { auth, subscriptions: 'detail' };
  return { auth, subscriptions: booleanOf(query, 'subs') ? 'list' : 'none' };
}

function stateOf(query: URLSearchParams): { open: boolean; closed: boolean } {
  const text = query.get('state') || 'open';
  const name = text.toLowerCase();
  if (Object.hasOwn(STATES, name)) return STATES[name];
  throw new BadQuery(`Error decoding state for ${text}`);
}

function orderOf(query: URLSearchParams, state: { open: boolean }): Order {
  const sort = query.get('sort') || 'cid';
  if (!Object.hasOwn(ORDERS, sort)) throw new BadQuery(`invalid sorting option: ${sort}`);
  if (state.open && (sort === 'stop' || sort === 'reason'))
    throw new BadQuery(`sort by ${sort} only valid on closed connections`);
  return ORDERS[sort];
}

/** Whether a connection is one of those asked for. An MQTT client never is: there are none. */
function matcher(query: URLSearchParams, id: number): (connection: ConnectionSnapshot) => boolean {
  const user = query.get('user') ?? '';
  const account = query.get('acc') ?? '';
  const filter = query.get('filter_subject') ?? '';
  const mqttClient = query.get('mqtt_client') ?? '';
  return (connection) =>
    (id === 0 || connection.id === id) &&
    (user === '' || connection.user === user) &&
    (account === '' || connection.account === account) &&
    mqttClient === '' &&
    (filter === '' || connection.subscriptions.some((subscription) => filtersOverlap(filter, subscription.filter)));
}
