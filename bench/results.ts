import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { MicroFigure } from './micro.js';
import type { BenchOptions } from './options.js';
import type { Peer } from './peers.js';
import { coresMarkdown, markdown, type Row, relayMarkdown, tableOf, verdict } from './table.js';

const RESULTS = 'bench/RESULTS.md';
const BASELINE = 'bench/baseline.json';
const SOAK = 'bench/soak.json';
/** A ratio that moved by less is noise. */
const NOISE = 0.15;

/** What baseline.json holds: RESULTS.md is written from it. */
export interface Baseline {
  machine: string;
  servers: string[];
  rows: (Row & { date: string; how: string })[];
  micro: MicroFigure[];
}

export function readBaseline(): Baseline | null {
  return existsSync(BASELINE) ? (JSON.parse(readFileSync(BASELINE, 'utf8')) as Baseline) : null;
}

/** What soak.json holds: a row for each minute. */
export interface SoakResult {
  title: string;
  head: string[];
  rows: string[][];
}

/** Keeps the soak in soak.json and writes RESULTS.md with it. */
export function saveSoak(result: SoakResult): void {
  writeFileSync(SOAK, `${JSON.stringify(result, null, 1)}\n`);
  const baseline = readBaseline();
  if (baseline !== null) writeFileSync(RESULTS, resultsText(baseline));
}

/** The first minute, every tenth, and the last. */
function soakText(): string[] {
  if (!existsSync(SOAK)) return [];
  const { title, head, rows } = JSON.parse(readFileSync(SOAK, 'utf8')) as SoakResult;
  const shown = rows.filter((_, i) => i === 0 || (i + 1) % 10 === 0 || i === rows.length - 1);
  return ['## A soak', title, tableOf(head, shown)];
}

/** The machine, without its name. */
function machineLine(): string {
  const processors = cpus();
  const gigabytes = (totalmem() / 2 ** 30).toFixed(0);
  return `${processors.length} × ${processors[0]?.model.trim() ?? 'CPU'}, ${gigabytes} GiB, ${process.platform} ${process.arch}, Node ${process.version}`;
}

/** What was measured. */
export interface Found {
  rows: Row[];
  micro: MicroFigure[];
}

/**
 * Keeps the rows in baseline.json, in place of those of the same metric, and writes RESULTS.md. Rows of another machine or of
 * other servers are not mixed in: they go.
 */
export function saveResults(order: string[], found: Found, run: SavedRun): void {
  const date = new Date().toISOString().slice(0, 10);
  const { runs, runMs, pin } = run.options;
  const how = `${runs} runs of ${runMs / 1000} s${pin ? ', pinned' : ''}`;
  const servers = run.peers
    .filter(({ kind }) => kind !== 'relay')
    .map(({ kind, name, version }) => (kind === 'weir' ? `${name} ${version}` : name));
  const before = readBaseline();
  const machine = machineLine();
  const same = before !== null && before.machine === machine && before.servers.join() === servers.join();
  const kept = same ? before.rows.filter((row) => !found.rows.some(({ id }) => id === row.id)) : [];
  const rows = [...kept, ...found.rows.map((row) => ({ ...row, date, how }))];
  rows.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  const micro = found.micro.length > 0 || !same ? found.micro : before.micro;
  const baseline: Baseline = { machine, servers, rows, micro };
  writeFileSync(BASELINE, `${JSON.stringify(baseline, null, 1)}\n`);
  writeFileSync(RESULTS, resultsText(baseline));
}

export interface SavedRun {
  peers: Peer[];
  options: BenchOptions;
}

function resultsText({ machine, servers, rows, micro }: Baseline): string {
  const dates = [...new Set(rows.map((row) => row.date))].sort();
  const hows = [...new Set(rows.map((row) => row.how))];
  const date = dates.length > 1 ? `${dates[0]} to ${dates[dates.length - 1]}` : dates[0];
  const parts = [
    '# Results',
    '<!-- Written by `npm run bench`; what the rows mean is in README.md. Do not edit. -->',
    `${machine}. ${servers.join(', ')}. ${date}. Medians of ${hows.join('; ')}, servers taking turns.`,
    'Ratio: Weir divided by the other server. For msg/s, logins/s and % higher is better, for all else lower. ±: half the distance from the slowest to the fastest run.',
    markdown(rows),
    goalsLine(rows),
    '## Of what is possible',
    'A relay in C that only copies bytes from publishers to subscribers (relay.c), with one thread, is the physical limit of one process here.',
    relayMarkdown(rows),
    '## Who was busy',
    coresMarkdown(rows),
  ];
  parts.push(...soakText());
  if (micro.length > 0) parts.push('## Micro-benchmarks', microTable(micro));
  return `${parts.join('\n\n')}\n`;
}

function goalsLine(rows: Row[]): string {
  const verdicts = rows.flatMap((row) => [
    ...row.others.map((other) => verdict(row.better, other.ratio, other.goal)),
    verdict(row.better, row.weir.median, row.limit),
  ]);
  const met = verdicts.filter((text) => text.endsWith('✓')).length;
  const missed = verdicts.filter((text) => text.endsWith('✗')).length;
  return `${met} goals met, ${missed} missed.`;
}

export function microTable(figures: MicroFigure[]): string {
  const body = figures.map(({ name, ns, note }) => [name, `${ns.toFixed(ns < 100 ? 1 : 0)} ns`, note ?? '']);
  return tableOf(['', 'each', ''], body);
}

/** How a row's ratios compare with the committed ones: `1.52 → 1.49`, with a mark when one got worse by more than noise. */
export function comparedWith(baseline: Baseline, row: Row): string {
  const before = baseline.rows.find((candidate) => candidate.id === row.id);
  const texts = row.others.flatMap((other) => {
    const old = before?.others.find((candidate) => candidate.name === other.name);
    if (old === undefined) return [];
    const change = row.better === 'higher' ? other.ratio / old.ratio : old.ratio / other.ratio;
    return [`${old.ratio.toFixed(2)} → ${other.ratio.toFixed(2)}${change < 1 - NOISE ? ' worse' : ''}`];
  });
  return texts.join(', ');
}
