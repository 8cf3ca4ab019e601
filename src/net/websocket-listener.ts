import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type PerMessageDeflateOptions, WebSocketServer } from 'ws';
import { describe, Failure } from '../base/failure.js';
import { TlsContext, type TlsSettings } from './tls-context.js';
import type { Transport } from './transport.js';
import { WebSocketTransport } from './websocket-transport.js';

export interface WebSocketSettings {
  /** Empty is every address, of IPv6 and IPv4. */
  host: string;
  /** 0 is any free port. */
  port: number;
  /** Null for plain HTTP. */
  tls: TlsSettings | null;
  compression: boolean;
  sameOrigin: boolean;
  /** Origins such as `https://example.com`; empty is any. */
  allowedOrigins: readonly string[];
  handshakeTimeoutMs: number;
  /** Bytes of one message, after decompression. */
  messageBytesMax: () => number;
  /** Added to the answer to each upgrade. */
  headers: Readonly<Record<string, string>>;
  /** Why connections to this path are refused, or null. */
  whyNotPath(path: string): string | null;
}

/** Who gets the connections, and is told of those that were refused. */
export interface WebSocketOwner {
  onConnection(transport: Transport): void;
  /** `text` names the peer and says why. */
  onRefused(text: string): void;
}

/** As nats-server: no memory between messages, and small ones are not worth it. */
const DEFLATE: PerMessageDeflateOptions = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: 64,
  concurrencyLimit: 4,
};

const STATUS_TEXTS = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found' } as const;
type RefusalStatus = keyof typeof STATUS_TEXTS;

/** Listens for WebSocket connections and makes a transport of each. */
export class WebSocketListener {
  private readonly settings: WebSocketSettings;
  private readonly owner: WebSocketOwner;
  private readonly server: Server | TlsServer;
  /** Null without TLS. */
  private context: TlsContext | null;
  private readonly upgrades: WebSocketServer;
  port = 0;
  private ended: Promise<void> | null = null;

  constructor(settings: WebSocketSettings, owner: WebSocketOwner) {
    this.settings = settings;
    this.owner = owner;
    this.context = settings.tls === null ? null : contextOf(settings.tls);
    this.server = httpServer(settings, () => this.context!);
    this.upgrades = new WebSocketServer({
      noServer: true,
      perMessageDeflate: settings.compression ? DEFLATE : false,
      maxPayload: settings.messageBytesMax(),
      // A NATS connection is bytes, also where a client sends them in text frames.
      skipUTF8Validation: true,
    });
    this.upgrades.on('headers', (lines) => {
      for (const [name, value] of Object.entries(settings.headers)) lines.push(`${name}: ${value}`);
    });
    this.upgrades.on('wsClientError', (error, socket) => this.refuse(socket, 400, error.message));
    this.server.on('request', (_request, response) => {
      response.writeHead(400, { 'Content-Type': 'text/plain; charset=utf-8', 'Sec-WebSocket-Version': '13' });
      response.end('this port speaks WebSocket: expected an upgrade request\n');
    });
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    this.server.on('tlsClientError', (error, socket) => {
      owner.onRefused(`${peerOf(socket)} - TLS handshake error: ${describe(error)}`);
    });
  }

  /** Rejects with the system's error. */
  listen(): Promise<void> {
    const { host, port } = this.settings;
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

  /** Uses other certificates for connections from now on. Throws a `Failure` when they are none. */
  renewCertificate(settings: TlsSettings): void {
    if (this.context === null || !('setSecureContext' in this.server)) return;
    this.context = contextOf(settings);
    this.server.setSecureContext(this.context.httpsOptions());
  }

  /** Accepts no more; open connections stay until their owner closes them. Resolves when the port is free. */
  close(): Promise<void> {
    if (this.ended === null) {
      this.ended = new Promise((resolve) => {
        if (this.server.listening) this.server.close(() => resolve());
        else resolve();
      });
      // Connections that have not asked for an upgrade yet.
      this.server.closeAllConnections();
    }
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  /** After `close`: resolves when the last connection has ended. */
  async drained(): Promise<void> {
    await this.ended;
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { settings, upgrades, owner } = this;
    const wrongPath = settings.whyNotPath(pathOf(request));
    if (wrongPath !== null) {
      this.refuse(socket, 404, wrongPath);
      return;
    }
    const wrongOrigin = whyNotOrigin(request, settings);
    if (wrongOrigin !== null) {
      this.refuse(socket, 403, `origin not allowed: ${wrongOrigin}`);
      return;
    }
    upgrades.options.maxPayload = settings.messageBytesMax();
    upgrades.handleUpgrade(request, socket, head, (connection) => {
      const transport = new WebSocketTransport(connection, request, settings.tls !== null);
      if (this.context?.whyNotPeer(transport.tls) == null) owner.onConnection(transport);
      else {
        owner.onRefused(`${peerOf(socket)} - TLS handshake error: certificate not pinned`);
        transport.destroy();
      }
    });
  }

  private refuse(socket: Duplex, status: RefusalStatus, reason: string): void {
    this.owner.onRefused(`${peerOf(socket)} - websocket handshake error: ${reason}`);
    const body = `${reason}\n`;
    // The peer may be gone already.
    socket.on('error', () => {});
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_TEXTS[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Sec-WebSocket-Version: 13\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
}

function httpServer({ tls, handshakeTimeoutMs }: WebSocketSettings, context: () => TlsContext): Server | TlsServer {
  const timeouts = {
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: handshakeTimeoutMs,
    // How often Node looks for connections that are too slow.
    connectionsCheckingInterval: Math.max(50, Math.ceil(handshakeTimeoutMs / 4)),
    noDelay: true,
  };
  if (tls === null) return createServer(timeouts);
  return createTlsServer({
    ...timeouts,
    handshakeTimeout: handshakeTimeoutMs || 120_000,
    ...context().httpsOptions(),
    requestCert: tls.verify,
    rejectUnauthorized: tls.verify,
    SNICallback: (name, done) => done(null, context().contextFor(name)),
  });
}

function contextOf(settings: TlsSettings): TlsContext {
  try {
    return new TlsContext(settings);
  } catch (error) {
    throw new Failure('tls-invalid', `websocket: ${describe(error)}`, { cause: error });
  }
}

function peerOf(socket: Duplex): string {
  const { remoteAddress = 'unknown', remotePort = 0 } = socket as Socket;
  return `${remoteAddress.replace(/^::ffff:/, '')}:${remotePort}`;
}

function pathOf(request: IncomingMessage): string {
  const [path] = (request.url ?? '/').split('?', 1);
  return path;
}

/** The origin check: browsers say where a page came from, other clients say nothing and may come in. */
export function whyNotOrigin(
  request: Pick<IncomingMessage, 'headers'>,
  { sameOrigin, allowedOrigins, tls }: Pick<WebSocketSettings, 'sameOrigin' | 'allowedOrigins' | 'tls'>,
): string | null {
  const { origin, host } = request.headers;
  if (origin === undefined || (!sameOrigin && allowedOrigins.length === 0)) return null;
  const from = parseOrigin(origin);
  if (from === null) return `${JSON.stringify(origin)} is not a URL`;
  if (sameOrigin && from !== parseOrigin(`${tls === null ? 'http' : 'https'}://${host ?? ''}`))
    return 'not same origin';
  if (allowedOrigins.length > 0 && !allowedOrigins.some((allowed) => parseOrigin(allowed) === from))
    return 'not in the allowed list';
  return null;
}

/** Scheme, host and port in lower case, without the port that goes without saying; null when the text is no URL. */
function parseOrigin(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { protocol, host } = new URL(text);
  return host === '' ? null : `${protocol}//${host}`.toLowerCase();
}
