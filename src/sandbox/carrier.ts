import { arenaMemory } from '../base/arena.js';
import { ByteWriter } from './byte-writer.js';
import {
  add,
  type Code,
  call,
  differ,
  get,
  i32,
  least,
  loadWide,
  repeat,
  set,
  storeWide,
  subtract,
} from './expressions.js';
import { Op } from './opcodes.js';
import { ValueType } from './value-types.js';

/**
 * `(fuel, control, inbox, source, bytes, subjectBytes, reply, replyBytes, headers, payload, timestampMs) -> verdict`: copies a frame's bytes from
 * `source` in the arena to the inbox, and calls the guest. Reply, headers and payload begin so many bytes behind the frame's start.
 */
export type Carry = (
  fuel: number,
  control: number,
  inbox: number,
  source: number,
  bytes: number,
  subjectBytes: number,
  reply: number,
  replyBytes: number,
  headers: number,
  payload: number,
  timestampMs: number,
) => number;

/** Frames that it carries. The engine's own copy is faster for larger ones (bench/micro/sandbox.ts). */
export const CARRIED_BYTES_MIN = 16;
export const CARRIED_BYTES_MAX = 512;

/** Bytes at once: six registers of sixteen. */
const WIDE = 16;
const REGISTERS = 6;
const CHUNK = REGISTERS * WIDE;

const { i32: I32, f64: F64, v128: V128 } = ValueType;
const CARRY_PARAMS = [...new Array(10).fill(I32), F64];
const MESSAGE_PARAMS = [...new Array(10).fill(I32), F64, I32];
const PUT_PARAMS = [I32, I32, ...new Array(REGISTERS).fill(V128)];

/** What its modules are called, in stack traces too. */
export const CARRIER_NAME = 'weir-carrier';

/**
 * A function that brings frames from the arena to a guest and calls it, in one crossing; null where the engine has no SIMD. A module has one memory, so
 * there are two: one reads the arena, and hands sixteen bytes at a time in registers to one that writes the guest's memory.
 *
 * ```text
 * carry ──► load × 6 from the arena ──► put: store × 6 to the guest's memory ──► … ──► the guest's message function
 * ```
 */
export function carrierTo(memory: WebAssembly.Memory, message: unknown): Carry | null {
  modules ??= WebAssembly.validate(putModule()) ? [putModule(), carryModule()].map(compiled) : [];
  if (modules.length === 0) return null;
  const { put } = new WebAssembly.Instance(modules[0], { weir: { memory } }).exports;
  const imports = { weir: { memory: arenaMemory, put, message: message as WebAssembly.ExportValue } };
  return new WebAssembly.Instance(modules[1], imports).exports.carry as Carry;
}

/** Both, or none. */
let modules: WebAssembly.Module[] | null = null;

function compiled(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  return new WebAssembly.Module(bytes);
}

/** `(to, last, …registers)`: stores them at `to`, `to + 16` and so on; none of them further behind `to` than `last`. */
function putModule(): Uint8Array<ArrayBuffer> {
  const stores = registers((i) => storeWide(add(get(0), placeOf(i, get(1))), get(2 + i)));
  return moduleOf({
    types: [{ params: PUT_PARAMS, results: [] }],
    imports: [importedMemory()],
    name: 'put',
    locals: 0,
    code: stores,
  });
}

/** The last of the bytes is where the last chunk ends: chunks, and what of them is at work, overlap before it rather than go beyond it. */
function carryModule(): Uint8Array<ArrayBuffer> {
  const [fuel, control, inbox, source, bytes, subjectBytes, reply, replyBytes, headers, payload, timestampMs] =
    CARRY_PARAMS.map((_, i) => get(i));
  const [last, end, at, before] = [11, 12, 13, 14];
  const loads = registers((i) => loadWide(add(add(source, get(at)), placeOf(i, get(last)))));
  const copy = [
    ...set(last, subtract(least(bytes, i32(CHUNK)), i32(WIDE))),
    ...set(end, subtract(subtract(bytes, get(last)), i32(WIDE))),
    ...repeat(
      [
        ...call(0, add(inbox, get(at)), get(last), loads),
        ...set(before, get(at)),
        ...set(at, least(add(get(at), i32(CHUNK)), get(end))),
      ],
      differ(get(before), get(at)),
    ),
  ];
  const parts = [add(inbox, reply), replyBytes, add(inbox, headers), subtract(payload, headers)];
  const rest = [add(inbox, payload), subtract(bytes, payload), timestampMs, i32(0)];
  return moduleOf({
    types: [
      { params: CARRY_PARAMS, results: [I32] },
      { params: PUT_PARAMS, results: [] },
      { params: MESSAGE_PARAMS, results: [I32] },
    ],
    imports: [importedMemory(), imported('put', 1), imported('message', 2)],
    name: 'carry',
    locals: 4,
    code: [...copy, ...call(1, fuel, control, inbox, subjectBytes, ...parts, ...rest)],
  });
}

function registers(code: (register: number) => Code): Code {
  return Array.from({ length: REGISTERS }, (_, i) => code(i)).flat();
}

/** Where a register's bytes belong, behind the chunk's start. */
function placeOf(register: number, last: Code): Code {
  return least(i32(register * WIDE), last);
}

function importedMemory(): ByteWriter {
  return new ByteWriter().name('weir').name('memory').byte(2).byte(0).u32(0);
}

function imported(name: string, type: number): ByteWriter {
  return new ByteWriter().name('weir').name(name).byte(0).u32(type);
}

interface ModuleParts {
  types: { params: number[]; results: number[] }[];
  imports: ByteWriter[];
  /** Of the one function, which is of the first type, and of its locals, all of them i32. */
  name: string;
  locals: number;
  code: Code;
}

function moduleOf({ types, imports, name, locals, code }: ModuleParts): Uint8Array<ArrayBuffer> {
  const typeSection = new ByteWriter().u32(types.length);
  for (const { params, results } of types)
    typeSection.byte(0x60).u32(params.length).raw(params).u32(results.length).raw(results);
  const importSection = new ByteWriter().u32(imports.length);
  for (const each of imports) importSection.raw(each.bytes());
  const body = new ByteWriter().u32(1).u32(locals).byte(I32).raw(code).byte(Op.end);
  const named = new ByteWriter().name('name').section(0, new ByteWriter().name(CARRIER_NAME));
  return new ByteWriter()
    .raw([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
    .section(1, typeSection)
    .section(2, importSection)
    .section(3, new ByteWriter().u32(1).u32(0))
    .section(
      7,
      new ByteWriter()
        .u32(1)
        .name(name)
        .byte(0)
        .u32(imports.length - 1),
    )
    .section(10, new ByteWriter().u32(1).sized(body.bytes()))
    .section(0, named)
    .bytes()
    .slice() as Uint8Array<ArrayBuffer>;
}
