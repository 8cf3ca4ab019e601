import { Failure } from '../base/failure.js';
import { VERSION } from '../base/version.js';
import type { PeerKind, UnavailableListener } from '../cluster/unavailable-listener.js';
import type { PeerListenerOptions, TlsOptions } from '../config/options.js';
import type { MonitorServer } from '../monitor/monitor-server.js';
import type { MonitorSource } from '../monitor/snapshots.js';
import { TcpListener } from '../net/tcp-listener.js';
import { TlsContext } from '../net/tls-context.js';
import { bindHost, hostPort, listenFailure, localHost, urlsOf } from './addresses.js';
import type { ListenUrls } from './ports-file.js';
import type { OpenPorts, ServerParts } from './server-parts.js';
import type { WebSocketDoor } from './websocket.js';

/** How the log and the ports file name the ports of features that are not there yet. */
const PEERS = [
  { block: 'leafnodes', kind: 'leafnode', listening: 'leafnode connections on ', scheme: 'nats' },
  { block: 'gateway', kind: 'gateway', listening: 'gateways connections on ', scheme: 'nats' },
  { block: 'mqtt', kind: 'mqtt', listening: 'MQTT clients on mqtt://', scheme: 'mqtt' },
  { block: 'cluster', kind: 'route', listening: 'route connections on ', scheme: 'nats' },
] as const;

/** Every port that a server listens on. What a plain start does not need is loaded when a port asks for it. */
export class Listeners implements OpenPorts {
  readonly clients: TcpListener;
  websocket: WebSocketDoor | null = null;
  monitor: MonitorServer | null = null;
  private readonly parts: ServerParts;
  private readonly peers: UnavailableListener[] = [];

  constructor(parts: ServerParts) {
    this.parts = parts;
    this.clients = new TcpListener((transport) => parts.door.accept(transport));
  }

  /** Opens all ports, the clients' one last: who sees it open finds everything. Rejects with a `Failure` that names the address. */
  async open(): Promise<void> {
    await this.openMonitor();
    await this.openWebSocket();
    for (const peer of PEERS) await this.openPeer(peer);
    await this.openClients();
  }

  /** Closes the ports of clients; those who are in stay in. */
  async closeClients(): Promise<void> {
    await Promise.all([this.clients.close(), this.websocket?.listener.close()]);
  }

  /** After `closeClients`: resolves when the last client has gone. */
  async drained(): Promise<void> {
    await Promise.all([this.clients.drained(), this.websocket?.listener.drained()]);
  }

  /** Where monitoring gets its values. */
  async source(): Promise<MonitorSource> {
    const { ServerSource } = await import('./monitor-source.js');
    return new ServerSource(this.parts, this);
  }

  /** Closes all ports. */
  async close(): Promise<void> {
    await Promise.all([
      this.clients.close(),
      this.websocket?.close(),
      this.monitor?.close(),
      ...this.peers.map((peer) => peer.close()),
    ]);
  }

  portOf(kind: Parameters<OpenPorts['portOf']>[0]): number | null {
    if (kind === 'monitoring') return this.monitor?.port ?? null;
    if (kind === 'websocket') return this.websocket?.listener.port ?? null;
    const { kind: peerKind } = PEERS.find(({ block }) => block === kind)!;
    return this.peers.find((peer) => peer.kind === peerKind)?.port ?? null;
  }

  /** Where everything listens. */
  get urls(): ListenUrls {
    const { options } = this.parts;
    const urls: Record<string, string[]> = { nats: urlsOf('nats', options.host, this.clients.port) };
    const add = (kind: Parameters<OpenPorts['portOf']>[0], scheme: string, host: string) => {
      const port = this.portOf(kind);
      if (port !== null) urls[kind] = urlsOf(scheme, host, port);
    };
    add('monitoring', options.monitoring.secure ? 'https' : 'http', options.monitoring.host || options.host);
    if (options.websocket !== null)
      add('websocket', options.websocket.tls === null ? 'ws' : 'wss', options.websocket.host);
    for (const { block, scheme } of PEERS) add(block, scheme, options[block]?.host ?? '');
    return urls;
  }

  private async openClients(): Promise<void> {
    const { options, logger, identity } = this.parts;
    const { host, port } = options;
    try {
      await this.clients.listen(bindHost(host), port);
    } catch (error) {
      throw listenFailure('port', host, port, error);
    }
    if (options.clientAdvertise === '') identity.port = this.clients.port;
    logger.info(`Listening for client connections on ${hostPort(host, this.clients.port)}`);
    if (options.tls !== null) this.logTls(options.tls);
  }

  private logTls({ handshakeFirst, fallbackMs }: TlsOptions): void {
    const { logger, options } = this.parts;
    const first = handshakeFirst && fallbackMs === 0;
    logger.info(
      options.allowNonTls && !first ? 'TLS available for client connections' : 'TLS required for client connections',
    );
    if (first) logger.warn('Clients that are not using "TLS Handshake First" option will fail to connect');
  }

  private async openMonitor(): Promise<void> {
    const { options, logger } = this.parts;
    const { port, host: ownHost, secure = false, basePath } = options.monitoring;
    if (port === null) return;
    const host = ownHost || options.host;
    const { MonitorServer } = await import('../monitor/monitor-server.js');
    const tls = secure ? this.monitorTls() : null;
    const monitor = new MonitorServer(await this.source(), logger, { basePath, tls });
    try {
      await monitor.listen(bindHost(host), port);
    } catch (error) {
      throw listenFailure('monitor port', host, port, error);
    }
    this.monitor = monitor;
    logger.info(`Starting ${secure ? 'https' : 'http'} monitor on ${hostPort(host, monitor.port)}`);
  }

  /** The clients' certificates; nobody has to show one to look at figures. */
  private monitorTls(): TlsContext {
    const { tls } = this.parts.options;
    if (tls === null) throw new Failure('config-invalid', 'TLS cert and key required for HTTPS');
    return new TlsContext({ ...tls, verify: false, pinnedKeys: [] });
  }

  /** Goes on with the present certificates. */
  renewMonitor(): void {
    const { tls, monitoring } = this.parts.options;
    if (tls !== null && monitoring.secure) this.monitor?.renewCertificate(this.monitorTls());
  }

  private async openWebSocket(): Promise<void> {
    const { options, logger } = this.parts;
    if (options.websocket === null) return;
    const { host, port, tls } = options.websocket;
    const { WebSocketDoor } = await import('./websocket.js');
    const websocket = new WebSocketDoor(this.parts, options.websocket);
    this.websocket = websocket;
    try {
      await websocket.open(this.parts);
    } catch (error) {
      throw listenFailure('websocket port', host, port, error);
    }
    const scheme = tls === null ? 'ws' : 'wss';
    logger.info(`Listening for websocket clients on ${scheme}://${hostPort(host, websocket.listener.port)}`);
    if (tls === null) logger.warn('Websocket not configured with TLS. DO NOT USE IN PRODUCTION!');
  }

  private async openPeer({ block, kind, listening }: (typeof PEERS)[number]): Promise<void> {
    const { options, logger } = this.parts;
    const wanted = options[block];
    if (wanted === null) return;
    if (wanted.port === null) {
      logger.warn(`"${block}" is not supported yet: nothing of it is at work`);
      return;
    }
    const peer = await this.unavailable(kind, { ...wanted, port: wanted.port });
    logger.info(`Listening for ${listening}${hostPort(wanted.host, peer.port)}`);
    logger.warn(`"${block}" is not supported yet: port ${peer.port} is open and refuses its peers`);
  }

  private async unavailable(
    kind: PeerKind,
    options: PeerListenerOptions & { port: number },
  ): Promise<UnavailableListener> {
    const { UnavailableListener } = await import('../cluster/unavailable-listener.js');
    const { host, port } = options;
    const { identity, logger } = this.parts;
    const peer: UnavailableListener = new UnavailableListener({
      kind,
      host: bindHost(host),
      port,
      logger,
      info: () => ({
        server_id: identity.id,
        server_name: identity.name,
        version: VERSION,
        proto: 1,
        go: `node${process.versions.node}`,
        host,
        port: peer.port,
        headers: true,
        max_payload: this.parts.options.payloadBytesMax,
      }),
    });
    try {
      await peer.listen();
    } catch (error) {
      throw listenFailure(`${kind} port`, host, port, error);
    }
    this.peers.push(peer);
    return peer;
  }

  /** `nats://host:port` for clients on this machine. */
  get clientUrl(): string {
    return `nats://${hostPort(localHost(this.parts.options.host), this.clients.port)}`;
  }
}
