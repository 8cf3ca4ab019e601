import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Failure } from '../base/failure.js';
import { BadQuery, connz, numberOf, subscriptionJson } from './connz.js';
import { metrics } from './metrics.js';
import type { MonitorSource } from './snapshots.js';
import { varz } from './varz.js';

type Endpoint = (source: MonitorSource, query: URLSearchParams, nowMs: number) => object;

/** `/subsz`: the subscriptions of every open connection. */
function subsz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const { id, subscriptions, cachedRoutes } = source.server();
  const all = source.openConnections().flatMap((connection) => connection.subscriptions);
  const offset = Math.max(0, numberOf(query, 'offset', 0));
  const limit = numberOf(query, 'limit', 1024) || 1024;
  const listed = query.get('subs') === '1' || query.get('subs') === 'true';
  return {
    server_id: id,
    now: new Date(nowMs).toISOString(),
    num_subscriptions: subscriptions,
    num_cache: cachedRoutes,
    total: all.length,
    offset,
    limit,
    subscriptions_list: listed ? all.slice(offset, offset + limit).map(subscriptionJson) : undefined,
  };
}

/** Endpoints of features that are not there: what a server without them answers. */
function empty(rest: object): Endpoint {
  return (source, _query, nowMs) => ({ server_id: source.server().id, now: new Date(nowMs).toISOString(), ...rest });
}

const ENDPOINTS: Record<string, Endpoint> = {
  '/varz': (source, _query, nowMs) => varz(source, nowMs),
  '/connz': connz,
  '/subsz': subsz,
  '/subscriptionsz': subsz,
  '/routez': empty({ num_routes: 0, routes: [] }),
  '/leafz': empty({ leafnodes: 0, leafs: [] }),
  '/gatewayz': empty({ outbound_gateways: {}, inbound_gateways: {} }),
  '/jsz': empty({
    disabled: true,
    config: { max_memory: 0, max_storage: 0 },
    memory: 0,
    storage: 0,
    accounts: 0,
    streams: 0,
    consumers: 0,
    messages: 0,
    bytes: 0,
  }),
  '/pluginz': (source, _query, nowMs) => ({
    server_id: source.server().id,
    now: new Date(nowMs).toISOString(),
    ...source.plugins(),
  }),
};

/** The HTTP monitoring port. */
export class MonitorServer {
  private readonly source: MonitorSource;
  private readonly server: Server;
  private readonly basePath: string;
  host = '';
  port = 0;

  constructor(source: MonitorSource) {
    this.source = source;
    this.basePath = (source.server().monitoring.basePath ?? '').replace(/\/+$/, '');
    this.server = createServer(
      { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 },
      (request, response) => {
        void this.answer(request, response);
      },
    );
    this.server.maxConnections = 256;
  }

  /** Rejects with a `Failure` that names the address. */
  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', (error) => {
        reject(
          new Failure('listen-failed', `cannot listen on ${host}:${port} for monitoring: ${error.message}`, {
            cause: error,
          }),
        );
      });
      this.server.listen(port, host, () => {
        const address = this.server.address();
        if (address !== null && typeof address === 'object') {
          this.host = address.address;
          this.port = address.port;
        }
        resolve();
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, 'text/plain', `${request.method} is not allowed; expected GET or HEAD\n`);
      return;
    }
    const url = new URL(request.url ?? '/', 'http://localhost');
    const path = url.pathname.startsWith(this.basePath)
      ? url.pathname.slice(this.basePath.length) || '/'
      : url.pathname;
    try {
      await this.page(path, url.searchParams, response);
    } catch (error) {
      if (error instanceof BadQuery) send(response, 400, 'text/plain', `${error.message}\n`);
      else throw error;
    }
  }

  private async page(path: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const endpoint = ENDPOINTS[path];
    if (endpoint !== undefined) {
      send(response, 200, 'application/json', `${JSON.stringify(endpoint(this.source, query, Date.now()), null, 2)}`);
    } else if (path === '/healthz') send(response, 200, 'application/json', '{"status":"ok"}');
    else if (path === '/metrics') {
      const { text, type } = await metrics(this.source);
      send(response, 200, type, text);
    } else if (path === '/') send(response, 200, 'text/html; charset=utf-8', this.index());
    else send(response, 404, 'text/plain', `404 page not found\n`);
  }

  private index(): string {
    const links = [...Object.keys(ENDPOINTS), '/healthz', '/metrics'].map(
      (path) => `<li><a href=".${this.basePath}${path}">${path.slice(1)}</a></li>`,
    );
    return `<!doctype html><html lang="en"><head><title>Weir</title></head><body><h1>Weir monitoring</h1><ul>${links.join('')}</ul></body></html>\n`;
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
