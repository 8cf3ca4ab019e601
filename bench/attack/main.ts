// `npm run bench -- attack`: what somebody may try to knock the server over, and what happens.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { changeBetween, rowsOf } from '../document.js';
import { tableOf } from '../table.js';
import { MB } from './attack.js';
import { attacks } from './attacks.js';
import { type Result, runAttack } from './field.js';

const USAGE = `usage: npm run bench -- attack [options]
  --only a,b      only these (--list shows them)
  --share n       of the full size, above 0, at most 1 (default 1)
  --weir path     attack this Weir instead of this project's
  --save          put each row into the table of docs/security.md, when its attack is over
  --list          list the attacks`;

const HEAD = ['what was tried', 'how much', 'memory in MB', 'files', 'stall', 'another client', 'how it ended'];

function row({ title, amount, memory, files, stallMs, served, ending }: Result): string[] {
  const megabytes = memory.map((bytes) => Math.round(bytes / MB)).join(' → ');
  const others = `${served.latencyP99Ms.toFixed(1)} / ${served.latencyMaxMs.toFixed(0)} ms`;
  return [
    title,
    amount,
    megabytes,
    files.join(' → '),
    `${stallMs.toFixed(0)} ms`,
    others,
    ending.replaceAll('|', '\\|'),
  ];
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    share: { type: 'string', default: '1' },
    weir: { type: 'string', default: 'bin/weir.mjs' },
    save: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false }, // for scripts/bench.mjs
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (values.list) for (const { id, title } of attacks) console.log(`${id.padEnd(22)} ${title}`);
  if (values.list) return;
  const only = values.only.flatMap((text) => text.split(','));
  const unknown = only.filter((id) => !attacks.some((attack) => attack.id === id));
  if (unknown.length > 0) throw new Error(`no attack ${unknown.map((id) => JSON.stringify(id)).join(', ')}`);
  const share = Number(values.share);
  if (!(share > 0 && share <= 1)) throw new Error(`--share ${values.share}: expected a number above 0, at most 1`);
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const helpers = { inside: file('./soak-inside.js'), probe: file('./attack-probe.js') };
  const options = { weir: values.weir, helpers, share };
  console.log(tableOf(HEAD, []));
  for (const attack of attacks) {
    if (only.length > 0 && !only.includes(attack.id)) continue;
    const result = await runAttack(attack, options).catch((error: Error) => error);
    const problems = result instanceof Error ? [result.message] : result.broken;
    for (const text of problems) console.error(`${attack.id}: ${text}`);
    if (problems.length > 0) process.exitCode = 1;
    if (result instanceof Error) continue;
    const cells = row(result);
    console.log(`| ${cells.join(' | ')} |`);
    if (values.save) save(cells);
  }
}

/** Puts the row in place of the one before, in the order of the attacks. */
function save(cells: string[]): void {
  changeBetween('docs/security.md', 'attacks', (table) => {
    const rows = rowsOf(table).set(cells[0], cells);
    return tableOf(
      HEAD,
      attacks.flatMap(({ title }) => (rows.has(title) ? [rows.get(title)!] : [])),
    );
  });
}

if (values.help) console.log(USAGE);
else {
  main().then(
    () => process.exit(),
    (error: Error) => {
      console.error(error.message);
      process.exit(1);
    },
  );
}
