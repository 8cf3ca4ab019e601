import { createServer, type Server, Socket } from 'node:net';
import { takeFromArena } from '../base/arena.js';
import { Failure } from '../base/failure.js';
import { SocketTransport } from './socket-transport.js';

/**
 * Where every TCP connection reads into. One buffer serves all, since what arrives is parsed before the next read. The headroom in
 * front is where a parser joins what was left over from the chunk before. A publisher in a hurry is read two MiB at once: fewer turns, and each
 * writes more (bench: 1to1-128 and 4to4-128, a fifth to a quarter more messages than with 256 KiB). What is not read costs no memory.
 */
const HEADROOM_BYTES = 64 * 1024;
const READ_BYTES = 2 * 1024 * 1024;
const readSpace = takeFromArena(HEADROOM_BYTES + READ_BYTES) ?? new Uint8Array(HEADROOM_BYTES + READ_BYTES);
const readBuffer = readSpace.subarray(HEADROOM_BYTES);

/** A socket as `net.Server` makes it: its handle can be taken over. */
interface AcceptedSocket extends Socket {
  _handle: unknown;
  _server: unknown;
  server: unknown;
}

/** Listens for TCP connections and makes a transport of each. */
export class TcpListener {
  private readonly server: Server;
  private ended: Promise<void> | null = null;
  host = '';
  port = 0;

  constructor(onConnection: (transport: SocketTransport) => void) {
    this.server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      onConnection(transportOf(socket as AcceptedSocket));
    });
  }

  /** Opens the port; 0 or -1 is any free one. Rejects with a `Failure` that names the address. */
  listen(host: string, port: number): Promise<void> {
    const wanted = Math.max(0, port);
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => {
        reject(new Failure('listen-failed', `cannot listen on ${host}:${port}: ${error.message}`, { cause: error }));
      };
      this.server.once('error', failed);
      this.server.listen({ host, port: wanted, backlog: 4096 }, () => {
        this.server.off('error', failed);
        const address = this.server.address();
        if (address !== null && typeof address === 'object') {
          this.host = address.address;
          this.port = address.port;
        }
        resolve();
      });
    });
  }

  /** Whether connections are still accepted. */
  get listening(): boolean {
    return this.server.listening;
  }

  /** Accepts no more. Connections that are open stay open. Resolves when the port is free. */
  close(): Promise<void> {
    if (this.ended === null) {
      this.ended = new Promise((resolve) => {
        if (this.server.listening) this.server.close(() => resolve());
        else resolve();
      });
    }
    // The port is free at once; `ended` waits for the last connection.
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  /** After `close`: resolves when the last connection has ended. */
  async drained(): Promise<void> {
    await this.ended;
  }
}

/**
 * Takes the accepted socket's handle over into a socket that reads into the shared buffer: no buffer is allocated per read, and an
 * idle connection holds none (bench: memory per idle connection). `handle` and `onread` together are what `net.Server` itself cannot be asked for.
 */
function transportOf(accepted: AcceptedSocket): SocketTransport {
  const handle = accepted._handle;
  if (handle === null || handle === undefined) return eventTransport(accepted);
  let transport: SocketTransport | null = null;
  const readInto = {
    buffer: readBuffer,
    callback: (bytesRead: number) => {
      transport?.receiver?.received(readSpace, HEADROOM_BYTES, HEADROOM_BYTES + bytesRead);
      return true;
    },
  };
  const socket = new Socket({ handle, allowHalfOpen: false, onread: readInto } as never) as AcceptedSocket;
  // The handle has one owner: the accepted socket lets go, and the server counts the new one.
  socket._server = accepted._server;
  socket.server = accepted.server;
  accepted._handle = null;
  transport = new SocketTransport(socket, readInto);
  return transport;
}

function eventTransport(socket: Socket): SocketTransport {
  const transport = new SocketTransport(socket, null);
  transport.readByEvents();
  return transport;
}
