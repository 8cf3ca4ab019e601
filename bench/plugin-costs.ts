import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_BUDGET } from '../src/sandbox/budget.js';
import { type Frame, frameOf } from '../src/sandbox/frame.js';
import { FAULT, Instance } from '../src/sandbox/instance.js';
import { prepareModule } from '../src/sandbox/prepare.js';
import { bareGuest, type Call, meteredGuest } from './guest-calls.js';
import { kept } from './timing.js';

const README = join('plugins', 'README.md');
const BEGIN = '<!-- costs: by `node scripts/plugin-costs.mjs` -->';
const END = '<!-- end of costs -->';

const CALLS = 20_000;
/** Engines optimise as they go, and other programs take turns: of many short runs the fastest says what the work costs. */
const REPEATS = 25;

/** What each plugin is asked to do with the messages below. */
const CONFIGS: Record<string, object> = {
  aggregate: { field: 't', to: 'mean.{#key}', key: 'id' },
  convert: { field: 't', from: 'C', to: 'F' },
  deadband: { field: 't', band: 0.5, key: 'id' },
  dedupe: { field: 'id' },
  enrich: { token: 1, table: { 4: { building: 'B', floor: 2 } } },
  geofence: { fences: { yard: { center: [23, 23], radius_m: 100_000 } }, latitude: 't', longitude: 't' },
  pick: { fields: ['id', 't'] },
  redact: { fields: ['id'], keep_last: 1 },
  rename: { fields: { t: 'temperature' } },
  route: { field: 'id', routes: { 's-42': 'rooms.{id}' } },
  schema: { schema: { type: 'object', required: ['id'], properties: { id: { type: 'string' }, t: { maximum: 99 } } } },
  smooth: { field: 't', alpha: 0.2, key: 'id' },
  split: { to: 'items.{id}' },
  threshold: { field: 't', above: 20 },
  throttle: { messages: 1_000_000, key: 'id' },
};

/** Flat objects as devices send them, of 26, 128 and 165 bytes. */
const MESSAGES = [
  '{"id":"s-42","t":23.56789}',
  '{"id":"s-42","site":"n1","time":"2026-01-05T10:15:30Z","t":23.5,"humidity":41.2,"ok":true,"battery":3.71,"count":1024,"no":"17"}',
  '{"id":"s-42","site":"north-1","time":"2026-01-05T10:15:30.123Z","t":23.5,"humidity":41.2,"ok":true,"battery":3.71,"count":1024,"firmware":"2.13.7","place":"hall 4b"}',
];
const SUBJECT = Buffer.from('site.4.line-2.temperature');
const NONE = new Uint8Array(0);

interface Cost {
  ns: number;
  fuel: number;
}

function frame(plugin: string, message: string): Frame {
  // A list of one, where it takes lists.
  return frameOf(SUBJECT, NONE, NONE, Buffer.from(plugin === 'split' ? `[${message}]` : message));
}

function costOf(plugin: string, wasm: Uint8Array, message: string): Cost {
  const made = Instance.create(prepareModule(wasm), DEFAULT_BUDGET, JSON.stringify(CONFIGS[plugin]));
  if (!(made instanceof Instance)) throw new Error(`${plugin}: ${made.text}`);
  const on = frame(plugin, message);
  const now = { wallMs: 0 };
  const ns = fastest([
    () => {
      const verdict = made.call(on, now);
      if (verdict === FAULT) throw new Error(`${plugin}: ${made.fault.text}`);
      return verdict;
    },
  ]);
  return { ns: ns[0], fuel: made.fuelUsed };
}

/** What the meter costs a guest's own work: both take turns, so that what else the machine does is no difference. */
function meterRatio(plugin: string, wasm: Uint8Array): number {
  const config = JSON.stringify(CONFIGS[plugin]);
  const on = frame(plugin, MESSAGES[1]);
  const [bare, metered] = fastest([bareGuest(wasm, config, on), meteredGuest(wasm, config, on)]);
  return metered / bare;
}

function fastest(calls: Call[]): number[] {
  // Loops of their own: one that has seen two functions is slower for both.
  const loops = calls.map(
    () =>
      new Function('call', 'kept', `for (let i = 0; i < ${CALLS}; i++) kept.value += call();`) as (
        call: Call,
        sum: typeof kept,
      ) => void,
  );
  const best = calls.map(() => Number.POSITIVE_INFINITY);
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    calls.forEach((call, i) => {
      const started = process.hrtime.bigint();
      loops[i](call, kept);
      best[i] = Math.min(best[i], Number(process.hrtime.bigint() - started) / CALLS);
    });
  }
  return best;
}

function rowOf(plugin: string): string {
  const wasm = readFileSync(join('dist', 'plugins', `${plugin}.wasm`));
  const costs = MESSAGES.map((message) => costOf(plugin, wasm, message));
  const cells = costs.map(({ ns, fuel }) => `${Math.round(ns)} ns, ${fuel.toLocaleString('en')}`);
  return `| [${plugin}](${plugin}/README.md) | ${cells.join(' | ')} | ${meterRatio(plugin, wasm).toFixed(2)} × |`;
}

function table(): string {
  const sizes = MESSAGES.map((message) => `${message.length} B`);
  const head = `| plugin | ${sizes.join(' | ')} | meter |\n|${' --- |'.repeat(sizes.length + 2)}`;
  return [head, ...Object.keys(CONFIGS).map(rowOf)].join('\n');
}

/** Measures every bundled plugin; with `--write`, puts the table into the README between its marks. */
const measured = table();
console.log(measured);
if (process.argv.includes('--write')) {
  const text = readFileSync(README, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${README} has no place for the table: expected ${BEGIN} … ${END}`);
  writeFileSync(README, `${text.slice(0, begin)}${BEGIN}\n\n${measured}\n\n${text.slice(end)}`);
}
