import { ControlWord } from './abi.js';
import { ByteWriter } from './byte-writer.js';
import { type DecodedModule, typeOfFunction } from './decoded-module.js';
import { MODULE_LIMITS } from './limits.js';
import { meterBody } from './meter.js';
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
  /** The module's start function, run by the host under its budget. */
  start: '$weir:start',
} as const;

/** The name of a global of the guest's that is part of its state. */
export function globalExport(index: number): string {
  return `$weir:global:${index}`;
}

/** The one import of a module that was rewritten. */
export const HOST_MEMORY = { module: '$weir', name: 'memory' } as const;

/** What 32 bits can address. */
export const PAGES_MAX = 65536;

const I32 = 0x7f;
const F64 = 0x7c;
const MESSAGE_PARAMS = [I32, I32, I32, I32, I32, I32, I32, I32, F64, I32];

/**
 * Writes the module again with a fuel global that the guest cannot name (its index lies behind the last one), charges in every body,
 * `env.abort` as a function that traps, tables capped, and no custom sections. Its memory is an import, so that the host
 * makes it as large as the attachment's budget allows. Nothing runs when it is instantiated: the start function becomes an export.
 */
export function rewriteModule(module: DecodedModule): Uint8Array {
  const writer = new ByteWriter(module.bytes.length + (module.bytes.length >> 1) + 1024);
  writer.raw([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const functions = module.importedFunctions.length + module.functions.length;
  const types = module.types.length;
  writer.section(1, typeSection(module));
  writer.section(2, importSection(module));
  writer.section(3, functionSection(module, types));
  if (module.tables.length > 0) writer.section(4, tableSection(module));
  writer.section(6, globalSection(module));
  writer.section(7, exportSection(module, functions));
  copySection(writer, module, 9);
  copySection(writer, module, 12);
  writer.section(10, codeSection(module));
  copySection(writer, module, 11);
  return writer.bytes();
}

function copySection(writer: ByteWriter, module: DecodedModule, id: number): void {
  const span = module.sections.get(id);
  if (span !== undefined) writer.byte(id).sized(module.bytes.subarray(span.start, span.end));
}

function typeSection(module: DecodedModule): ByteWriter {
  const body = new ByteWriter().u32(module.types.length + 3);
  const write = (params: ArrayLike<number>, results: ArrayLike<number>) => {
    body.byte(0x60).u32(params.length).raw(params).u32(results.length).raw(results);
  };
  for (const type of module.types) write(type.params, type.results);
  write([I32, I32, ...MESSAGE_PARAMS], [I32]);
  write([I32], []);
  write([], [I32]);
  return body;
}

function functionSection(module: DecodedModule, types: number): ByteWriter {
  const all = [...module.importedFunctions, ...module.functions, types, types + 1, types + 2];
  const body = new ByteWriter().u32(all.length);
  for (const type of all) body.u32(type);
  return body;
}

function tableSection(module: DecodedModule): ByteWriter {
  const body = new ByteWriter().u32(module.tables.length);
  for (const { element, limits } of module.tables) {
    const max = Math.min(limits.max ?? MODULE_LIMITS.tableEntries, MODULE_LIMITS.tableEntries);
    body.byte(element).byte(1).u32(limits.min).u32(max);
  }
  return body;
}

function importSection({ memory }: DecodedModule): ByteWriter {
  const body = new ByteWriter().u32(1).name(HOST_MEMORY.module).name(HOST_MEMORY.name).byte(2);
  return body
    .byte(1)
    .u32(memory.min)
    .u32(memory.max ?? PAGES_MAX);
}

function globalSection(module: DecodedModule): ByteWriter {
  const body = new ByteWriter().u32(module.globals + 1);
  const span = module.sections.get(6);
  if (span !== undefined) {
    // Behind the count, which was read before.
    let at = span.start;
    while (module.bytes[at] & 0x80) at++;
    body.raw(module.bytes.subarray(at + 1, span.end));
  }
  return body.byte(I32).byte(1).byte(Op.i32Const).i32(0).byte(Op.end);
}

function exportSection(module: DecodedModule, functions: number): ByteWriter {
  const exports: [string, number, number][] = [['memory', 2, 0]];
  for (const [name, index] of module.exports) exports.push([name, 0, index]);
  exports.push(
    [HostExport.message, 0, functions],
    [HostExport.refuel, 0, functions + 1],
    [HostExport.fuel, 0, functions + 2],
  );
  if (module.start !== null) exports.push([HostExport.start, 0, module.start]);
  if (module.plainState) for (const index of module.numberGlobals) exports.push([globalExport(index), 3, index]);
  const body = new ByteWriter().u32(exports.length);
  for (const [name, kind, index] of exports) body.name(name).byte(kind).u32(index);
  return body;
}

function codeSection(module: DecodedModule): ByteWriter {
  const fuelGlobal = module.globals;
  const imported = module.importedFunctions.length;
  const body = new ByteWriter(module.bytes.length * 2).u32(imported + module.bodies.length + 3);
  for (let i = 0; i < imported; i++) body.sized(Uint8Array.of(0, Op.unreachable, Op.end));
  module.bodies.forEach((span, i) => {
    const params = module.types[typeOfFunction(module, imported + i)!].params.length;
    const metered = new ByteWriter((span.end - span.start) * 2 + 64);
    meterBody(metered, module.bytes, span, { fuelGlobal, params });
    body.sized(metered.bytes());
  });
  for (const hostFunction of hostFunctions(module, fuelGlobal)) body.sized(hostFunction.bytes());
  return body;
}

function hostFunctions(module: DecodedModule, fuelGlobal: number): ByteWriter[] {
  const message = new ByteWriter().u32(0).byte(Op.localGet).u32(0).byte(Op.globalSet).u32(fuelGlobal);
  // Words 4 and 5, then 6 and 7.
  for (const offset of [ControlWord.outboxLength * 4, ControlWord.fuelLeft * 4]) {
    message.byte(Op.localGet).u32(1).byte(Op.i64Const).i32(0).byte(Op.i64Store).u32(0).u32(offset);
  }
  MESSAGE_PARAMS.forEach((_, i) => {
    message.byte(Op.localGet).u32(i + 2);
  });
  message.byte(Op.call).u32(module.exports.get('weir_message')!);
  message.byte(Op.localGet).u32(1).byte(Op.globalGet).u32(fuelGlobal);
  message
    .byte(Op.i32Store)
    .u32(2)
    .u32(ControlWord.fuelLeft * 4)
    .byte(Op.end);
  const refuel = new ByteWriter().u32(0).byte(Op.localGet).u32(0).byte(Op.globalSet).u32(fuelGlobal).byte(Op.end);
  const fuel = new ByteWriter().u32(0).byte(Op.globalGet).u32(fuelGlobal).byte(Op.end);
  return [message, refuel, fuel];
}
