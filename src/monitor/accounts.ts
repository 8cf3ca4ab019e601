import { BadQuery, booleanOf } from './query.js';
import { ACCOUNT, type MonitorSource } from './snapshots.js';
import { interestJson } from './subsz.js';

const NOTHING = { msgs: 0, bytes: 0 };

/** Figures in one direction: all from and to clients. */
function moved(messages: number, bytes: number): object {
  return { msgs: messages, bytes, gateways: NOTHING, routes: NOTHING, leafs: NOTHING };
}

/** `/accountz`: the names of all accounts, or one in detail. */
export function accountz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const server = source.server();
  const head = { server_id: server.id, now: new Date(nowMs).toISOString() };
  const wanted = query.get('acc') ?? '';
  if (wanted === '') return { ...head, accounts: [ACCOUNT] };
  if (wanted !== ACCOUNT) throw new BadQuery(`Account ${wanted} does not exist`);
  return {
    ...head,
    account_detail: {
      account_name: ACCOUNT,
      update_time: new Date(server.startedMs).toISOString(),
      expired: false,
      complete: true,
      jetstream_enabled: source.jetstream()?.accounts.some(({ streams }) => streams.broker.name === ACCOUNT) ?? false,
      leafnode_connections: 0,
      client_connections: server.connections,
      subscriptions: server.interest.subscriptions,
      name_tag: ACCOUNT,
      sublist_stats: interestJson(server),
    },
  };
}

/** `/accstatz`: what accounts move; one without connections only if asked for. */
export function accstatz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const unused = booleanOf(query, 'unused');
  const server = source.server();
  const account = {
    acc: ACCOUNT,
    name: ACCOUNT,
    conns: server.connections,
    leafnodes: 0,
    total_conns: server.connections,
    num_subscriptions: server.interest.subscriptions,
    sent: moved(server.outMessages, server.outBytes),
    received: moved(server.inMessages, server.inBytes),
    slow_consumers: server.slowConsumers,
  };
  return {
    server_id: server.id,
    now: new Date(nowMs).toISOString(),
    account_statz: unused || server.connections > 0 ? [account] : [],
  };
}
