// `npm run bench -- fuzz`: what strangers may write, changed at random, to everything that reads it.
import { parseArgs } from 'node:util';
import { changeBetween } from '../document.js';
import { tableOf } from '../table.js';
import { fuzz } from './fuzz.js';
import { targets } from './targets.js';

const USAGE = `usage: npm run bench -- fuzz [options]
  --minutes n     how long in all (default 1)
  --seed n        the same inputs again; printed by each run
  --only a,b      only these: ${targets.map(({ id }) => id).join(', ')}
  --save          write the table into docs/security.md`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    save: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false }, // for scripts/bench.mjs
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const only = values.only.flatMap((text) => text.split(','));
  const unknown = only.filter((id) => !targets.some((target) => target.id === id));
  if (unknown.length > 0) throw new Error(`nothing is called ${unknown.map((id) => JSON.stringify(id)).join(', ')}`);
  const chosen = targets.filter(({ id }) => only.length === 0 || only.includes(id));
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: expected a number above 0`);
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed}`);
  const rows: string[][] = [];
  for (const target of chosen) {
    const endsMs = performance.now() + (minutes * 60_000) / chosen.length;
    const { inputs, taken, slowestMs, found } = await fuzz(target, seed, () => performance.now() > endsMs);
    const share = `${((100 * taken) / inputs).toFixed(0)} %`;
    const told = found.length === 0 ? 'nothing' : `${found.length}`;
    rows.push([target.title, inputs.toLocaleString('en'), share, `${slowestMs.toFixed(0)} ms`, told]);
    console.log(rows.at(-1)!.join(' | '));
    for (const text of found) console.error(`${target.id}: ${text.slice(0, 2_000)}`);
    if (found.length > 0) process.exitCode = 1;
  }
  const table = tableOf(['what reads it', 'inputs', 'taken', 'slowest', 'found'], rows);
  if (values.save) changeBetween('docs/security.md', 'fuzzing', () => table);
}

if (values.help) console.log(USAGE);
else {
  await main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
