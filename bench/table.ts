import type { Samples } from './measure.js';
import { newestNatsServer, type Peer, RELAY } from './peers.js';
import type { Goal, Metric, Sample, Scenario } from './scenario.js';
import { median, spread } from './statistics.js';

/** A metric's figures for all servers, as they are kept in baseline.json. */
export interface Row extends Pick<Metric, 'id' | 'title' | 'unit' | 'better'> {
  limit: number | null;
  weir: Figure;
  others: OtherFigure[];
}

export interface Figure {
  name: string;
  median: number;
  /** Half of the distance from the lowest to the highest run, as a share of the median. */
  spread: number;
  runs: number;
  cores: Cores | null;
}

/** How many cores each process kept busy. */
export interface Cores {
  server: number;
  sender: number;
  receiver: number;
}

export interface OtherFigure extends Figure {
  /** Weir's figure divided by this one. */
  ratio: number;
  goal: number | null;
}

/** Rows of a scenario; a metric that Weir has no figure for is left out. */
export function rowsOf(scenario: Scenario, samples: Samples, peers: Peer[]): Row[] {
  const [weir, ...others] = peers;
  return scenario.metrics.flatMap((metric) => {
    const { id, title, unit, better, limit = null } = metric;
    const own = figureOf(metric, samples, weir);
    if (own === null) return [];
    const compared = others.flatMap((peer) => {
      const figure = figureOf(metric, samples, peer);
      if (figure === null) return [];
      const goal = metric.goals?.find((candidate) => isMeant(candidate, peer, others))?.ratio ?? null;
      return [{ ...figure, ratio: own.median / figure.median, goal }];
    });
    return [{ id, title, unit, better, limit, weir: own, others: compared }];
  });
}

function figureOf(metric: Metric, samples: Samples, peer: Peer): Figure | null {
  const runs = (samples.get(peer.name) ?? []).filter((sample) => Number.isFinite(sample[metric.id]));
  if (runs.length === 0) return null;
  const values = runs.map((sample) => sample[metric.id]);
  return { name: peer.name, median: median(values), spread: spread(values), runs: runs.length, cores: coresOf(runs) };
}

function coresOf(runs: Sample[]): Cores | null {
  if (!runs.every((sample) => sample.serverCores >= 0)) return null;
  const of = (key: string) => median(runs.map((sample) => sample[key]));
  return { server: of('serverCores'), sender: of('senderCores'), receiver: of('receiverCores') };
}

function isMeant(goal: Goal, peer: Peer, peers: Peer[]): boolean {
  if (peer.kind !== 'nats-server') return false;
  if (peer.version.startsWith('2.9.')) return goal.than === '2.9';
  return goal.than === 'newest' && peer === newestNatsServer(peers);
}

/** `≥ 1.5 ✓` or `≥ 1.5 ✗`; nothing without a goal. */
export function verdict(better: Metric['better'], value: number, goal: number | null): string {
  if (goal === null) return '';
  const met = better === 'higher' ? value >= goal : value <= goal;
  return `${better === 'higher' ? '≥' : '≤'} ${goal} ${met ? '✓' : '✗'}`;
}

function formatted(figure: Figure, unit: Metric['unit']): string {
  const spreadText = figure.runs > 1 ? ` ±${Math.round(figure.spread * 100)} %` : '';
  return `${rounded(figure.median)} ${unit}${spreadText}`;
}

/** Three digits are what such a measurement is worth. */
function rounded(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumSignificantDigits: 3 });
}

/** The rows as a Markdown table; `extra` adds a column. */
export function markdown(rows: Row[], extra?: { title: string; cell: (row: Row) => string }): string {
  const names = [...new Set(rows.flatMap((row) => row.others.map((other) => other.name)))].filter(
    (name) => name !== RELAY,
  );
  const head = ['', 'Weir', ...names.flatMap((name) => [name, 'ratio', 'goal'])];
  const body = rows.map((row) => {
    const cells = names.flatMap((name) => {
      const other = row.others.find((candidate) => candidate.name === name);
      if (other === undefined) return ['', '', ''];
      return [formatted(other, row.unit), other.ratio.toFixed(2), verdict(row.better, other.ratio, other.goal)];
    });
    const limit = row.limit === null ? '' : ` (${verdict(row.better, row.weir.median, row.limit)})`;
    return [row.title, formatted(row.weir, row.unit) + limit, ...cells];
  });
  if (extra !== undefined) {
    head.push(extra.title);
    for (const [i, cells] of body.entries()) cells.push(extra.cell(rows[i]));
  }
  return tableOf(head, body);
}

/** How much of what the relay does is reached, for the rows that it takes part in. */
export function relayMarkdown(rows: Row[]): string {
  const taken = rows.filter((row) => relayOf(row) !== undefined);
  if (taken.length === 0) return '';
  const names = [...new Set(taken.flatMap((row) => [row.weir, ...row.others].map(({ name }) => name)))];
  const compared = names.filter((name) => name !== RELAY);
  const body = taken.map((row) => {
    const relay = relayOf(row)!;
    const shares = compared.map((name) => {
      const figure = [row.weir, ...row.others].find((candidate) => candidate.name === name);
      if (figure === undefined) return '';
      const share = row.better === 'higher' ? figure.median / relay.median : relay.median / figure.median;
      return `${Math.round(share * 100)} %`;
    });
    return [row.title, formatted(relay, row.unit), ...shares];
  });
  return tableOf(['', 'the relay', ...compared.map((name) => `${name} reaches`)], body);
}

function relayOf(row: Row): OtherFigure | undefined {
  return row.others.find(({ name }) => name === RELAY);
}

/** How busy each process was: a load process near one core would be what is measured. */
export function coresMarkdown(rows: Row[]): string {
  const names = [...new Set(rows.flatMap((row) => [row.weir, ...row.others].map((figure) => figure.name)))];
  const body = rows
    .filter((row) => row.weir.cores !== null && row.unit.endsWith('/s'))
    .map((row) => [
      row.title,
      ...names.map((name) => {
        const cores = [row.weir, ...row.others].find((figure) => figure.name === name)?.cores ?? null;
        if (cores === null) return '';
        return [cores.server, cores.sender, cores.receiver].map((value) => value.toFixed(2)).join(' · ');
      }),
    ]);
  return body.length === 0 ? '' : tableOf(['cores: server · sender · receiver', ...names], body);
}

export function tableOf(head: string[], body: string[][]): string {
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
