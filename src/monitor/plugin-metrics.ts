import type { AttachmentHistograms, HistogramSnapshot } from '../host/snapshot.js';
import type { PluginsSnapshot } from './snapshots.js';

type Labels = Record<string, string>;
type Attachment = PluginsSnapshot['attachments'][number];

/** Where figures go. */
export interface MetricSink {
  gauge(name: string, help: string, values: [Labels, number][]): void;
  counter(name: string, help: string, values: [Labels, number][]): void;
  histogram(name: string, help: string, values: [Labels, HistogramSnapshot][]): void;
}

const COUNTERS: Record<string, [help: string, value: (attachment: Attachment) => number]> = {
  calls: ['calls of the plugin', ({ counters }) => counters.calls],
  passed: ['messages that it let pass', ({ counters }) => counters.passed],
  dropped: ['messages that it dropped', ({ counters }) => counters.dropped],
  replaced: ['messages that it changed', ({ counters }) => counters.replaced],
  rejected: ['messages that it rejected', ({ counters }) => counters.rejected],
  fuel: ['fuel that its calls took', ({ counters }) => counters.fuel],
  cpu_seconds: ['time of the processor that its calls took, estimated', ({ cpu_seconds }) => cpu_seconds],
  bytes_in: ['bytes that it was given', ({ counters }) => counters.bytes_in],
  bytes_out: ['bytes of messages that it changed', ({ counters }) => counters.bytes_out],
  emits: ['messages that it emitted', ({ counters }) => counters.emits],
  logs: ['lines that it logged', ({ counters }) => counters.logs],
  logs_dropped: ['lines beyond those that it may log', ({ counters }) => counters.logs_dropped],
  ticks: ['times that it was told the time', ({ counters }) => counters.ticks],
  renewals: ['instances that were made', ({ counters }) => counters.renewals],
  swaps: ['versions and configurations that took over', ({ swaps }) => swaps],
  rollbacks: ['times that it went back', ({ rollbacks }) => rollbacks],
};

const GAUGES: Record<string, [help: string, value: (attachment: Attachment) => number]> = {
  quarantined: ['whether it is at rest after faults', ({ quarantined }) => (quarantined ? 1 : 0)],
  memory_bytes: ['memory of its instance', ({ memory_bytes }) => memory_bytes],
  state_bytes: ['bytes that it saved last', ({ state_bytes }) => state_bytes ?? 0],
  waiting: ['messages that wait for its worker', ({ worker }) => worker?.waiting ?? 0],
  dead_letters: ['messages that can be delivered again', ({ dead_letters }) => dead_letters],
  table_entries: ['entries of its table', ({ table }) => table?.entries ?? 0],
  table_bytes: ['bytes of keys and values in its table', ({ table }) => table?.bytes ?? 0],
  table_refused: ['entries that its table did not take', ({ table }) => table?.refused ?? 0],
  trial_different: ['messages that its shadow judges differently', ({ trial }) => trial?.different ?? 0],
};

/** All labels there are: whoever may attach plugins says how many attachments there are, and messages do not. */
function labelsOf({
  account,
  name,
  plugin,
  version,
}: Pick<Attachment, 'account' | 'name' | 'plugin' | 'version'>): Labels {
  return { account, attachment: name, plugin, version: String(version) };
}

/** Figures of each attachment, with its name, plugin and version. */
export function collectAttachments(sink: MetricSink, { attachments, emits, workers }: PluginsSnapshot): void {
  if (workers.length > 0) collectWorkers(sink, workers);
  sink.counter('weir_emits_lost_total', 'messages of plugins that found the queue full', [[{}, emits.lost]]);
  if (attachments.length === 0) return;
  const each = (value: (attachment: Attachment) => number) =>
    attachments.map((attachment): [Labels, number] => [labelsOf(attachment), value(attachment)]);
  for (const [name, [help, value]] of Object.entries(COUNTERS))
    sink.counter(`weir_attachment_${name}_total`, help, each(value));
  for (const [name, [help, value]] of Object.entries(GAUGES)) sink.gauge(`weir_attachment_${name}`, help, each(value));
  const faults = attachments.flatMap((attachment) =>
    Object.entries(attachment.counters.faults).map(([cause, count]): [Labels, number] => [
      { ...labelsOf(attachment), cause },
      count ?? 0,
    ]),
  );
  if (faults.length > 0) sink.counter('weir_attachment_faults_total', 'calls that failed, by cause', faults);
  const own = attachments.flatMap((attachment) =>
    Object.entries(attachment.counters.metrics).map(([metric, value]): [Labels, number] => [
      { ...labelsOf(attachment), metric },
      value,
    ]),
  );
  if (own.length > 0) sink.gauge('weir_attachment_metric', 'what plugins count themselves', own);
}

/** Threads of the worker tier. */
function collectWorkers(sink: MetricSink, workers: PluginsSnapshot['workers']): void {
  type Worker = (typeof workers)[number];
  const each = (value: (worker: Worker) => number) =>
    workers.map((worker): [Labels, number] => [{ thread: String(worker.thread) }, value(worker)]);
  sink.gauge(
    'weir_worker_running',
    'whether the thread runs',
    each(({ running }) => (running ? 1 : 0)),
  );
  sink.gauge(
    'weir_worker_guests',
    'plugins in it',
    each(({ guests }) => guests),
  );
  sink.gauge(
    'weir_worker_depth',
    'calls that wait for its answer',
    each(({ depth }) => depth),
  );
  sink.counter(
    'weir_worker_restarts_total',
    'times that it had to be replaced',
    each(({ restarts }) => restarts),
  );
}

/** Of the calls that were timed, one of many. */
export function collectHistograms(
  sink: MetricSink,
  attachments: readonly (AttachmentHistograms & { account: string })[],
): void {
  if (attachments.length === 0) return;
  sink.histogram(
    'weir_attachment_call_duration_seconds',
    'time of a call, of one in 64',
    attachments.map((one) => [labelsOf(one), inSeconds(one.latency_ns)]),
  );
  sink.histogram(
    'weir_attachment_call_fuel',
    'fuel of a call, of one in 64',
    attachments.map((one) => [labelsOf(one), one.fuel]),
  );
}

function inSeconds({ bounds, sum, ...rest }: HistogramSnapshot): HistogramSnapshot {
  return { ...rest, bounds: bounds.map((ns) => ns / 1e9), sum: sum / 1e9 };
}
