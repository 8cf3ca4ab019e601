import type { Metric, Registry } from 'prom-client';
import type { HistogramSnapshot } from '../host/snapshot.js';
import { health } from './health.js';
import { collectAttachments, collectHistograms } from './plugin-metrics.js';
import type { ConnectionSnapshot, MonitorSource } from './snapshots.js';
import { type MonitorFigures, varz } from './varz.js';

type Prometheus = typeof import('prom-client');
type Labels = Record<string, string>;

/** One scrape: everything is collected afresh, so that nothing is kept or measured between scrapes. */
class Scrape {
  readonly registry: Registry;
  private readonly prometheus: Prometheus;

  constructor(prometheus: Prometheus) {
    this.prometheus = prometheus;
    this.registry = new prometheus.Registry();
  }

  gauge(name: string, help: string, values: [Labels, number][]): void {
    const labelNames = Object.keys(values[0]?.[0] ?? {});
    const gauge = new this.prometheus.Gauge({ name, help, labelNames, registers: [this.registry] });
    for (const [labels, value] of values) gauge.set(labels, value);
  }

  counter(name: string, help: string, values: [Labels, number][]): void {
    const labelNames = Object.keys(values[0]?.[0] ?? {});
    const counter = new this.prometheus.Counter({ name, help, labelNames, registers: [this.registry] });
    for (const [labels, value] of values) counter.inc(labels, value);
  }

  /** One that was counted elsewhere: the library's own takes single values only. */
  histogram(name: string, help: string, values: [Labels, HistogramSnapshot][]): void {
    const lines = values.flatMap(([sharedLabels, { bounds, counts, count, sum }]) => {
      const line = (suffix: string, value: number, labels: Labels = {}) => ({
        ...{ metricName: `${name}_${suffix}`, labels, sharedLabels, value },
      });
      return [
        ...bounds.map((bound, i) => line('bucket', counts[i], { le: String(bound) })),
        line('bucket', count, { le: '+Inf' }),
        line('sum', sum),
        line('count', count),
      ];
    });
    const metric = { name, get: async () => ({ name, help, type: 'histogram', values: lines }) };
    this.registry.registerMetric(metric as unknown as Metric);
  }
}

/** Prometheus text, with the names of the NATS exporter for what nats-server knows and `weir_…` for the rest. */
export async function metrics(source: MonitorSource, figures: MonitorFigures): Promise<{ text: string; type: string }> {
  const scrape = new Scrape(await import('prom-client'));
  const labels = { server_id: source.server().id };
  for (const [name, value] of numbersOf(varz(source, figures, Date.now()), ''))
    scrape.gauge(`gnatsd_varz_${name}`, name, [[labels, value]]);
  for (const [name, value] of connectionNumbers(source.openConnections(false)))
    scrape.gauge(`gnatsd_connz_${name}`, name, [[labels, value]]);
  const ok = health(source, new URLSearchParams()).status === 200;
  scrape.gauge('gnatsd_healthz_status', 'whether the server is well: 0 is well', [[labels, ok ? 0 : 1]]);
  collectWeir(scrape, source);
  collectProcess(scrape);
  return { text: await scrape.registry.metrics(), type: scrape.registry.contentType };
}

/** Every number of an object; those inside others have both names. */
function numbersOf(value: object, prefix: string): [string, number][] {
  return Object.entries(value).flatMap(([key, part]): [string, number][] => {
    if (typeof part === 'number') return [[`${prefix}${key}`, part]];
    const nested = typeof part === 'object' && part !== null && !Array.isArray(part) && key !== 'http_req_stats';
    return nested ? numbersOf(part, `${prefix}${key}_`) : [];
  });
}

function connectionNumbers(connections: readonly ConnectionSnapshot[]): [string, number][] {
  const sum = (value: (connection: ConnectionSnapshot) => number) =>
    connections.reduce((total, connection) => total + value(connection), 0);
  return [
    ['num_connections', connections.length],
    ['total', connections.length],
    ['offset', 0],
    ['limit', connections.length],
    ['subscriptions', sum((connection) => connection.subscriptionCount)],
    ['pending_bytes', sum((connection) => connection.pendingBytes)],
    ['in_msgs', sum((connection) => connection.inMessages)],
    ['in_bytes', sum((connection) => connection.inBytes)],
    ['out_msgs', sum((connection) => connection.outMessages)],
    ['out_bytes', sum((connection) => connection.outBytes)],
  ];
}

function collectWeir(scrape: Scrape, source: MonitorSource): void {
  const { weirVersion, version } = source.server();
  const snapshot = source.plugins();
  const { plugins, attachments } = snapshot;
  scrape.gauge('weir_build_info', 'versions of this server', [[{ version: weirVersion, nats_version: version }, 1]]);
  scrape.gauge('weir_plugins', 'installed plugins', [[{}, plugins.length]]);
  scrape.gauge('weir_attachments', 'plugins at work on a subject', [[{}, attachments.length]]);
  collectAttachments(scrape, snapshot);
  collectHistograms(scrape, source.pluginHistograms());
}

function collectProcess(scrape: Scrape): void {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  scrape.counter('process_cpu_seconds_total', 'CPU time of the process', [[{}, (user + system) / 1e6]]);
  scrape.gauge('process_resident_memory_bytes', 'memory of the process', [[{}, rss]]);
  scrape.gauge('process_start_time_seconds', 'when the process started', [[{}, Date.now() / 1000 - process.uptime()]]);
  scrape.gauge('nodejs_heap_size_used_bytes', 'heap in use', [[{}, heapUsed]]);
  scrape.gauge('nodejs_external_memory_bytes', 'memory outside of the heap', [[{}, external]]);
}
