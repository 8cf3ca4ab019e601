import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { Instance } from '../../src/sandbox/instance.js';
import type { Range } from '../../src/sandbox/outbox.js';
import { type PreparedModule, prepareModule } from '../../src/sandbox/prepare.js';
import { root } from './guest.js';

/** The modules as the build made them. */
const folder = join(root, 'dist', 'plugins');
/** Random inputs are large. */
const BUDGET = { ...DEFAULT_BUDGET, fuelPerMessage: 100_000_000 };

/** The plugins that come with Weir, by their folders. */
export const bundled: readonly string[] = readdirSync(join(root, 'plugins')).filter(
  (name) => !name.startsWith('template') && existsSync(join(root, 'plugins', name, 'tests')),
);

const prepared = new Map<string, PreparedModule>();

/** The module of a bundled plugin; the build must have made it. */
export function bundledModule(plugin: string): PreparedModule {
  let module = prepared.get(plugin);
  if (module === undefined) {
    module = prepareModule(readFileSync(join(folder, `${plugin}.wasm`)));
    prepared.set(plugin, module);
  }
  return module;
}

export function open(plugin: string, config: object, budget = BUDGET): Instance {
  const made = Instance.create(bundledModule(plugin), budget, JSON.stringify(config));
  if (!(made instanceof Instance)) throw new Error(made.text);
  return made;
}

/** The verdict for a payload. */
export function call(instance: Instance, payload: string | Uint8Array, { subject = 's', wallMs = 0 } = {}): number {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const none = Buffer.alloc(0);
  return instance.call(frameOf(Buffer.from(subject), none, none, Buffer.from(bytes)), { wallMs });
}

export function payloadOf({ outbox }: Instance): string {
  return textOf(outbox.bytes, outbox.payload);
}

export function subjectOf({ outbox }: Instance): string {
  return textOf(outbox.bytes, outbox.subject);
}

/** Subjects and payloads of what was emitted. */
export function emitsOf({ outbox }: Instance): { subject: string; payload: string }[] {
  return outbox.emits.map(({ subject, payload }) => ({
    subject: textOf(outbox.bytes, subject),
    payload: textOf(outbox.bytes, payload),
  }));
}

function textOf(bytes: Uint8Array, range: Range | null): string {
  return range === null ? '' : Buffer.from(bytes.subarray(range.start, range.end)).toString();
}

/** The next version's instance, with what this one saved. */
export function swapped(instance: Instance, plugin: string, config: object): Instance {
  const state = instance.save();
  if (state === null) throw new Error(instance.fault.text);
  const next = open(plugin, config);
  if (!next.restoreState(state)) throw new Error(next.fault.text);
  return next;
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
