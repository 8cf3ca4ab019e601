import type { Msg } from '@nats-io/transport-node';
import type { AttachmentSnapshot } from '../host/snapshot.js';
import { type ConnectionOptions, openConnection, ServerErrors } from './connection.js';
import { listAttachments } from './plugin-list.js';
import { checkTypedName } from './plugin-name.js';
import { formatTable, microseconds, printJson, printLine, right } from './print.js';

export interface WatchOptions extends ConnectionOptions {
  count?: number;
  json?: boolean;
}

export interface TopOptions extends WatchOptions {
  interval: number;
}

/** Shows messages of a subject as they come, until Ctrl-C or so many. */
async function follow(subject: string, options: WatchOptions, show: (message: Msg) => void): Promise<void> {
  const connection = await openConnection(options, true);
  const errors = new ServerErrors(connection);
  const subscription = connection.subscribe(subject, options.count === undefined ? {} : { max: options.count });
  const stop = () => subscription.unsubscribe();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    await errors.settle();
    process.stderr.write(`following "${subject}"\n`);
    for await (const message of subscription) show(message);
  } finally {
    await connection.close();
  }
}

function subjectOf(kind: 'LOG' | 'EVENT', name: string | undefined): string {
  if (name !== undefined) checkTypedName('attachment', name);
  return kind === 'LOG' ? `$WEIR.LOG.${name ?? '*'}` : `$WEIR.EVENT.*.${name ?? '*'}`;
}

/** What plugins write to their logs. */
export function logs(name: string | undefined, options: WatchOptions): Promise<void> {
  return follow(subjectOf('LOG', name), options, (message) => {
    const line = {
      time: new Date().toISOString(),
      attachment: message.headers?.get('Weir-Attachment') ?? '',
      level: message.headers?.get('Weir-Level') ?? '',
      text: message.string(),
    };
    if (options.json) printLine(JSON.stringify(line));
    else printLine(`${line.time} ${line.level.padEnd(5)} ${line.attachment}: ${line.text}`);
  });
}

interface PluginEvent {
  type: string;
  time: string;
  attachment: string;
  plugin: string;
  version: number;
}

/** What becomes of attachments. */
export function events(name: string | undefined, options: WatchOptions): Promise<void> {
  return follow(subjectOf('EVENT', name), options, (message) => {
    const event = message.json<PluginEvent>();
    if (options.json) {
      printLine(JSON.stringify(event));
      return;
    }
    const { type, time, attachment, plugin, version, ...more } = event;
    const rest = Object.entries(more).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
    printLine(`${time} ${type.split('.').at(-1)} ${attachment} (${plugin}@${version})${rest.join('')}`);
  });
}

interface Row {
  attachment: string;
  plugin: string;
  version: number;
  state: string;
  calls_per_second: number;
  faults_per_second: number;
  cpu_percent: number;
  ns_p50: number | null;
  ns_p99: number | null;
  fuel_p99: number | null;
  memory_bytes: number;
}

const faultsOf = ({ counters }: AttachmentSnapshot) => Object.values(counters.faults).reduce((sum, n) => sum + n, 0);

/** What each did since the last look, busiest first. */
function rowsOf(now: readonly AttachmentSnapshot[], before: readonly AttachmentSnapshot[], seconds: number): Row[] {
  const rows = now.map((one) => {
    const last = before.find(({ name, version }) => name === one.name && version === one.version);
    const rate = (value: (snapshot: AttachmentSnapshot) => number) =>
      (value(one) - (last === undefined ? 0 : value(last))) / seconds;
    return {
      ...{ attachment: one.name, plugin: one.plugin, version: one.version },
      state: one.quarantined ? 'quarantined' : 'active',
      calls_per_second: Math.round(rate(({ counters }) => counters.calls)),
      faults_per_second: Math.round(rate(faultsOf)),
      cpu_percent: Math.round(rate((snapshot) => snapshot.cpu_seconds) * 1000) / 10,
      ...{ ns_p50: one.latency_ns.p50, ns_p99: one.latency_ns.p99, fuel_p99: one.fuel.p99 },
      memory_bytes: one.memory_bytes,
    };
  });
  return rows.sort((a, b) => b.cpu_percent - a.cpu_percent || b.calls_per_second - a.calls_per_second);
}

function tableOf(rows: readonly Row[]): string {
  const figures = right('CALLS/s', 'FAULTS/s', 'CPU %', 'p50 µs', 'p99 µs', 'FUEL p99', 'MEMORY KiB');
  const cells = rows.map((row) => [
    row.attachment,
    `${row.plugin}@${row.version}`,
    row.state,
    ...[row.calls_per_second, row.faults_per_second, row.cpu_percent.toFixed(1)],
    ...[microseconds(row.ns_p50), microseconds(row.ns_p99), row.fuel_p99 ?? '-', Math.round(row.memory_bytes / 1024)],
  ]);
  return formatTable(['ATTACHMENT', 'PLUGIN', 'STATE', ...figures], cells);
}

/** What attachments do, again and again. */
export async function top(options: TopOptions): Promise<void> {
  const connection = await openConnection(options);
  let stopped = false;
  let wake = () => {};
  const stop = () => {
    stopped = true;
    wake();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    let before = await listAttachments(connection);
    let beforeMs = performance.now();
    for (let shown = 0; shown !== options.count; shown++) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, options.interval);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (stopped) return;
      const now = await listAttachments(connection);
      const nowMs = performance.now();
      const rows = rowsOf(now, before, (nowMs - beforeMs) / 1000);
      if (options.json) printJson(rows);
      else printLine(`${process.stdout.isTTY ? '\x1b[H\x1b[2J' : ''}${tableOf(rows)}`);
      [before, beforeMs] = [now, nowMs];
    }
  } finally {
    await connection.close();
  }
}
