import { accountz, accstatz } from './accounts.js';
import { connz } from './connz.js';
import { jsz } from './jsz.js';
import { pluginz } from './pluginz.js';
import type { MonitorSource } from './snapshots.js';
import { subsz } from './subsz.js';

export type Endpoint = (source: MonitorSource, query: URLSearchParams, nowMs: number) => object;

/** Endpoints of features that are not there: what a server without them answers. */
function empty(rest: (source: MonitorSource) => object): Endpoint {
  return (source, _query, nowMs) => ({
    server_id: source.server().id,
    now: new Date(nowMs).toISOString(),
    ...rest(source),
  });
}

/** What is answered under each path, and to requests of the system account. */
export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/connz': connz,
  '/subsz': subsz,
  '/subscriptionsz': subsz,
  '/accountz': accountz,
  '/accstatz': accstatz,
  '/routez': (source, _query, nowMs) => {
    const { id, name } = source.server();
    return { server_id: id, server_name: name, now: new Date(nowMs).toISOString(), num_routes: 0, routes: [] };
  },
  '/leafz': empty(() => ({ leafnodes: 0, leafs: [] })),
  '/gatewayz': empty(() => ({ outbound_gateways: {}, inbound_gateways: {} })),
  '/jsz': jsz,
  '/pluginz': pluginz,
};
