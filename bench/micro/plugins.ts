import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { type Frame, frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import type { MicroFigure } from '../micro.js';
import { kept, nsPerStep } from '../timing.js';

const CALLS = 200_000;
const SUBJECT = 'site.4.line-2.temperature';
/** A sensor's message of 128 bytes. */
const PAYLOAD = {
  id: 's-42',
  site: 'n1',
  time: '2026-01-05T10:15:30Z',
  temperature: 23.5,
  humidity: 41.2,
  ok: true,
  battery: 3.71,
  count: 1024,
};
const CONFIGS: Record<string, object> = {
  threshold: { field: 'temperature', above: 20 },
  pick: { remove: ['battery', 'count'] },
  convert: { field: 'temperature', from: 'C', to: 'F', decimals: 1 },
  enrich: { token: 1, table: { 4: { building: 'B', floor: 2 } } },
};

/** A call of each bundled plugin: the message goes in, the verdict and the new payload's place come out. */
export async function benches(): Promise<MicroFigure[]> {
  const none = new Uint8Array(0);
  const payload = Buffer.from(JSON.stringify(PAYLOAD));
  const frame = frameOf(Buffer.from(SUBJECT), none, none, payload);
  return Object.entries(CONFIGS).map(([plugin, config]) => {
    const instance = open(plugin, config);
    const ns = nsPerStep(CALLS, () => {
      for (let i = 0; i < CALLS; i++) kept.value += callOf(instance, frame);
    });
    const note = `${payload.length} B, fuel ${instance.fuelUsed.toLocaleString('en')}`;
    return { name: `plugin ${plugin}`, ns, note };
  });
}

function open(plugin: string, config: object): Instance {
  const wasm = readFileSync(join('dist', 'plugins', `${plugin}.wasm`));
  const made = Instance.create(prepareModule(wasm), DEFAULT_BUDGET, JSON.stringify(config));
  if (!(made instanceof Instance)) throw new Error(`${plugin}: ${made.text}`);
  return made;
}

function callOf(instance: Instance, frame: Frame): number {
  const verdict = instance.call(frame, 0);
  if (verdict === FAULT) throw new Error(instance.fault.text);
  return verdict;
}
