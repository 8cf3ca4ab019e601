import { BadQuery, booleanOf, pageOf } from './query.js';
import type { MonitorSource, PluginsSnapshot } from './snapshots.js';

type Attachment = PluginsSnapshot['attachments'][number];

/** What attachments can be sorted by, largest first; by the order in which they run without. */
const SORTS: Record<string, (attachment: Attachment) => number> = {
  calls: ({ counters }) => counters.calls,
  faults: faultsOf,
  cpu: ({ cpu_seconds }) => cpu_seconds,
  fuel: ({ counters }) => counters.fuel,
  memory: ({ memory_bytes }) => memory_bytes,
};

function faultsOf({ counters }: Attachment): number {
  return Object.values(counters.faults).reduce((sum, count) => sum + (count ?? 0), 0);
}

/**
 * `/pluginz`: what is installed and attached, and what it did. Query: `account`, `plugin` and `attachment` (names), `sort` (calls, faults, cpu, fuel,
 * memory), `offset`, `limit`, and `plugins=0` to leave the versions out.
 */
export function pluginz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const { plugins, attachments, emits, workers } = source.plugins();
  const [account, plugin, attachment, sort] = ['account', 'plugin', 'attachment', 'sort'].map(
    (name) => query.get(name) ?? '',
  );
  const matching = attachments.filter(
    (each) =>
      (account === '' || each.account === account) &&
      (plugin === '' || each.plugin === plugin) &&
      (attachment === '' || each.name === attachment),
  );
  if (sort !== '') sortBy(matching, sort);
  const { offset, limit } = pageOf(query);
  const shown = matching.slice(offset, offset + limit);
  const withVersions = query.get('plugins') === null || booleanOf(query, 'plugins');
  return {
    server_id: source.server().id,
    now: new Date(nowMs).toISOString(),
    ...{ num_plugins: plugins.length, num_attachments: shown.length, total: matching.length, offset, limit },
    totals: totalsOf(matching),
    emits,
    workers,
    ...(withVersions && {
      plugins: plugins.filter(
        (each) => (account === '' || each.account === account) && (plugin === '' || each.name === plugin),
      ),
    }),
    attachments: shown,
  };
}

function sortBy(attachments: Attachment[], sort: string): void {
  const key = Object.hasOwn(SORTS, sort) ? SORTS[sort] : null;
  if (key === null) {
    throw new BadQuery(
      `Error decoding sort option: ${JSON.stringify(sort)}; expected ${Object.keys(SORTS).join(', ')}`,
    );
  }
  attachments.sort((one, other) => key(other) - key(one));
}

function totalsOf(attachments: readonly Attachment[]): Record<string, number> {
  const sum = (value: (attachment: Attachment) => number) => attachments.reduce((total, one) => total + value(one), 0);
  return {
    calls: sum(({ counters }) => counters.calls),
    faults: sum(faultsOf),
    quarantined: sum(({ quarantined }) => (quarantined ? 1 : 0)),
    cpu_seconds: sum(({ cpu_seconds }) => cpu_seconds),
    memory_bytes: sum(({ memory_bytes }) => memory_bytes),
    dead_letters: sum(({ dead_letters }) => dead_letters),
  };
}
