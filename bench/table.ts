import type { Samples } from './measure.js';
import type { Peer } from './peers.js';
import type { Goal, Metric, Scenario } from './scenario.js';
import { median, spread } from './statistics.js';

/** A metric's figures for all servers, the first of which is Weir. */
export interface Row {
  metric: Metric;
  weir: Figure;
  others: { peer: Peer; figure: Figure; ratio: number; goal: number | null }[];
}

export interface Figure {
  median: number;
  spread: number;
  runs: number;
}

/** Rows of a scenario; a metric that Weir has no figure for is left out. */
export function rowsOf(scenario: Scenario, samples: Samples, peers: Peer[]): Row[] {
  const [weir, ...others] = peers;
  const rows: Row[] = [];
  for (const metric of scenario.metrics) {
    const own = figureOf(metric, samples, weir);
    if (own === null) continue;
    const row: Row = { metric, weir: own, others: [] };
    for (const peer of others) {
      const figure = figureOf(metric, samples, peer);
      if (figure === null) continue;
      const goal = metric.goals?.find((candidate) => isMeant(candidate, peer, others));
      row.others.push({ peer, figure, ratio: own.median / figure.median, goal: goal?.ratio ?? null });
    }
    rows.push(row);
  }
  return rows;
}

function figureOf(metric: Metric, samples: Samples, peer: Peer): Figure | null {
  const values = (samples.get(peer.name) ?? []).map((sample) => sample[metric.id]).filter((value) => value >= 0);
  if (values.length === 0) return null;
  return { median: median(values), spread: spread(values), runs: values.length };
}

function isMeant(goal: Goal, peer: Peer, peers: Peer[]): boolean {
  if (peer.kind !== 'nats-server') return false;
  if (peer.version.startsWith('2.9.')) return goal.than === '2.9';
  const newest = peers.filter((other) => other.kind === 'nats-server').sort((a, b) => compare(b.version, a.version))[0];
  return goal.than === 'newest' && peer === newest;
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** `met`, `missed`, or nothing when no goal is set. */
export function verdict(metric: Metric, ratio: number, goal: number | null): string {
  if (goal === null) return '';
  const met = metric.better === 'higher' ? ratio >= goal : ratio <= goal;
  return `${metric.better === 'higher' ? '≥' : '≤'} ${goal} ${met ? '✓' : '✗'}`;
}

export function formatted(figure: Figure, metric: Metric): string {
  const { median: value } = figure;
  const digits = value >= 1000 ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const number = value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
  return `${number} ${metric.unit} ±${Math.round(figure.spread * 100)}%`;
}

/** The rows as a Markdown table. */
export function markdown(rows: Row[], peers: Peer[]): string {
  const others = peers.slice(1);
  const head = ['', peers[0].name, ...others.flatMap((peer) => [peer.name, 'ratio', 'goal'])];
  const lines = rows.map((row) => {
    const { metric, weir } = row;
    const limit =
      metric.atMost === undefined ? '' : ` (≤ ${metric.atMost} ${weir.median <= metric.atMost ? '✓' : '✗'})`;
    const cells = others.flatMap((peer) => {
      const other = row.others.find((candidate) => candidate.peer === peer);
      if (other === undefined) return ['', '', ''];
      return [formatted(other.figure, metric), other.ratio.toFixed(2), verdict(metric, other.ratio, other.goal)];
    });
    return [metric.title, formatted(weir, metric) + limit, ...cells];
  });
  return [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
