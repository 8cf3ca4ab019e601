import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { describe } from '../base/failure.js';
import type { Logger } from '../base/logger.js';
import type { TlsContext } from '../net/tls-context.js';
import { ENDPOINTS } from './endpoints.js';
import { health } from './health.js';
import { indexPage } from './index-page.js';
import { metrics } from './metrics.js';
import { BadQuery } from './query.js';
import type { MonitorSource } from './snapshots.js';
import { CpuMeter, type MonitorFigures, varz } from './varz.js';

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json';
const CONNECTIONS_MAX = 256;

/** The HTTP monitoring port. */
export class MonitorServer {
  port = 0;
  private readonly source: MonitorSource;
  private readonly logger: Logger;
  private readonly server: Server | TlsServer;
  private readonly basePath: string;
  /** Requests by path, of the paths that there are. */
  private readonly requests: Record<string, number> = {};
  private readonly figures: MonitorFigures = { cpu: new CpuMeter(), requests: this.requests };

  /** `basePath` is in front of every path, such as `/nats`; empty is none. */
  constructor(
    source: MonitorSource,
    logger: Logger,
    { basePath, tls = null }: { basePath: string; tls?: TlsContext | null },
  ) {
    this.source = source;
    this.logger = logger;
    this.basePath = cleanPath(basePath);
    const timeouts = {
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5_000,
      // How often Node looks for requests that are too slow: as a rule each 30 s.
      connectionsCheckingInterval: 2_500,
    };
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      this.answer(request, response).catch((error) => {
        logger.error(`Monitoring: cannot answer ${request.url}: ${describe(error)}`);
        if (!response.headersSent) send(response, { status: 500, type: TEXT, body: 'internal error' });
        else response.destroy();
      });
    };
    this.server =
      tls === null
        ? createServer(timeouts, onRequest)
        : createTlsServer({ ...timeouts, handshakeTimeout: 5_000, ...tls.httpsOptions() }, onRequest);
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** Uses other certificates from now on. */
  renewCertificate(tls: TlsContext): void {
    if ('setSecureContext' in this.server) this.server.setSecureContext(tls.httpsOptions());
  }

  /** Opens the port; an empty host is every address. Rejects with the system's error. */
  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, ...(host === '' ? {} : { host }) }, () => {
        this.server.off('error', reject);
        const address = this.server.address();
        if (address !== null && typeof address === 'object') this.port = address.port;
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
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const body = `${request.method} is not allowed; expected GET or HEAD`;
      send(response, { status: 405, type: TEXT, body });
      return;
    }
    const [target, search = ''] = (request.url ?? '/').split('?', 2);
    const path = this.pathOf(target);
    try {
      send(response, await this.page(path, new URLSearchParams(search)));
    } catch (error) {
      if (!(error instanceof BadQuery)) throw error;
      send(response, { status: 400, type: TEXT, body: error.message });
    }
  }

  /** The path behind the base path; null when it is not behind it. */
  private pathOf(target: string): string | null {
    if (this.basePath === '') return target;
    if (target === this.basePath) return '/';
    return target.startsWith(`${this.basePath}/`) ? target.slice(this.basePath.length) : null;
  }

  private async page(path: string | null, query: URLSearchParams): Promise<Page> {
    const { source, figures } = this;
    if (path === null || !isPage(path)) return { status: 404, type: TEXT, body: '404 page not found\n' };
    this.requests[path] = (this.requests[path] ?? 0) + 1;
    if (path === '/')
      return {
        status: 200,
        type: 'text/html; charset=utf-8',
        body: indexPage(this.basePath, source.server().weirVersion),
      };
    if (path === '/varz') return jsonPage(varz(source, figures, Date.now()));
    if (path === '/healthz') {
      const { status, body } = health(source, query);
      if (status !== 200) this.logger.warn(`Healthcheck failed: ${JSON.stringify(body)}`);
      return { status, type: JSON_TYPE, body: JSON.stringify(body) };
    }
    if (path === '/metrics') {
      const { text, type } = await metrics(source, figures);
      return { status: 200, type, body: text };
    }
    return jsonPage(ENDPOINTS[path](source, query, Date.now()));
  }
}

interface Page {
  status: number;
  type: string;
  body: string;
}

function isPage(path: string): boolean {
  return ['/', '/varz', '/healthz', '/metrics'].includes(path) || Object.hasOwn(ENDPOINTS, path);
}

/** `/a/b`, without what would make a path something else. */
function cleanPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('');
}

function jsonPage(value: object): Page {
  return { status: 200, type: JSON_TYPE, body: JSON.stringify(value, null, 2) };
}

function send(response: ServerResponse, { status, type, body }: Page): void {
  // Any page may read what is shown here: that is what monitoring is for.
  if (type === JSON_TYPE) response.setHeader('Access-Control-Allow-Origin', '*');
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
