import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.js';
import { isComponent, openComponent } from './component.js';
import { coreContract, functionsOf } from './component-contract.js';
import { decodeModule } from './decode.js';
import type { DecodedModule } from './decoded-module.js';
import { LARGE_MODULE_LIMITS, MODULE_LIMITS } from './limits.js';
import { type Needs, needsOf } from './needs.js';
import { pagesMax, rewriteModule } from './rewrite.js';

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
  /** Whether it was a component, which an adapter speaks for. */
  readonly isComponent: boolean;
  /** Whether it is so large that only worker threads may run it. */
  readonly isLarge: boolean;
  readonly hasInit: boolean;
  readonly hasTick: boolean;
  readonly hasDrain: boolean;
  /** Whether it can hand its state over: `weir_save` and `weir_restore`. */
  readonly hasState: boolean;
  /** Whether it takes entries of a table: `weir_table`. */
  readonly hasTable: boolean;
  readonly hasStart: boolean;
  /** What the module says about itself, as JSON text that nobody has looked at; null when it says nothing. */
  readonly manifest: string | null;
  readonly needs: Needs;
  /** From the `name` section, by function index: trap texts carry them. */
  readonly functionNames: ReadonlyMap<number, string>;
}

/**
 * Validates, meters and compiles. Runs in the compile worker: a module may take long. Throws a `Failure` with a code
 * `module-…` that says what was found, where, and what is allowed. A module that is not metered is all the rest of it, and charges no fuel.
 */
export function prepareModule(wasm: Uint8Array, metered = true): PreparedModule {
  const decoded = isComponent(wasm) ? decodeComponent(wasm) : decodeModule(wasm);
  const { bytes, exports, stateGlobals } = rewriteModule(decoded, metered);
  return {
    sha256: createHash('sha256').update(wasm).digest('hex'),
    bytes: wasm.length,
    module: new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>),
    memoryPages: { min: decoded.memory.min, max: pagesMax(decoded) },
    stateGlobals,
    isComponent: decoded.component !== null,
    isLarge: isLarge(wasm) || isLarge(decoded.bytes),
    hasInit: exports.has('weir_init'),
    hasTick: exports.has('weir_tick'),
    hasDrain: exports.has('weir_drain'),
    hasState: exports.has('weir_save') && exports.has('weir_restore'),
    hasTable: exports.has('weir_table'),
    hasStart: decoded.start !== null,
    manifest: decoded.manifest,
    needs: needsOf(decoded.manifest),
    functionNames: decoded.functionNames,
  };
}

function isLarge(wasm: Uint8Array): boolean {
  return wasm.length > MODULE_LIMITS.moduleBytes;
}

/** The core module of a component; the component's own words are about all of it. */
function decodeComponent(wasm: Uint8Array): DecodedModule {
  const component = openComponent(wasm);
  const { core, lifts, manifest } = component;
  const decoded = decodeModule(core, coreContract(lifts), isLarge(core) ? LARGE_MODULE_LIMITS : MODULE_LIMITS);
  if (decoded.memory.min === 0) {
    throw new Failure('module-memory', "a component's memory begins with 0 pages; at least one is expected");
  }
  decoded.component = functionsOf(component, decoded.exports);
  decoded.manifest = manifest;
  return decoded;
}
