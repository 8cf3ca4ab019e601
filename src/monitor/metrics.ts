import type { MonitorSource, ServerSnapshot } from './snapshots.js';

/** The exporter's gauges of `/varz`: name behind `gnatsd_varz_`, value. */
const VARZ: [string, (server: ServerSnapshot) => number][] = [
  ['connections', (server) => server.connections],
  ['total_connections', (server) => server.totalConnections],
  ['subscriptions', (server) => server.subscriptions],
  ['in_msgs', (server) => server.inMessages],
  ['out_msgs', (server) => server.outMessages],
  ['in_bytes', (server) => server.inBytes],
  ['out_bytes', (server) => server.outBytes],
  ['slow_consumers', (server) => server.slowConsumers],
  ['max_connections', (server) => server.connectionsMax],
  ['max_payload', (server) => server.payloadBytesMax],
  ['max_pending', (server) => server.pendingBytesMax],
  ['mem', () => process.memoryUsage.rss()],
];

/** Prometheus text, collected on each scrape with the names of the NATS exporter. */
export async function metrics(source: MonitorSource): Promise<{ text: string; type: string }> {
  const { Gauge, Registry, collectDefaultMetrics } = await import('prom-client');
  const registry = new Registry();
  const server = source.server();
  const gauge = (name: string, help: string, value: number) => {
    new Gauge({ name, help, labelNames: ['server_id'], registers: [registry] }).set({ server_id: server.id }, value);
  };
  for (const [name, value] of VARZ) gauge(`gnatsd_varz_${name}`, name, value(server));
  const open = source.openConnections();
  gauge('gnatsd_connz_num_connections', 'num_connections', open.length);
  gauge(
    'gnatsd_connz_pending_bytes',
    'pending_bytes',
    open.reduce((sum, connection) => sum + connection.pendingBytes, 0),
  );
  gauge('weir_attachments', 'plugin attachments', source.plugins().attachments.length);
  collectDefaultMetrics({ register: registry });
  return { text: await registry.metrics(), type: registry.contentType };
}
