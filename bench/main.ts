import { Measure } from './measure.js';
import { readOptions, USAGE } from './options.js';
import { findPeers, weirPeer } from './peers.js';
import { scenarios } from './scenarios/index.js';
import { markdown, type Row, rowsOf } from './table.js';

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.list) {
    for (const scenario of scenarios) console.log(`${scenario.id.padEnd(16)} ${scenario.metrics[0].title}`);
    return;
  }
  const unknown = options.only.filter((id) => !scenarios.some((scenario) => scenario.id === id));
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.map((id) => JSON.stringify(id)).join(', ')}; --list`);
  const chosen = scenarios.filter(({ id }) => options.only.length === 0 || options.only.includes(id));
  const peers = [weirPeer('weir', options.weir), ...findPeers(options.peers)];
  if (peers.length === 1) console.log('no nats-server on the PATH and no --peer: Weir alone, without ratios');
  const measure = new Measure(options);
  const rows: Row[] = [];
  try {
    for (const scenario of chosen) {
      const samples = await measure.scenario(scenario, peers, (text) => console.error(text));
      const found = rowsOf(scenario, samples, peers);
      rows.push(...found);
    }
  } finally {
    measure.stop();
  }
  console.log(markdown(rows, peers));
}

main().catch((error: Error) => {
  console.error(`${error.message}\n\n${USAGE}`);
  process.exit(1);
});
