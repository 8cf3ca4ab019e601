import type { Socket } from 'node:net';
import type { TLSSocket, TLSSocketOptions } from 'node:tls';

/** Where a socket's bytes are read into, and who is told how many. */
export interface ReadInto {
  buffer: Uint8Array;
  callback: (bytes: number) => boolean;
}

/** What Node's sockets have beside what they document. */
interface Inner {
  _handle: { receive(bytes: Uint8Array): void; verifyError(): Error | null } | null;
  _server: unknown;
  connecting: boolean;
}

interface OwnOptions extends TLSSocketOptions {
  handle: unknown;
  onread: ReadInto;
}

type SocketClass = new (options: OwnOptions) => TLSSocket;
let socketClass: SocketClass | null = null;

/**
 * The server's side of TLS on a connection that is open already, reading into a shared buffer. `TLSSocket` does that only for connections
 * that it opens: it is given the handle where it would make one. Against `data` events, reading 16 KiB costs half of the time.
 */
function serverTlsSocket(): SocketClass {
  // Made here: a server without TLS starts without it.
  const { TLSSocket } = process.getBuiltinModule('node:tls');
  const { _wrapHandle } = TLSSocket.prototype as unknown as { _wrapHandle(...parts: unknown[]): unknown };
  socketClass ??= class extends TLSSocket {
    declare private readonly _tlsOptions: OwnOptions;

    constructor(options: OwnOptions) {
      super(undefined as never, options);
      // It believes that it has yet to connect.
      (this as unknown as Inner).connecting = false;
    }

    _wrapHandle(): unknown {
      return _wrapHandle.call(this, null, this._tlsOptions.handle, false);
    }
  };
  return socketClass;
}

/** Who learns how a handshake ends. */
export interface HandshakeEnd {
  secured(socket: TLSSocket): void;
  failed(error: Error): void;
}

/**
 * Begins the server's side of a handshake on a plain socket from which `early` was read, its handshake's first bytes. All of what the
 * plain socket had to write must be with the kernel. It is of no use any more.
 */
export function serverHandshake(
  plain: Socket,
  { options, readInto, early }: { options: TLSSocketOptions; readInto: ReadInto; early: Uint8Array },
  end: HandshakeEnd,
): TLSSocket {
  const old = plain as unknown as Inner;
  const SocketOfServer = serverTlsSocket();
  const socket = new SocketOfServer({ ...options, handle: old._handle, onread: readInto });
  const inner = socket as unknown as Inner;
  // The handle has one owner, and the server counts the new one.
  old._handle = null;
  inner._server = old._server;
  old._server = null;
  let settled = false;
  const fail = (error: Error) => {
    if (settled) return;
    settled = true;
    end.failed(error);
  };
  socket.on('_tlsError', fail);
  socket.once('close', () => fail(new Error('EOF')));
  socket.once('secure', () => {
    const error = options.requestCert ? (inner._handle?.verifyError() ?? null) : null;
    if (error !== null) return fail(error);
    if (settled) return;
    settled = true;
    // From here on its errors are those of a connection.
    (socket as unknown as { _releaseControl(): void })._releaseControl();
    end.secured(socket);
  });
  inner._handle!.receive(early);
  return socket;
}
