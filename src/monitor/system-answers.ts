import { availableParallelism } from 'node:os';
import { describe } from '../base/failure.js';
import { parseJson } from '../base/json.js';
import { accountDetail } from './accounts.js';
import { ENDPOINTS } from './endpoints.js';
import { health } from './health.js';
import { jetStreamStats } from './jsz.js';
import { BadQuery } from './query.js';
import type { MonitorSource, ServerSnapshot } from './snapshots.js';
import { CpuMeter, varz } from './varz.js';

/** JSON of a request that says what is wanted. */
type Wish = Readonly<Record<string, unknown>>;

/** What the request's JSON calls a parameter of the endpoint, where that is another name. */
const PARAMETERS: Record<string, string> = {
  subscriptions: 'subs',
  account: 'acc',
  include_unused: 'unused',
  consumer: 'consumers',
  leader_only: 'leader-only',
};
const STATES = ['open', 'closed', 'any'];

/** The server as it names itself in answers and events. */
export function serverJson(server: ServerSnapshot, seq: number, nowMs: number): object {
  return {
    name: server.name,
    host: server.host,
    id: server.id,
    ver: server.version,
    tags: server.tags.length > 0 ? server.tags : undefined,
    metadata: Object.keys(server.metadata).length > 0 ? server.metadata : undefined,
    jetstream: server.jetstreamWanted,
    flags: server.jetstreamWanted ? 1 : 0,
    seq,
    time: new Date(nowMs).toISOString(),
  };
}

const cpu = new CpuMeter();

/** How the server is, in few figures. */
export function statsJson(source: MonitorSource): object {
  const server = source.server();
  const sent = { msgs: server.outMessages, bytes: server.outBytes };
  const received = { msgs: server.inMessages, bytes: server.inBytes };
  const stalled = (clients: number) => (clients === 0 ? undefined : { clients, routes: 0, gateways: 0, leafs: 0 });
  return {
    start: new Date(server.startedMs).toISOString(),
    mem: process.memoryUsage.rss(),
    cores: availableParallelism(),
    cpu: cpu.read(),
    connections: server.connections,
    total_connections: server.totalConnections,
    active_accounts: source.accounts().filter(({ clients }) => clients > 0).length,
    subscriptions: server.interest.subscriptions,
    sent,
    sent_to_clients: sent,
    received,
    received_from_clients: received,
    slow_consumers: server.slowConsumers,
    slow_consumer_stats: stalled(server.slowConsumers),
    stale_connections: server.staleConnections || undefined,
    stale_connection_stats: stalled(server.staleConnections),
    stalled_clients: server.stalls || undefined,
    active_servers: 1,
    jetstream: server.jetstreamWanted ? jetStreamStats(source.jetstream()) : undefined,
    gomaxprocs: 1,
  };
}

/** There are about thirty that mean something. */
const FIELDS_MAX = 100;

/** A mistake of who asks, or of ours, for the answer. */
export interface AnswerError {
  code: number;
  description: string;
}

export type Answer = { data: unknown } | { error: AnswerError };

/** Answers a request for what monitoring shows, such as `VARZ`; null when it is not for this server. `account` is the one asked about. */
export function answerFor(name: string, payload: string, source: MonitorSource, account: string | null): Answer | null {
  let wish: Wish = {};
  try {
    if (payload.trim() !== '') wish = readWish(payload);
  } catch (error) {
    return { error: { code: 400, description: describe(error) } };
  }
  if (!isMeant(wish, source.server())) return null;
  try {
    return { data: dataOf(name, { wish, source, account }) };
  } catch (error) {
    if (error instanceof BadQuery) return { error: { code: 500, description: error.message } };
    throw error;
  }
}

/** Throws an error whose text says what is wrong. */
function readWish(payload: string): Wish {
  const wish = parseJson(payload) ?? {};
  if (typeof wish !== 'object' || Array.isArray(wish)) throw new Error('expected a JSON object');
  // Each is looked for among those before it.
  if (Object.keys(wish).length > FIELDS_MAX) throw new Error(`expected at most ${FIELDS_MAX} fields`);
  return wish as Wish;
}

/** Requests to all servers may say which of them they mean. */
function isMeant(wish: Wish, server: ServerSnapshot): boolean {
  const { server_name: name, host, cluster, domain, tags, exact_match: exact } = wish;
  const fits = (wanted: unknown, found: string) =>
    typeof wanted !== 'string' || wanted === '' || (exact === true ? wanted === found : found.includes(wanted));
  if (!fits(name, server.name) || !fits(host, server.host)) return false;
  if ((cluster ?? '') !== '' || (domain ?? '') !== '') return false;
  return !Array.isArray(tags) || tags.every((tag) => server.tags.includes(String(tag)));
}

function dataOf(name: string, asked: { wish: Wish; source: MonitorSource; account: string | null }): unknown {
  const { wish, source, account } = asked;
  const nowMs = Date.now();
  if (name === 'VARZ') return varz(source, { cpu, requests: {} }, nowMs);
  if (name === 'INFO') return accountDetail(source.accounts(), account ?? '');
  const query = queryOf(wish);
  if (account !== null) query.set('acc', account);
  if (name === 'HEALTHZ') {
    const { status, body } = health(source, query);
    return { ...body, status_code: status };
  }
  // Of servers in clusters.
  if (name === 'RAFTZ' || name === 'IPQUEUESZ') return {};
  if (name === 'STATZ') return ENDPOINTS['/accstatz'](source, query, nowMs);
  if (name === 'SUBSZ' && account !== null) query.set('subs', '1');
  return ENDPOINTS[`/${name.toLowerCase()}`](source, query, nowMs);
}

/** The JSON as the parameters that the endpoint would have by HTTP. */
function queryOf(wish: Wish): URLSearchParams {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(wish)) {
    if (value === null || value === '') continue;
    if (key === 'state' && typeof value === 'number') query.set('state', STATES[value] ?? String(value));
    else if (key === 'subscriptions_detail') {
      if (value === true) query.set('subs', 'detail');
    } else if (key === 'accounts' && Array.isArray(value)) query.set('acc', value.join(','));
    else if (typeof value !== 'object' && !(key === 'subscriptions' && query.get('subs') === 'detail'))
      query.set(PARAMETERS[key] ?? key.replaceAll('_', '_'), String(value));
  }
  return query;
}
