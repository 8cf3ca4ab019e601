import { whyNotNow } from '../auth/jwt.js';
import { VERSION, WEIR_VERSION } from '../base/version.js';
import type { InterestStats } from '../broker/account.js';
import { recordOf } from '../client/connection-record.js';
import type { PeerListenerOptions } from '../config/options.js';
import type { PluginHost } from '../host/plugin-host.js';
import { histogramsOfAttachments, snapshotOfPlugin, snapshotsOfAttachments } from '../host/snapshot.js';
import type {
  AccountSnapshot,
  ConnectionSnapshot,
  MonitorSource,
  PluginsSnapshot,
  PortSnapshot,
  ServerSnapshot,
  WebSocketSnapshot,
} from '../monitor/snapshots.js';
import type { JetStreamSnapshot } from '../monitor/streams-snapshot.js';
import type { OpenPorts, ServerParts } from './server-parts.js';

/** Of all accounts together. */
function sumOf(all: readonly InterestStats[]): InterestStats {
  const sum = (value: (one: InterestStats) => number) => all.reduce((total, one) => total + value(one), 0);
  const cachedRoutes = sum((one) => one.cachedRoutes);
  return {
    subscriptions: sum((one) => one.subscriptions),
    inserts: sum((one) => one.inserts),
    removes: sum((one) => one.removes),
    walks: sum((one) => one.walks),
    cachedRoutes,
    fanoutMax: Math.max(...all.map((one) => one.fanoutMax)),
    fanoutMean: cachedRoutes === 0 ? 0 : sum((one) => one.fanoutMean * one.cachedRoutes) / cachedRoutes,
  };
}

/** The server's state as plain values for monitoring. */
export class ServerSource implements MonitorSource {
  private readonly parts: ServerParts;
  private readonly ports: OpenPorts;

  constructor(parts: ServerParts, ports: OpenPorts) {
    this.parts = parts;
    this.ports = ports;
  }

  server(): ServerSnapshot {
    const { identity, options, door, accounts, startedMs, configLoadedMs, lameDuckMode } = this.parts;
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
      interest: sumOf(accounts.all().map((one) => one.interestStats())),
      staleConnections: door.staleConnections,
      ...{ connectionsMax, subscriptionsMax, payloadBytesMax, pendingBytesMax, controlLineBytesMax },
      ...{ pingIntervalMs, pingsOutMax, writeDeadlineMs, authTimeoutMs, tags, metadata, configDigest },
      monitoring: { host: host || options.host, port: this.ports.portOf('monitoring') ?? 0, secure, basePath },
      systemAccount: options.systemAccount,
      operatorTokens: options.operator?.tokens ?? [],
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
    const hosts = this.parts.hosts.all();
    const sum = (value: (host: PluginHost) => number) => hosts.reduce((total, [, host]) => total + value(host), 0);
    return {
      plugins: hosts.flatMap(([account, host]) =>
        host.registry.names().map((name) => ({ account, ...snapshotOfPlugin(host, name) })),
      ),
      attachments: hosts.flatMap(([account, host]) =>
        snapshotsOfAttachments(host).map((attachment) => ({ account, ...attachment })),
      ),
      emits: { waiting: sum(({ emits }) => emits.length), lost: sum(({ emits }) => emits.lost) },
      workers: this.parts.hosts.workers(),
    };
  }

  pluginHistograms(): ReturnType<MonitorSource['pluginHistograms']> {
    return this.parts.hosts
      .all()
      .flatMap(([account, host]) => histogramsOfAttachments(host).map((one) => ({ account, ...one })));
  }

  accounts(): AccountSnapshot[] {
    const { accounts, door, options, operator, startedMs, clock, streams } = this.parts;
    const traffic = door.trafficByAccount();
    const stored = new Set(streams?.snapshot().accounts.map((one) => one.streams.broker.name));
    return accounts.all().map((account) => {
      const { exports, imports, mappings } = accounts.settingsOf(account.name)!;
      const claims = operator?.claimsOf(account.name);
      return {
        name: account.name,
        isSystem: account.name === options.systemAccount,
        jetstream: stored.has(account.name),
        clients: account.clients,
        updatedMs: startedMs,
        interest: account.interestStats(),
        ...{ inMessages: 0, inBytes: 0, outMessages: 0, outBytes: 0, slowConsumers: 0 },
        ...traffic.get(account.name),
        ...{ exports, imports, mappings },
        claims:
          claims === undefined
            ? null
            : {
                ...{ token: claims.token, issuer: claims.issuer, name: claims.name, tags: claims.tags },
                expired: whyNotNow(claims, clock.nowMs()) !== null,
              },
      };
    });
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
