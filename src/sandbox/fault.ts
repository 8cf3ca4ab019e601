/** Why a call failed. */
export const FAULT_CAUSES = [
  'trap',
  'fuel',
  'memory',
  'output',
  'watchdog',
  'guest-error',
  'overload',
  'unavailable',
  'init',
] as const;
export type FaultCause = (typeof FAULT_CAUSES)[number];

/** A failed call, as a value: faults are expected and never thrown. */
export interface Fault {
  cause: FaultCause;
  text: string;
}
