/** What the host calls of a component, by its core functions. */
export interface LiftedFunction {
  readonly index: number;
  /** Gives back what the answer lies in; null when there is nothing to give back. */
  readonly post: number | null;
}

/** Indexes of functions of a component's core module. */
export interface ComponentFunctions {
  /** Allocates the guest's memory: `(old, oldBytes, alignment, bytes) -> address`. */
  readonly realloc: number;
  readonly process: LiftedFunction;
  readonly configure?: LiftedFunction | undefined;
  readonly tick?: LiftedFunction | undefined;
  readonly drain?: LiftedFunction | undefined;
  readonly save?: LiftedFunction | undefined;
  readonly restore?: LiftedFunction | undefined;
  readonly entry?: LiftedFunction | undefined;
  /** A global for the time of the message; null when nothing reads it. */
  readonly clockGlobal: number | null;
}

export type ComponentFunctionName = Exclude<keyof ComponentFunctions, 'realloc' | 'clockGlobal'>;
