import { ControlWord } from './abi.js';
import { ByteWriter } from './byte-writer.js';
import { ComponentAdapter } from './component-adapter.js';
import type { AdapterFunction } from './component-helpers.js';
import { type DecodedModule, typeOfFunction } from './decoded-module.js';
import { type Code, call, get, getGlobal, i64, setGlobal, store, storeLong } from './expressions.js';
import { MODULE_LIMITS } from './limits.js';
import { type MemoryCode, meterBody } from './meter.js';
import { ModuleCharges } from './module-charges.js';
import { Op } from './opcodes.js';

/** What the host calls besides the contract's own exports. */
export const HostExport = {
  /**
   * `(fuel, control, …the parameters of weir_message) -> i32`: sets the fuel, clears the control block's words for answers, calls, and leaves the
   * fuel that is left in the block, all in one crossing.
   */
  message: '$weir:message',
  /** `(fuel) -> ()` */
  refuel: '$weir:refuel',
  /** `() -> i32`: the fuel that is left; negative when it ran out. */
  fuel: '$weir:fuel',
  /** `() -> i32`: the address of the control block, where it moves: in a component's module. */
  control: '$weir:control',
  /** The module's start function, run by the host under its budget. */
  start: '$weir:start',
} as const;

/** The name of a global of the guest's that is part of its state. */
function globalExport(index: number): string {
  return `$weir:global:${index}`;
}

/** The one import of a module that was rewritten. */
export const HOST_MEMORY = { module: '$weir', name: 'memory' } as const;

/** A module that was written again. */
export interface RewrittenModule {
  bytes: Uint8Array;
  /** The contract's functions that it exports. */
  exports: ReadonlySet<string>;
  /** As `PreparedModule.stateGlobals`. */
  stateGlobals: string[] | null;
}

/** What 32 bits can address. */
const PAGES_MAX = 65536;

const I32 = 0x7f;
const F64 = 0x7c;
const MESSAGE_PARAMS = [I32, I32, I32, I32, I32, I32, I32, I32, F64, I32];

/**
 * Writes the module again with a fuel global that the guest cannot name (its index lies behind the last one), charges in every body,
 * `env.abort` as a function that traps, tables capped, and no custom sections. Its memory is an import, so that the host
 * makes it as large as the attachment's budget allows. Nothing runs when it is instantiated: the start function becomes an export.
 */
export function rewriteModule(module: DecodedModule, charges = true): RewrittenModule {
  const adapter = adapterOf(module, charges);
  const writer = new ByteWriter(module.bytes.length + (module.bytes.length >> 1) + 1024);
  writer.raw([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const functions = module.importedFunctions.length + module.functions.length;
  writer.section(1, typeSection(module, adapter));
  writer.section(2, importSection(module));
  writer.section(3, functionSection(module, adapter));
  if (module.tables.length > 0) writer.section(4, tableSection(module));
  writer.section(6, globalSection(module, adapter));
  writer.section(7, exportSection(module, functions, adapter));
  copySection(writer, module, 9);
  copySection(writer, module, 12);
  writer.section(10, codeSection(module, adapter, charges));
  copySection(writer, module, 11);
  const exports = new Set(adapter === null ? module.exports.keys() : adapter.functions.map(({ name }) => name ?? ''));
  return { bytes: writer.bytes(), exports, stateGlobals: stateGlobals(module, adapter) };
}

function copySection(writer: ByteWriter, module: DecodedModule, id: number): void {
  const span = module.sections.get(id);
  if (span !== undefined) writer.byte(id).sized(module.bytes.subarray(span.start, span.end));
}

/** Of a component: what speaks for it, and what that refers to. */
interface Adapter {
  functions: AdapterFunction[];
  /** What a message is handed to. */
  message: Pick<AdapterFunction, 'locals' | 'code'>;
  /** Index of the first of them, of the host's functions before them, and of the globals behind the fuel. */
  first: number;
  pagesGlobal: number;
  memory: MemoryCode;
  control: Code;
}

const HOST_TYPES = [
  { params: [I32, I32, ...MESSAGE_PARAMS], results: [I32] },
  { params: [I32], results: [] },
  { params: [], results: [I32] },
];

function adapterOf(module: DecodedModule, charges: boolean): Adapter | null {
  if (module.component === null) return null;
  const first = module.importedFunctions.length + module.functions.length + HOST_TYPES.length + 1;
  const pagesGlobal = module.globals + 1;
  const adapter = new ComponentAdapter(module.component, {
    first,
    fuelGlobal: charges ? module.globals : null,
    pagesGlobal,
    boxesGlobal: pagesGlobal + 1,
    pagesMax: module.memory.max ?? PAGES_MAX,
  });
  const memory = { size: getGlobal(pagesGlobal), grow: call(first) };
  return {
    functions: adapter.functions(),
    message: adapter.message(),
    first,
    pagesGlobal,
    memory,
    control: adapter.control,
  };
}

function typeSection(module: DecodedModule, adapter: Adapter | null): ByteWriter {
  const types = [...module.types, ...HOST_TYPES, ...(adapter?.functions ?? [])];
  const body = new ByteWriter().u32(types.length);
  for (const { params, results } of types) {
    body.byte(0x60).u32(params.length).raw(params).u32(results.length).raw(results);
  }
  return body;
}

function functionSection(module: DecodedModule, adapter: Adapter | null): ByteWriter {
  const host = module.types.length;
  const all = [...module.importedFunctions, ...module.functions, host, host + 1, host + 2];
  // `HostExport.control` is of the type of `HostExport.fuel`.
  if (adapter !== null) all.push(host + 2, ...adapter.functions.map((_, i) => host + HOST_TYPES.length + i));
  const body = new ByteWriter().u32(all.length);
  for (const type of all) body.u32(type);
  return body;
}

function tableSection(module: DecodedModule): ByteWriter {
  const body = new ByteWriter().u32(module.tables.length);
  for (const { element, limits } of module.tables) {
    const max = Math.max(limits.min, Math.min(limits.max ?? MODULE_LIMITS.tableEntries, MODULE_LIMITS.tableEntries));
    body.byte(element).byte(1).u32(limits.min).u32(max);
  }
  return body;
}

function importSection(module: DecodedModule): ByteWriter {
  const body = new ByteWriter().u32(1).name(HOST_MEMORY.module).name(HOST_MEMORY.name).byte(2);
  return body.byte(1).u32(module.memory.min).u32(pagesMax(module));
}

/** Of a component, besides its own memory there are the boxes: the adapter sees to its maximum. */
export function pagesMax({ memory, component }: DecodedModule): number {
  return component === null ? (memory.max ?? PAGES_MAX) : PAGES_MAX;
}

function globalSection(module: DecodedModule, adapter: Adapter | null): ByteWriter {
  const own = adapter === null ? [0] : [0, module.memory.min, 0];
  const body = new ByteWriter().u32(module.globals + own.length);
  const span = module.sections.get(6);
  if (span !== undefined) {
    // Behind the count, which was read before.
    let at = span.start;
    while (module.bytes[at] & 0x80) at++;
    body.raw(module.bytes.subarray(at + 1, span.end));
  }
  for (const value of own) body.byte(I32).byte(1).byte(Op.i32Const).i32(value).byte(Op.end);
  return body;
}

/** Names of the globals' exports that make up the guest's state beside its memory; null when it has more state than those. */
function stateGlobals(module: DecodedModule, adapter: Adapter | null): string[] | null {
  return module.plainState ? stateIndexes(module, adapter).map(globalExport) : null;
}

function stateIndexes({ numberGlobals }: DecodedModule, adapter: Adapter | null): number[] {
  return adapter === null ? numberGlobals : [...numberGlobals, adapter.pagesGlobal, adapter.pagesGlobal + 1];
}

function exportSection(module: DecodedModule, functions: number, adapter: Adapter | null): ByteWriter {
  const exports: [string, number, number][] = [['memory', 2, 0]];
  if (adapter === null) for (const [name, index] of module.exports) exports.push([name, 0, index]);
  else exports.push([HostExport.control, 0, adapter.first - 1]);
  adapter?.functions.forEach(({ name }, i) => {
    if (name !== null) exports.push([name, 0, adapter.first + i]);
  });
  exports.push(
    [HostExport.message, 0, functions],
    [HostExport.refuel, 0, functions + 1],
    [HostExport.fuel, 0, functions + 2],
  );
  if (module.start !== null) exports.push([HostExport.start, 0, module.start]);
  if (module.plainState)
    for (const index of stateIndexes(module, adapter)) exports.push([globalExport(index), 3, index]);
  const body = new ByteWriter().u32(exports.length);
  for (const [name, kind, index] of exports) body.name(name).byte(kind).u32(index);
  return body;
}

function codeSection(module: DecodedModule, adapter: Adapter | null, charges: boolean): ByteWriter {
  const fuelGlobal = module.globals;
  const imported = module.importedFunctions.length;
  const host = hostFunctions(module, adapter);
  const moduleCharges = new ModuleCharges(module);
  const body = new ByteWriter(module.bytes.length * 2).u32(imported + module.bodies.length + host.length);
  for (let i = 0; i < imported; i++) body.sized(Uint8Array.of(0, Op.unreachable, Op.end));
  module.bodies.forEach((span, i) => {
    const params = module.types[typeOfFunction(module, imported + i)!].params.length;
    const metered = new ByteWriter((span.end - span.start) * 2 + 64);
    const found = { bytes: module.bytes, span, charges: moduleCharges.take(imported + i) };
    meterBody(metered, found, { fuelGlobal, params, memory: adapter?.memory ?? null, charges });
    body.sized(metered.bytes());
  });
  for (const hostFunction of host) body.sized(hostFunction.bytes());
  return body;
}

/** The host's own functions, and the adapter's behind them. */
function hostFunctions(module: DecodedModule, adapter: Adapter | null): ByteWriter[] {
  const fuelGlobal = module.globals;
  const message = adapter === null ? callOfMessage(module) : adapter.message;
  const code = [...setGlobal(fuelGlobal, get(0))];
  // Words 4 and 5, then 6 and 7.
  for (const word of [ControlWord.outboxLength, ControlWord.fuelLeft])
    code.push(...storeLong(get(1), i64(0n), word * 4));
  code.push(...message.code);
  code.push(...store(adapter?.control ?? get(1), getGlobal(fuelGlobal), ControlWord.fuelLeft * 4));
  const refuel = new ByteWriter().u32(0).byte(Op.localGet).u32(0).byte(Op.globalSet).u32(fuelGlobal).byte(Op.end);
  const fuel = new ByteWriter().u32(0).byte(Op.globalGet).u32(fuelGlobal).byte(Op.end);
  const first = bodyOf({ locals: message.locals, code });
  if (adapter === null) return [first, refuel, fuel];
  const control = new ByteWriter().u32(0).raw(adapter.control).byte(Op.end);
  return [first, refuel, fuel, control, ...adapter.functions.map(bodyOf)];
}

function callOfMessage(module: DecodedModule): Adapter['message'] {
  const operands = MESSAGE_PARAMS.map((_, i) => get(i + 2));
  return { locals: [], code: call(module.exports.get('weir_message')!, ...operands) };
}

function bodyOf({ locals, code }: Adapter['message']): ByteWriter {
  const body = new ByteWriter().u32(locals.length);
  for (const type of locals) body.u32(1).byte(type);
  return body.raw(code).byte(Op.end);
}
