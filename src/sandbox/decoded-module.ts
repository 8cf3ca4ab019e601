import type { ComponentFunctions } from './component-functions.js';

export interface FunctionType {
  params: Uint8Array;
  results: Uint8Array;
}

/** A range of the module's bytes. */
export interface Span {
  start: number;
  end: number;
}

/** Lower and upper limit of a memory or table; `max` is null when there is none. */
export interface Limits {
  min: number;
  max: number | null;
}

/** What the rewriter needs to know about a module that passed. */
export interface DecodedModule {
  bytes: Uint8Array;
  types: FunctionType[];
  /** Content of sections that are copied as they are, by id. */
  sections: Map<number, Span>;
  /** Types of functions that were imported (`env.abort` only). */
  importedFunctions: number[];
  /** Types of the functions defined here. */
  functions: number[];
  memory: Limits;
  tables: { element: number; limits: Limits }[];
  globals: number;
  /** Those that change and whose values JavaScript can carry. */
  numberGlobals: number[];
  /** Whether memory and `numberGlobals` are all the state there is: no tables, references, vectors or dropped segments besides. */
  plainState: boolean;
  /** What calls them by the canonical ABI, when this is a component's core module; null for a plugin that speaks for itself. */
  component: ComponentFunctions | null;
  /** The contract's functions, by name. */
  exports: Map<string, number>;
  start: number | null;
  bodies: Span[];
  functionNames: Map<number, string>;
  /** JSON text of the section `weir.manifest`; null when there is none. */
  manifest: string | null;
}

/** The type index of a function, imported or defined; undefined when there is no such function. */
export function typeOfFunction(module: DecodedModule, index: number): number | undefined {
  const imported = module.importedFunctions.length;
  return index < imported ? module.importedFunctions[index] : module.functions[index - imported];
}

export function functionLabel(module: DecodedModule, index: number): string {
  const name = module.functionNames.get(index);
  return name === undefined ? `function ${index}` : `function ${index} (${name})`;
}
