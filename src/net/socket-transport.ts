import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Transport, TransportReceiver, UpgradeRequest } from './transport.js';

/** A TCP or TLS socket as a transport. Bytes come in by `deliver`, or by the socket's own `data` events (TLS). */
export class SocketTransport implements Transport {
  readonly kind: 'tcp' | 'tls';
  readonly secure: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly upgrade: UpgradeRequest | null = null;
  receiver: TransportReceiver | null = null;
  readonly socket: Socket | TLSSocket;
  private pending = 0;
  private isClosed = false;
  private error: Error | null = null;

  constructor(socket: Socket | TLSSocket, kind: 'tcp' | 'tls', peer: Socket = socket) {
    this.socket = socket;
    this.kind = kind;
    this.secure = kind === 'tls';
    this.remoteAddress = plainAddress(peer.remoteAddress ?? '');
    this.remotePort = peer.remotePort ?? 0;
    this.localPort = peer.localPort ?? 0;
    socket.on('error', (error: Error) => {
      this.error = error;
    });
    // The peer sends no more: a NATS connection is over then.
    socket.on('end', () => socket.destroySoon());
    socket.on('close', () => {
      this.isClosed = true;
      this.receiver?.closed(this.error);
      this.receiver = null;
    });
  }

  get pendingBytes(): number {
    return this.pending;
  }

  /** Reads by `data` events, for sockets that cannot read into a shared buffer. */
  readByEvents(): void {
    this.socket.on('data', (chunk: Buffer) => this.receiver?.received(chunk, 0, chunk.length));
  }

  write(bytes: Uint8Array, done: () => void): void {
    const length = bytes.length;
    this.pending += length;
    if (this.isClosed || this.socket.destroyed) {
      this.pending -= length;
      process.nextTick(done);
      return;
    }
    this.socket.write(bytes, () => {
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

  end(gently: boolean): void {
    if (!gently) this.socket.destroySoon();
    else {
      this.socket.end();
      // To see the peer's end.
      this.socket.resume();
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** IPv4 addresses come as `::ffff:1.2.3.4` from a socket that listens on both families. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
