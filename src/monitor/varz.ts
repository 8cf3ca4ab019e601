import { cpus } from 'node:os';
import { uptimeText } from './durations.js';
import type { MonitorSource } from './snapshots.js';

let lastCpu = process.cpuUsage();
let lastCpuMs = Date.now();

/** CPU use since the last call, in percent of one core. */
function cpuPercent(): number {
  const usage = process.cpuUsage(lastCpu);
  const elapsedMs = Math.max(1, Date.now() - lastCpuMs);
  lastCpu = process.cpuUsage();
  lastCpuMs = Date.now();
  return Math.round((usage.user + usage.system) / 10 / elapsedMs);
}

/** `/varz`, keys in nats-server's order. */
export function varz(source: MonitorSource, nowMs: number): object {
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
    max_connections: server.connectionsMax,
    max_subscriptions: server.subscriptionsMax || undefined,
    ping_interval: server.pingIntervalMs * 1e6,
    ping_max: server.pingsOutMax,
    http_host: server.monitoring.host ?? '',
    http_port: server.monitoring.port ?? 0,
    http_base_path: server.monitoring.basePath ?? '',
    https_port: 0,
    auth_timeout: server.authTimeoutMs / 1000,
    max_control_line: server.controlLineBytesMax,
    max_payload: server.payloadBytesMax,
    max_pending: server.pendingBytesMax,
    cluster: {},
    gateway: {},
    leaf: {},
    mqtt: {},
    websocket: {},
    jetstream: {},
    tls_timeout: 2,
    write_deadline: server.writeDeadlineMs * 1e6,
    start: new Date(server.startedMs).toISOString(),
    now: new Date(nowMs).toISOString(),
    uptime: uptimeText(nowMs - server.startedMs),
    mem: process.memoryUsage.rss(),
    cores: cpus().length,
    gomaxprocs: 1,
    cpu: cpuPercent(),
    connections: server.connections,
    total_connections: server.totalConnections,
    routes: 0,
    remotes: 0,
    leafnodes: 0,
    in_msgs: server.inMessages,
    out_msgs: server.outMessages,
    in_bytes: server.inBytes,
    out_bytes: server.outBytes,
    slow_consumers: server.slowConsumers,
    stale_connections: server.staleConnections,
    stalled_clients: server.stalls,
    subscriptions: server.subscriptions,
    config_load_time: new Date(server.startedMs).toISOString(),
    config_digest: server.configDigest,
    tags: server.tags.length > 0 ? server.tags : undefined,
    metadata: Object.keys(server.metadata).length > 0 ? server.metadata : undefined,
    system_account: '$SYS',
    slow_consumer_stats: { clients: server.slowConsumers, routes: 0, gateways: 0, leafs: 0 },
  };
}
