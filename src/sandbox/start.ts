import type { Budget } from './budget.js';
import { FUEL_FOR_INIT_ON_LOOP } from './budget.js';
import type { Fault } from './fault.js';
import type { Image } from './image.js';
import { Instance } from './instance.js';
import type { PreparedModule } from './prepare.js';
import { fillTable, type RefusedEntry } from './table.js';

/** What a guest is started with. */
export interface StartSettings {
  budget: Budget;
  /** JSON text. */
  config: string;
  /** Entries as `packEntries` makes them; null without a table. */
  table: Uint8Array | null;
}

/**
 * What starting a guest led to: its image, null when it has to be started anew each time, and the entries that it refused; or why it cannot run.
 */
export type Started = { image: Image | null; refused: readonly RefusedEntry[] } | { fault: Fault };

/** Starts a guest as far as its first message. Runs in the compile worker: it may take long. */
export function startGuest(prepared: PreparedModule, { budget, config, table }: StartSettings): Started {
  const create = () => Instance.create(prepared, budget, config);
  const made = create();
  if (!(made instanceof Instance)) return { fault: made };
  const { startFuel } = made;
  const filled = table === null ? { instance: made, fuel: 0, refused: [] } : fillTable(made, table, create);
  if ('fault' in filled) return filled;
  const image = filled.instance.image();
  const fuel = startFuel + filled.fuel;
  if (image !== null || fuel <= FUEL_FOR_INIT_ON_LOOP) return { image, refused: filled.refused };
  const text = `starting uses ${fuel} fuel; for a module that changes its tables, or has globals that are vectors or references, ${FUEL_FOR_INIT_ON_LOOP} are allowed`;
  return { fault: { cause: 'init', text } };
}
