import { createHash } from 'node:crypto';
import { decodeModule } from './decode.js';
import { globalExport, PAGES_MAX, rewriteModule } from './rewrite.js';

/** A module that was validated, metered and compiled: ready to be instantiated any number of times. */
export interface PreparedModule {
  /** Of the bytes as they were uploaded, in hex. */
  readonly sha256: string;
  /** Length of the upload. */
  readonly bytes: number;
  readonly module: WebAssembly.Module;
  /** Pages of linear memory: at the beginning, and the most that the module itself allows. */
  readonly memoryPages: { readonly min: number; readonly max: number };
  /** Exports of the globals that make up a guest's state beside its memory; null when it has more state than those. */
  readonly stateGlobals: readonly string[] | null;
  readonly hasInit: boolean;
  readonly hasStart: boolean;
  /** From the `name` section, by function index: trap texts carry them. */
  readonly functionNames: ReadonlyMap<number, string>;
}

/**
 * Validates, meters and compiles. Runs in the compile worker: a module may take long. Throws a `Failure` with a code
 * `module-…` that says what was found, where, and what is allowed.
 */
export function prepareModule(wasm: Uint8Array): PreparedModule {
  const decoded = decodeModule(wasm);
  const metered = rewriteModule(decoded);
  return {
    sha256: createHash('sha256').update(wasm).digest('hex'),
    bytes: wasm.length,
    module: new WebAssembly.Module(metered as Uint8Array<ArrayBuffer>),
    memoryPages: { min: decoded.memory.min, max: decoded.memory.max ?? PAGES_MAX },
    stateGlobals: decoded.plainState ? decoded.numberGlobals.map(globalExport) : null,
    hasInit: decoded.exports.has('weir_init'),
    hasStart: decoded.start !== null,
    functionNames: decoded.functionNames,
  };
}
