import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { type Frame, frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import type { MicroFigure } from '../micro.js';
import { CONFIGS, READING, SUBJECT } from '../readings.js';
import { kept, nsPerStep } from '../timing.js';

const CALLS = 200_000;
const NOW = { wallMs: 0 };

/** A call of each bundled plugin: the message goes in, the verdict and the new payload's place come out. */
export async function benches(): Promise<MicroFigure[]> {
  const none = new Uint8Array(0);
  const frame = frameOf(Buffer.from(SUBJECT), none, none, READING);
  return Object.entries(CONFIGS).map(([plugin, config]) => {
    const instance = open(plugin, config);
    const ns = nsPerStep(CALLS, () => {
      for (let i = 0; i < CALLS; i++) kept.value += callOf(instance, frame);
    });
    const note = `${READING.length} B, fuel ${instance.fuelUsed.toLocaleString('en')}`;
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
  const verdict = instance.call(frame, NOW);
  if (verdict === FAULT) throw new Error(instance.fault.text);
  return verdict;
}
