import { createServer, type Server, type Socket } from 'node:net';
import { describe, Failure } from '../base/failure.js';
import type { Logger } from '../base/logger.js';

export type PeerKind = 'route' | 'leafnode' | 'gateway' | 'mqtt';

export interface UnavailableSettings {
  kind: PeerKind;
  host: string;
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
  private readonly settings: UnavailableSettings;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  port = 0;

  constructor(settings: UnavailableSettings) {
    this.settings = settings;
    this.server = createServer((socket) => this.refuse(socket));
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** Opens the port and warns. Rejects with a `Failure` that names the address. */
  listen(): Promise<void> {
    const { host, port, kind, logger } = this.settings;
    return new Promise((resolve, reject) => {
      this.server.once('error', (error) => {
        reject(
          new Failure('listen-failed', `cannot listen on ${host}:${port} for ${kind} connections: ${error.message}`, {
            cause: error,
          }),
        );
      });
      this.server.listen(port, host, () => {
        const address = this.server.address();
        if (address !== null && typeof address === 'object') this.port = address.port;
        logger.warn(`${kind} connections are not supported yet: ${host}:${this.port} is open and refuses its peers`);
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
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', (error) => logger.debug(`${kind} peer: ${describe(error)}`));
    if (kind === 'mqtt') socket.once('data', () => socket.end(CONNACK_UNAVAILABLE));
    else {
      socket.write(`INFO ${JSON.stringify(info())}\r\n`);
      socket.end(`-ERR '${kind} connections are not supported yet'\r\n`);
      socket.resume();
    }
  }
}
