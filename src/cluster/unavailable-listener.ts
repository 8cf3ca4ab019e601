import { createServer, type Server, type Socket } from 'node:net';
import { describe } from '../base/failure.js';
import type { Logger } from '../base/logger.js';

export type PeerKind = 'route' | 'leafnode' | 'gateway' | 'mqtt';

export interface UnavailableSettings {
  kind: PeerKind;
  /** Empty is every address, of IPv6 and IPv4. */
  host: string;
  /** 0 is any free port. */
  port: number;
  logger: Logger;
  /** The INFO object that peers expect first. */
  info: () => object;
}

const CONNECTIONS_MAX = 64;
const PATIENCE_MS = 5_000;
/** MQTT 3.1.1 CONNACK with return code 3: server unavailable. */
const CONNACK_UNAVAILABLE = Buffer.from([0x20, 0x02, 0x00, 0x03]);

/** A port that the configuration asks for and whose feature is not there yet: it says so, in the peer's own protocol. */
export class UnavailableListener {
  readonly kind: PeerKind;
  port = 0;
  private readonly settings: UnavailableSettings;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor(settings: UnavailableSettings) {
    this.kind = settings.kind;
    this.settings = settings;
    this.server = createServer({ allowHalfOpen: true }, (socket) => this.refuse(socket));
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** Opens the port. Rejects with the system's error. */
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

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
    });
  }

  private refuse(socket: Socket): void {
    const { kind, logger, info } = this.settings;
    this.sockets.add(socket);
    const label = `${socket.remoteAddress?.replace(/^::ffff:/, '')}:${socket.remotePort}`;
    // An idle timeout would let a peer that goes on sending stay.
    const patience = setTimeout(() => socket.destroy(), PATIENCE_MS);
    patience.unref();
    socket.on('close', () => {
      clearTimeout(patience);
      this.sockets.delete(socket);
    });
    socket.on('error', (error) => logger.debug(`${label} - ${kind} peer: ${describe(error)}`));
    socket.on('end', () => socket.end());
    logger.error(`${label} - ${kind} connection refused: not supported yet`);
    // An MQTT server may only answer, after CONNECT.
    if (kind === 'mqtt') socket.once('data', () => socket.end(CONNACK_UNAVAILABLE));
    else {
      socket.write(`INFO ${JSON.stringify(info())}\r\n`);
      socket.end(`-ERR '${kind} connections are not supported yet'\r\n`);
    }
    // What the peer sends is read and dropped: unread bytes would make the kernel reset the connection and lose our words.
    socket.resume();
  }
}
