import type { Budget } from './budget.js';
import { FUEL_FOR_INIT_ON_LOOP } from './budget.js';
import type { Fault } from './fault.js';
import type { Image } from './image.js';
import { Instance } from './instance.js';
import type { PreparedModule } from './prepare.js';

/** What starting a guest led to: its image, null when it has to be started anew each time, or why it cannot run. */
export type Started = { image: Image | null } | { fault: Fault };

/** Starts a guest as far as its first message. Runs in the compile worker: it may take long. */
export function startGuest(prepared: PreparedModule, budget: Budget, config: string): Started {
  const made = Instance.create(prepared, budget, config);
  if (!(made instanceof Instance)) return { fault: made };
  const image = made.image();
  if (image !== null || made.startFuel <= FUEL_FOR_INIT_ON_LOOP) return { image };
  const text = `starting uses ${made.startFuel} fuel; for a module that changes its tables, or has globals that are vectors or references, ${FUEL_FOR_INIT_ON_LOOP} are allowed`;
  return { fault: { cause: 'init', text } };
}
