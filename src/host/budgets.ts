import { type Budget, DEFAULT_BUDGET, FUEL_MAX } from '../sandbox/budget.js';
import type { BudgetRequest } from './declarations.js';

/**
 * What a manifest may ask for: its author is not the operator, and a call of 2,000,000 fuel is 8 ms of the event loop at the worst. Whoever
 * attaches the plugin may give it more.
 */
const ASKED_MAX: Required<Pick<BudgetRequest, 'fuel_per_message' | 'fuel_for_init' | 'memory_bytes' | 'output_bytes'>> =
  {
    fuel_per_message: 2_000_000,
    fuel_for_init: 200_000_000,
    memory_bytes: 64 * 1024 * 1024,
    output_bytes: 4 * 1024 * 1024,
  };

/** What a call in the tier "worker" may use that is to be made on the event loop for once. */
export const FUEL_ON_LOOP_MAX = ASKED_MAX.fuel_per_message;

/** What the operator says goes before what the plugin asks for, and that before the defaults. */
export function budgetOf(said: BudgetRequest = {}, asked: BudgetRequest = {}): Budget {
  const granted = Object.fromEntries(
    Object.entries(ASKED_MAX).flatMap(([key, most]) => {
      const wanted = asked[key as keyof typeof ASKED_MAX];
      return wanted === undefined ? [] : [[key, Math.min(wanted, most)]];
    }),
  );
  const { fuel_per_message, fuel_for_init, memory_bytes, output_bytes }: BudgetRequest = { ...granted, ...said };
  return {
    fuelPerMessage: Math.min(fuel_per_message ?? DEFAULT_BUDGET.fuelPerMessage, FUEL_MAX),
    fuelForInit: fuel_for_init ?? DEFAULT_BUDGET.fuelForInit,
    memoryBytesMax: memory_bytes ?? DEFAULT_BUDGET.memoryBytesMax,
    outputBytesMax: output_bytes ?? DEFAULT_BUDGET.outputBytesMax,
    outputByInput: output_bytes === undefined,
  };
}

const WATCHDOG_MS = 50;
/** What a manifest may ask for. */
const WATCHDOG_ASKED_MAX_MS = 1_000;

/** What one call may take in the worker tier. */
export function watchdogOf(said: BudgetRequest = {}, asked: BudgetRequest = {}): number {
  return said.watchdog_ms ?? Math.min(asked.watchdog_ms ?? WATCHDOG_MS, WATCHDOG_ASKED_MAX_MS);
}

const EMITS_PER_MESSAGE = 8;
/** What a manifest may ask for: each of them may lead to as many again, four times. */
const EMITS_ASKED_MAX = 64;

/** Further messages that one call may publish: as the operator says, else as the plugin asks, else 8. */
export function emitsOf(said: BudgetRequest = {}, asked: BudgetRequest = {}): number {
  return said.emits_per_message ?? Math.min(asked.emits_per_message ?? EMITS_PER_MESSAGE, EMITS_ASKED_MAX);
}
