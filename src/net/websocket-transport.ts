import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { RawData, WebSocket } from 'ws';
import { type TlsFacts, tlsFacts } from './tls-peer.js';
import type { Transport, TransportReceiver, UpgradeRequest } from './transport.js';

/** Close code 1000: the connection did what it was for. */
const NORMAL_CLOSURE = 1000;

/** A WebSocket connection as a transport: binary frames either way, their boundaries mean nothing. */
export class WebSocketTransport implements Transport {
  readonly kind = 'websocket';
  readonly secure: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly upgrade: UpgradeRequest;
  readonly tls: TlsFacts | null;
  receiver: TransportReceiver | null = null;
  private readonly socket: WebSocket;
  private pending = 0;
  private error: Error | null = null;

  constructor(socket: WebSocket, request: IncomingMessage, secure: boolean) {
    this.socket = socket;
    this.secure = secure;
    this.remoteAddress = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.remotePort = request.socket.remotePort ?? 0;
    this.localPort = request.socket.localPort ?? 0;
    this.upgrade = readUpgrade(request);
    this.tls = request.socket instanceof TLSSocket ? tlsFacts(request.socket) : null;
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('message', (data: RawData) => {
      const bytes = data as Buffer;
      this.receiver?.received(bytes, 0, bytes.length);
    });
    socket.on('close', () => {
      this.receiver?.closed(this.error);
      this.receiver = null;
    });
    socket.pause();
  }

  get pendingBytes(): number {
    return this.pending;
  }

  write(bytes: Uint8Array, done: () => void): void {
    const length = bytes.length;
    this.pending += length;
    this.socket.send(bytes, { binary: true }, () => {
      this.pending -= length;
      done();
    });
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.close(NORMAL_CLOSURE);
  }

  destroy(): void {
    this.socket.terminate();
  }
}

function readUpgrade(request: IncomingMessage): UpgradeRequest {
  const forwarded = request.headers['x-forwarded-for'];
  const first = (Array.isArray(forwarded) ? forwarded[0] : (forwarded ?? '')).split(',')[0].trim();
  return {
    path: (request.url ?? '/').split('?', 1)[0],
    // Anybody can send this header: only what is an address gets into logs and snapshots.
    forwardedFor: isIP(first) === 0 ? '' : first,
    cookies: readCookies(request.headers.cookie ?? ''),
  };
}

/** `a=1; b=2` as a map. A value that is not valid percent-encoding stays as it is. */
export function readCookies(header: string): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=');
    if (at <= 0) continue;
    const name = pair.slice(0, at).trim();
    const value = pair
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    cookies.set(name, decodeOr(value));
  }
  return cookies;
}

function decodeOr(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
