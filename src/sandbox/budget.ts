/** What one attachment's calls may use. */
export interface Budget {
  /** Fuel units for one message; about one unit per instruction. */
  fuelPerMessage: number;
  /** Fuel units for the start function, `weir_abi`, `weir_open` and `weir_init` together. */
  fuelForInit: number;
  /** Linear memory. */
  memoryBytesMax: number;
  /** Records in the outbox of one call. */
  outputBytesMax: number;
  /** Whether output is also bounded by `outputAllowance`: it is where nobody asked for a number. */
  outputByInput: boolean;
}

/** The defaults of the plugin contract. */
export const DEFAULT_BUDGET: Readonly<Budget> = {
  fuelPerMessage: 1_000_000,
  fuelForInit: 200_000_000,
  memoryBytesMax: 16 * 1024 * 1024,
  outputBytesMax: 1024 * 1024,
  outputByInput: true,
};

/** What starting may use where it cannot be done in a worker thread once and for all: 1 to 8 ms of the event loop. */
export const FUEL_FOR_INIT_ON_LOOP = 3_000_000;

/** What a guest may save of itself. */
export const STATE_BYTES_MAX = 1024 * 1024;
/** Fuel for saving or taking on a state, on the event loop. */
export const FUEL_FOR_STATE = FUEL_FOR_INIT_ON_LOOP;

/** Fuel for taking on one entry of a table. */
export const FUEL_FOR_ENTRY = 1_000_000;

/** What a message of so many bytes may lead to. */
export function outputAllowance(inputBytes: number): number {
  return 4 * inputBytes + 64 * 1024;
}

/** Fuel is a 32-bit integer inside the guest. */
export const FUEL_MAX = 2 ** 31 - 1;
