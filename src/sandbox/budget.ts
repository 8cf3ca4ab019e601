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
  // Instances are made on the event loop, and after each trap again: 2 to 10 ms.
  fuelForInit: 5_000_000,
  memoryBytesMax: 16 * 1024 * 1024,
  outputBytesMax: 1024 * 1024,
  outputByInput: true,
};

/** What a message of so many bytes may lead to. */
export function outputAllowance(inputBytes: number): number {
  return 4 * inputBytes + 64 * 1024;
}

/** Fuel is a 32-bit integer inside the guest. */
export const FUEL_MAX = 2 ** 31 - 1;
