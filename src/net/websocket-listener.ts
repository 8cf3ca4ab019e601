import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { type PerMessageDeflateOptions, WebSocketServer } from 'ws';
import { Failure } from '../base/failure.js';
import type { Transport } from './transport.js';
import { WebSocketTransport } from './websocket-transport.js';

export interface WebSocketSettings {
  host: string;
  /** 0 is any free port. */
  port: number;
  /** PEM texts, or null for plain HTTP. */
  tls: { cert: string; key: string; ca: string | null; verify: boolean } | null;
  compression: boolean;
  sameOrigin: boolean;
  /** Origins such as `https://example.com`; empty is any. */
  allowedOrigins: readonly string[];
  handshakeTimeoutMs: number;
  /** Bytes of one message, after decompression. */
  messageBytesMax: number;
  /** Added to the answer to each upgrade. */
  headers: Readonly<Record<string, string>>;
}

/** As nats-server: no memory between messages, and small ones are not worth it. */
const DEFLATE: PerMessageDeflateOptions = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: 64,
  concurrencyLimit: 4,
};

/** Listens for WebSocket connections and makes a transport of each. */
export class WebSocketListener {
  private readonly settings: WebSocketSettings;
  private readonly server: Server;
  private readonly upgrades: WebSocketServer;
  host = '';
  port = 0;

  constructor(settings: WebSocketSettings, onConnection: (transport: Transport) => void) {
    this.settings = settings;
    const { tls, handshakeTimeoutMs } = settings;
    const timeouts = { headersTimeout: handshakeTimeoutMs, requestTimeout: handshakeTimeoutMs };
    this.server =
      tls === null
        ? createServer(timeouts)
        : createTlsServer({
            ...timeouts,
            cert: tls.cert,
            key: tls.key,
            ...(tls.ca === null ? {} : { ca: tls.ca }),
            requestCert: tls.verify,
            rejectUnauthorized: tls.verify,
            minVersion: 'TLSv1.2',
            handshakeTimeout: handshakeTimeoutMs,
          });
    this.upgrades = new WebSocketServer({
      noServer: true,
      perMessageDeflate: settings.compression ? DEFLATE : false,
      maxPayload: settings.messageBytesMax,
      skipUTF8Validation: true,
    });
    this.upgrades.on('headers', (lines) => {
      for (const [name, value] of Object.entries(settings.headers)) lines.push(`${name}: ${value}`);
    });
    this.server.on('request', (_request, response) => {
      response.writeHead(400, { 'Content-Type': 'text/plain' });
      response.end('this port speaks WebSocket: expected an upgrade request\n');
    });
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const refusal = this.whyNot(request);
      if (refusal !== null) {
        socket.end(
          `HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${refusal.length}\r\n\r\n${refusal}`,
        );
        return;
      }
      this.upgrades.handleUpgrade(request, socket, head, (connection) => {
        onConnection(new WebSocketTransport(connection, request, tls !== null));
      });
    });
  }

  /** Rejects with a `Failure` that names the address. */
  listen(): Promise<void> {
    const { host, port } = this.settings;
    return new Promise((resolve, reject) => {
      this.server.once('error', (error) => {
        reject(
          new Failure('listen-failed', `cannot listen on ${host}:${port} for websocket clients: ${error.message}`, {
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

  /** Accepts no more; open connections stay until their owner closes them. */
  close(): Promise<void> {
    this.upgrades.close();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeIdleConnections();
      setImmediate(resolve);
    });
  }

  /** The origin check: browsers say where a page came from. */
  private whyNot(request: IncomingMessage): string | null {
    const { origin, host } = request.headers;
    const { sameOrigin, allowedOrigins, tls } = this.settings;
    if (origin === undefined || (!sameOrigin && allowedOrigins.length === 0)) return null;
    const from = parseOrigin(origin);
    if (from === null) return `origin ${JSON.stringify(origin)} is not a URL`;
    if (sameOrigin) {
      const own = parseOrigin(`${tls === null ? 'http' : 'https'}://${host ?? ''}`);
      if (own === null || own !== from) return `origin ${JSON.stringify(origin)} is not this server's`;
    }
    if (allowedOrigins.length > 0 && !allowedOrigins.some((allowed) => parseOrigin(allowed) === from)) {
      return `origin ${JSON.stringify(origin)} is not in the allowed list`;
    }
    return null;
  }
}

/** Scheme, host and port, or null. */
function parseOrigin(text: string): string | null {
  return URL.canParse(text) ? new URL(text).origin.toLowerCase() : null;
}
