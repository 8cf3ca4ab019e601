import { createHash } from 'node:crypto';
import { decodeModule } from './decode.js';
import { rewriteModule } from './rewrite.js';

/** A module that was validated, metered and compiled: ready to be instantiated any number of times. */
export interface PreparedModule {
  /** Of the bytes as they were uploaded, in hex. */
  readonly sha256: string;
  /** Length of the upload. */
  readonly bytes: number;
  readonly module: WebAssembly.Module;
  readonly hasInit: boolean;
  readonly hasStart: boolean;
  /** From the `name` section, by function index: trap texts carry them. */
  readonly functionNames: ReadonlyMap<number, string>;
}

/**
 * Validates, meters and compiles. Runs in the compile worker: a module may take long. Throws a `Failure` with a code
 * `module-…` that says what was found, where, and what is allowed.
 */
export function prepareModule(wasm: Uint8Array, memoryBytesMax: number): PreparedModule {
  const decoded = decodeModule(wasm, memoryBytesMax);
  const metered = rewriteModule(decoded, memoryBytesMax);
  return {
    sha256: createHash('sha256').update(wasm).digest('hex'),
    bytes: wasm.length,
    module: new WebAssembly.Module(metered as Uint8Array<ArrayBuffer>),
    hasInit: decoded.exports.has('weir_init'),
    hasStart: decoded.start !== null,
    functionNames: decoded.functionNames,
  };
}
