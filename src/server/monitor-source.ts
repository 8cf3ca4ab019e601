import { VERSION, WEIR_VERSION } from '../base/version.js';
import { recordOf } from '../client/connection-record.js';
import type { PeerListenerOptions } from '../config/options.js';
import { snapshotOfPlugin, snapshotsOfAttachments } from '../host/snapshot.js';
import type {
  ConnectionSnapshot,
  MonitorSource,
  PluginsSnapshot,
  PortSnapshot,
  ServerSnapshot,
  WebSocketSnapshot,
} from '../monitor/snapshots.js';
import type { JetStreamSnapshot } from '../monitor/streams-snapshot.js';
import type { OpenPorts, ServerParts } from './server-parts.js';

/** The server's state as plain values for monitoring. */
export class ServerSource implements MonitorSource {
  private readonly parts: ServerParts;
  private readonly ports: OpenPorts;

  constructor(parts: ServerParts, ports: OpenPorts) {
    this.parts = parts;
    this.ports = ports;
  }

  server(): ServerSnapshot {
    const { identity, options, door, account, startedMs, configLoadedMs, lameDuckMode } = this.parts;
    const { connectionsMax, subscriptionsMax, payloadBytesMax, pendingBytesMax, controlLineBytesMax } = options;
    const { pingIntervalMs, pingsOutMax, writeDeadlineMs, authTimeoutMs, tags, metadata, configDigest } = options;
    const { host, basePath, secure = false } = options.monitoring;
    return {
      id: identity.id,
      name: identity.name,
      version: VERSION,
      weirVersion: WEIR_VERSION,
      host: identity.host,
      port: identity.port,
      authRequired: door.authenticator.required,
      startedMs,
      configLoadedMs,
      lameDuck: lameDuckMode,
      jetstreamWanted: options.jetstream,
      connections: door.sessions.size,
      totalConnections: door.totalConnections,
      interest: account.interestStats(),
      slowConsumers: door.slowConsumers,
      staleConnections: door.staleConnections,
      ...{ connectionsMax, subscriptionsMax, payloadBytesMax, pendingBytesMax, controlLineBytesMax },
      ...{ pingIntervalMs, pingsOutMax, writeDeadlineMs, authTimeoutMs, tags, metadata, configDigest },
      monitoring: { host: host || options.host, port: this.ports.portOf('monitoring') ?? 0, secure, basePath },
      tls: this.tls(),
      websocket: this.websocket(),
      cluster: this.peer('cluster', options.cluster),
      leafnodes: this.peer('leafnodes', options.leafnodes),
      gateway: this.peer('gateway', options.gateway),
      mqtt: this.peer('mqtt', options.mqtt),
      ...door.traffic(),
    };
  }

  openConnections(withSubscriptions: boolean): ConnectionSnapshot[] {
    const { sessions } = this.parts.door;
    return Array.from(sessions.values(), (session) => recordOf(session, null, withSubscriptions));
  }

  closedConnections(): ConnectionSnapshot[] {
    return [...this.parts.door.closedConnections.entries()];
  }

  jetstream(): JetStreamSnapshot | null {
    return this.parts.streams?.snapshot() ?? null;
  }

  plugins(): PluginsSnapshot {
    const { host } = this.parts;
    return {
      plugins: host.registry.names().map((name) => snapshotOfPlugin(host, name)),
      attachments: snapshotsOfAttachments(host),
      emits: { waiting: host.emits.length, lost: host.emits.lost },
    };
  }

  private tls(): ServerSnapshot['tls'] {
    const { door, options } = this.parts;
    if (door.tls === null) return null;
    const { verify, timeoutMs } = options.tls!;
    const { validUntilMs } = door.tls.context;
    return { required: !options.allowNonTls, verify, timeoutMs, validUntilMs };
  }

  private websocket(): WebSocketSnapshot | null {
    const { websocket } = this.parts.options;
    if (websocket === null) return null;
    const { host, advertise, noAuthUser, handshakeTimeoutMs, authTimeoutMs, sameOrigin, allowedOrigins, compression } =
      websocket;
    return {
      name: '',
      port: this.ports.portOf('websocket'),
      tls: websocket.tls !== null,
      ...{ host, advertise, noAuthUser, handshakeTimeoutMs, authTimeoutMs, sameOrigin, allowedOrigins, compression },
    };
  }

  private peer(
    block: 'cluster' | 'leafnodes' | 'gateway' | 'mqtt',
    options: PeerListenerOptions | null,
  ): PortSnapshot | null {
    return options === null ? null : { name: options.name, host: options.host, port: this.ports.portOf(block) };
  }
}
