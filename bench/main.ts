import { Measure } from './measure.js';
import { type MicroFigure, runMicro } from './micro.js';
import { type BenchOptions, readOptions, USAGE } from './options.js';
import { findPeers, newestNatsServer, type Peer, relayPeer, weirPeer } from './peers.js';
import { machineBusyShare } from './process-usage.js';
import { type Baseline, comparedWith, type Found, microTable, readBaseline, saveResults } from './results.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios/index.js';
import { coresMarkdown, markdown, type Row, relayMarkdown, rowsOf } from './table.js';

const note = (text: string) => console.error(text);
/** A machine that is busier than this with other things gives figures that mean little. */
const BUSY_SHARE_MAX = 0.05;

async function main(options: BenchOptions): Promise<void> {
  if (options.list) {
    for (const { id, metrics, leftOut } of scenarios) {
      const when = { quick: ' (not in --quick)', always: ' (only when named)', never: '' }[leftOut ?? 'never'];
      console.log(`${id.padEnd(18)} ${metrics[0].title}${when}`);
    }
    return;
  }
  // Before rows are put into it.
  const baseline = options.quick ? readBaseline() : null;
  const chosen = choose(options);
  const peers = takePart(options);
  if (!options.tiny) await warnWhenBusy();
  const order = scenarios.flatMap(({ metrics }) => metrics.map(({ id }) => id));
  const save = (found: Partial<Found>) => {
    if (options.save) saveResults(order, { rows: [], micro: [], ...found }, { peers, options });
  };
  const rows: Row[] = [];
  // Each is saved at once: a run of all takes most of an hour, and may be cut off.
  for await (const found of measured(chosen, peers, options)) {
    rows.push(...found);
    save({ rows: found });
  }
  const all = options.save && options.only.length === 0;
  const micro = options.micro || all ? await runMicro(note) : [];
  save({ micro });
  print(rows, micro, baseline);
  if (options.save) console.log('\nwritten: bench/RESULTS.md, bench/baseline.json');
}

function choose({ only, micro, tiny, quick }: BenchOptions): Scenario[] {
  const unknown = only.filter((id) => !scenarios.some((scenario) => scenario.id === id));
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.map((id) => JSON.stringify(id)).join(', ')}`);
  if (only.length > 0) return scenarios.filter(({ id }) => only.includes(id));
  if (micro) return [];
  return scenarios.filter(({ leftOut }) => tiny || leftOut === undefined || (leftOut === 'quick' && !quick));
}

async function warnWhenBusy(): Promise<void> {
  const share = await machineBusyShare();
  if (share <= BUSY_SHARE_MAX) return;
  console.log(`the machine is ${Math.round(share * 100)} % busy with other things: expect figures that vary\n`);
}

function takePart(options: BenchOptions): Peer[] {
  const weir = weirPeer('weir', options.weir);
  const relay = options.quick ? null : relayPeer();
  if (options.tiny) return relay === null ? [weir] : [weir, relay];
  const found = findPeers(options.peers);
  const newest = newestNatsServer(found);
  if (newest === undefined) console.log('no nats-server on the PATH and none given by --peer: no ratios to it');
  // A quick look needs one comparison only.
  if (options.quick) return [weir, ...(newest !== undefined && options.peers.length === 0 ? [newest] : found)];
  if (relay === null) console.log('no C compiler (cc) on the PATH: no relay to compare with');
  return [weir, ...found, ...(relay === null ? [] : [relay])];
}

/** The rows of one scenario after the other. */
async function* measured(chosen: Scenario[], peers: Peer[], options: BenchOptions): AsyncGenerator<Row[]> {
  if (chosen.length === 0) return;
  const measure = new Measure(options, peers, note);
  try {
    for (const scenario of chosen) {
      const obstacle = scenario.obstacle?.() ?? null;
      if (obstacle !== null) note(`${scenario.id} skipped: ${obstacle}`);
      else yield rowsOf(scenario, await measure.scenario(scenario), peers);
    }
  } finally {
    measure.stop();
  }
}

function print(rows: Row[], micro: MicroFigure[], baseline: Baseline | null): void {
  if (rows.length > 0) {
    const cell = (row: Row) => (baseline === null ? '' : comparedWith(baseline, row));
    console.log(baseline === null ? markdown(rows) : markdown(rows, { title: 'ratio, baseline → now', cell }));
    for (const table of [relayMarkdown(rows), coresMarkdown(rows)]) if (table !== '') console.log(`\n${table}`);
  }
  if (micro.length > 0) console.log(`\n${microTable(micro)}`);
}

function options(): BenchOptions {
  try {
    return readOptions(process.argv.slice(2), process.env);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

main(options()).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
