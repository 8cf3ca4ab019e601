import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsContext } from './tls-context.js';
import { type TlsFacts, tlsFacts } from './tls-peer.js';
import { type ReadInto, serverHandshake } from './tls-socket.js';
import type { Transport, TransportReceiver, UpgradeRequest } from './transport.js';

/** A TCP socket as a transport; it may go on with TLS. Bytes come into a shared buffer, or by the socket's own `data` events. */
export class SocketTransport implements Transport {
  kind: 'tcp' | 'tls' = 'tcp';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly upgrade: UpgradeRequest | null = null;
  tls: TlsFacts | null = null;
  receiver: TransportReceiver | null = null;
  private socket: Socket | TLSSocket;
  private pending = 0;
  private isClosed = false;
  private error: Error | null = null;
  /** Called when all that was written is with the kernel. */
  private onDrained: (() => void) | null = null;
  private readonly readInto: ReadInto | null;

  /** `readInto` is where the socket reads into; null when it reads by events. */
  constructor(socket: Socket, readInto: ReadInto | null) {
    this.socket = socket;
    this.readInto = readInto;
    this.remoteAddress = plainAddress(socket.remoteAddress ?? '');
    this.remotePort = socket.remotePort ?? 0;
    this.localPort = socket.localPort ?? 0;
    this.listenTo(socket);
  }

  get secure(): boolean {
    return this.kind === 'tls';
  }

  private listenTo(socket: Socket): void {
    socket.on('error', (error: Error) => {
      this.error = error;
    });
    // The peer sends no more: a NATS connection is over then.
    socket.on('end', () => socket.destroySoon());
    socket.on('close', () => {
      if (this.socket !== socket) return;
      this.isClosed = true;
      this.receiver?.closed(this.error);
      this.receiver = null;
    });
  }

  secureWith(context: TlsContext, early: Uint8Array, done: (error: Error | null) => void): void {
    if (this.pending > 0) {
      this.onDrained = () => this.secureWith(context, early, done);
      return;
    }
    if (this.isClosed || this.socket.destroyed || this.readInto === null) {
      done(new Error(this.readInto === null ? 'TLS cannot take over this connection' : 'EOF'));
      return;
    }
    const plain = this.socket;
    const { readInto } = this;
    this.socket = serverHandshake(
      plain,
      { options: context.serverOptions(), readInto, early },
      {
        secured: (socket) => {
          this.tls = tlsFacts(socket);
          const refusal = context.whyNotPeer(this.tls);
          done(refusal === null ? null : new Error(refusal));
        },
        failed: done,
      },
    );
    this.kind = 'tls';
    this.listenTo(this.socket);
    this.socket.resume();
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
    const { socket } = this;
    let isTaken = false;
    socket.write(bytes, () => {
      if (!isTaken) this.taken(length, done);
    });
    // The kernel has all of it already, mostly; the socket says so a tick later. By then a hundred receivers would have filled
    // slab after slab, further ones than are kept (bench: 1→100).
    if (socket.writableLength > 0) return;
    isTaken = true;
    this.taken(length, done);
  }

  private taken(length: number, done: () => void): void {
    this.pending -= length;
    done();
    if (this.onDrained !== null && this.pending === 0) this.drained();
  }

  private drained(): void {
    const run = this.onDrained!;
    this.onDrained = null;
    run();
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
