/** What one attachment's calls may use. */
export interface Budget {
  /** Fuel units for one message; about one unit per instruction. */
  fuelPerMessage: number;
  /** Fuel units for the start function, `weir_open` and `weir_init`. */
  fuelForInit: number;
  /** Linear memory. */
  memoryBytesMax: number;
  /** Records in the outbox of one call. */
  outputBytesMax: number;
}

/** The defaults of the plugin contract. */
export const DEFAULT_BUDGET: Readonly<Budget> = {
  fuelPerMessage: 1_000_000,
  fuelForInit: 200_000_000,
  memoryBytesMax: 16 * 1024 * 1024,
  outputBytesMax: 1024 * 1024,
};

/** Fuel is a 32-bit integer inside the guest. */
export const FUEL_MAX = 2 ** 31 - 1;
