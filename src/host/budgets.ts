import { type Budget, DEFAULT_BUDGET, FUEL_MAX } from '../sandbox/budget.js';
import type { BudgetRequest } from './declarations.js';

/** What the operator says goes before what the plugin asks for, and that before the defaults. */
export function budgetOf(said: BudgetRequest = {}, asked: BudgetRequest = {}): Budget {
  const { fuel_per_message, fuel_for_init, memory_bytes, output_bytes } = { ...asked, ...said };
  return {
    fuelPerMessage: Math.min(fuel_per_message ?? DEFAULT_BUDGET.fuelPerMessage, FUEL_MAX),
    fuelForInit: fuel_for_init ?? DEFAULT_BUDGET.fuelForInit,
    memoryBytesMax: memory_bytes ?? DEFAULT_BUDGET.memoryBytesMax,
    outputBytesMax: output_bytes ?? DEFAULT_BUDGET.outputBytesMax,
    outputByInput: output_bytes === undefined,
  };
}
