import { availableParallelism } from 'node:os';
import { uptimeText } from './durations.js';
import { jetStreamVarz } from './jsz.js';
import type { MonitorSource, PortSnapshot, ServerSnapshot, WebSocketSnapshot } from './snapshots.js';

/** CPU use of the process between two looks, in percent of one core. */
export class CpuMeter {
  private usage = process.cpuUsage();
  private atMs = performance.now();
  private percent = 0;

  read(): number {
    const elapsedMs = performance.now() - this.atMs;
    // Two looks in a row would measure nothing but themselves.
    if (elapsedMs < 100) return this.percent;
    const { user, system } = process.cpuUsage(this.usage);
    this.percent = Math.round((user + system) / 10 / elapsedMs);
    this.usage = process.cpuUsage();
    this.atMs = performance.now();
    return this.percent;
  }
}

/** What only the monitoring port itself knows. */
export interface MonitorFigures {
  cpu: CpuMeter;
  /** Requests by path. */
  requests: Readonly<Record<string, number>>;
}

/** `/varz`, keys in nats-server's order. */
export function varz(source: MonitorSource, { cpu, requests }: MonitorFigures, nowMs: number): object {
  const server = source.server();
  return {
    server_id: server.id,
    server_name: server.name,
    version: server.version,
    proto: 1,
    go: `node${process.versions.node}`,
    host: server.host,
    port: server.port,
    auth_required: server.authRequired || undefined,
    tls_required: server.tls?.required || undefined,
    tls_verify: server.tls?.verify || undefined,
    ...settings(server),
    ...ports(server),
    jetstream: jetStreamVarz(source.jetstream()),
    tls_timeout: server.tls === null ? 2 : server.tls.timeoutMs / 1000,
    write_deadline: server.writeDeadlineMs * 1e6,
    start: new Date(server.startedMs).toISOString(),
    now: new Date(nowMs).toISOString(),
    uptime: uptimeText(nowMs - server.startedMs),
    mem: process.memoryUsage.rss(),
    cores: availableParallelism(),
    gomaxprocs: 1,
    cpu: cpu.read(),
    ...traffic(server),
    http_req_stats: requests,
    config_load_time: new Date(server.configLoadedMs).toISOString(),
    config_digest: server.configDigest,
    tags: server.tags.length > 0 ? server.tags : undefined,
    metadata: Object.keys(server.metadata).length > 0 ? server.metadata : undefined,
    trusted_operators_jwt: server.operatorTokens.length > 0 ? server.operatorTokens : undefined,
    system_account: server.systemAccount,
    slow_consumer_stats: { clients: server.slowConsumers, routes: 0, gateways: 0, leafs: 0 },
    tls_cert_not_after: server.tls === null ? undefined : new Date(server.tls.validUntilMs).toISOString(),
    stale_connection_stats: { clients: server.staleConnections, routes: 0, gateways: 0, leafs: 0 },
  };
}

function settings(server: ServerSnapshot): object {
  return {
    max_connections: server.connectionsMax,
    max_subscriptions: server.subscriptionsMax || undefined,
    ping_interval: server.pingIntervalMs * 1e6,
    ping_max: server.pingsOutMax,
    http_host: server.monitoring.host,
    http_port: server.monitoring.secure ? 0 : server.monitoring.port,
    http_base_path: server.monitoring.basePath,
    https_port: server.monitoring.secure ? server.monitoring.port : 0,
    auth_timeout: server.authTimeoutMs / 1000,
    max_control_line: server.controlLineBytesMax,
    max_payload: server.payloadBytesMax,
    max_pending: server.pendingBytesMax,
  };
}

function ports({ cluster, gateway, leafnodes, mqtt, websocket }: ServerSnapshot): object {
  const named = (port: PortSnapshot) => ({ name: port.name || undefined, ...place(port) });
  const route = (port: PortSnapshot) => ({
    name: port.name || undefined,
    addr: port.host,
    cluster_port: port.port ?? undefined,
  });
  return {
    cluster: cluster === null ? {} : route(cluster),
    gateway: gateway === null ? {} : named(gateway),
    leaf: leafnodes === null ? {} : place(leafnodes),
    mqtt: mqtt === null ? {} : place(mqtt),
    websocket: websocket === null ? {} : websocketJson(websocket),
  };
}

function place({ host, port }: PortSnapshot): object {
  return port === null ? {} : { host, port };
}

function websocketJson(websocket: WebSocketSnapshot): object {
  const { advertise, noAuthUser, authTimeoutMs, sameOrigin, allowedOrigins, compression } = websocket;
  return {
    ...place(websocket),
    advertise: advertise || undefined,
    no_auth_user: noAuthUser || undefined,
    handshake_timeout: websocket.handshakeTimeoutMs * 1e6,
    auth_timeout: authTimeoutMs === null ? undefined : authTimeoutMs / 1000,
    no_tls: !websocket.tls || undefined,
    same_origin: sameOrigin || undefined,
    allowed_origins: allowedOrigins.length > 0 ? allowedOrigins : undefined,
    compression: compression || undefined,
  };
}

/** Everything that moves comes from clients and goes to clients. */
function traffic(server: ServerSnapshot): object {
  return {
    connections: server.connections,
    total_connections: server.totalConnections,
    routes: 0,
    remotes: 0,
    leafnodes: 0,
    in_msgs: server.inMessages,
    in_bytes: server.inBytes,
    in_client_msgs: server.inMessages,
    in_client_bytes: server.inBytes,
    out_msgs: server.outMessages,
    out_bytes: server.outBytes,
    out_client_msgs: server.outMessages,
    out_client_bytes: server.outBytes,
    slow_consumers: server.slowConsumers,
    stale_connections: server.staleConnections,
    stalled_clients: server.stalls,
    subscriptions: server.interest.subscriptions,
  };
}
