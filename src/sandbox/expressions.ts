import { ByteWriter } from './byte-writer.js';
import { Misc, Op } from './opcodes.js';
import { EMPTY_BLOCK, ValueType } from './value-types.js';

/** Instructions. Those below are nested as in the text format: `add(get(0), i32(8))`. */
export type Code = readonly number[];

/** The offset of a load or store, or an index. */
function unsigned(value: number): Uint8Array {
  return new ByteWriter(5).u32(value).bytes();
}

/** An instruction on two operands. */
function binary(op: number): (left: Code, right: Code) => Code {
  return (left, right) => [...left, ...right, op];
}

/** Alignment is left open: guests put things where they like. */
function loading(op: number): (at: Code, offset?: number) => Code {
  return (at, offset = 0) => [...at, op, 0, ...unsigned(offset)];
}

function storing(op: number): (at: Code, value: Code, offset?: number) => Code {
  return (at, value, offset = 0) => [...at, ...value, op, 0, ...unsigned(offset)];
}

export const add = binary(0x6a);
export const subtract = binary(Op.i32Sub);
export const and = binary(Op.i32And);
export const or = binary(0x72);
export const shiftLeft = binary(Op.i32Shl);
export const shiftRight = binary(Op.i32ShrU);
export const equal = binary(0x46);
export const differ = binary(0x47);
/** Comparisons of numbers without a sign, but for `negative`. */
export const less = binary(0x49);
export const more = binary(0x4b);
export const addLong = binary(0x7c);
export const andLong = binary(0x83);
export const orLong = binary(0x84);
export const moreLong = binary(0x56);

export const load = loading(0x28);
export const loadLong = loading(0x29);
export const loadDouble = loading(0x2b);
export const loadByte = loading(0x2d);
export const loadShort = loading(0x2f);
export const store = storing(Op.i32Store);
export const storeLong = storing(Op.i64Store);
export const storeDouble = storing(0x39);
/** Sixteen bytes. */
export const loadWide: typeof load = (at, offset = 0) => [...at, Op.prefixSimd, 0, 0, ...unsigned(offset)];
export const storeWide: typeof store = (at, value, offset = 0) => [
  ...at,
  ...value,
  Op.prefixSimd,
  11,
  0,
  ...unsigned(offset),
];

export function i32(value: number): Code {
  return [Op.i32Const, ...new ByteWriter(5).i32(value).bytes()];
}

export function i64(value: bigint): Code {
  return [Op.i64Const, ...new ByteWriter(10).i64(BigInt.asIntN(64, value)).bytes()];
}

export function not(value: Code): Code {
  return [...value, 0x45];
}

export function negative(value: Code): Code {
  return [...value, ...i32(0), Op.i32LtS];
}

export function notLong(value: Code): Code {
  return [...value, 0x50];
}

export function long(value: Code): Code {
  return [...value, 0xad];
}

export function short(value: Code): Code {
  return [...value, 0xa7];
}

export function get(local: number): Code {
  return [Op.localGet, ...unsigned(local)];
}

export function set(local: number, value: Code): Code {
  return [...value, Op.localSet, ...unsigned(local)];
}

export function getGlobal(global: number): Code {
  return [Op.globalGet, ...unsigned(global)];
}

export function setGlobal(global: number, value: Code): Code {
  return [...value, Op.globalSet, ...unsigned(global)];
}

export function call(index: number, ...operands: Code[]): Code {
  return [...operands.flat(), Op.call, ...unsigned(index)];
}

/** Both branches leave nothing. */
export function when(condition: Code, then: Code, otherwise: Code = []): Code {
  const rest = otherwise.length === 0 ? [] : [Op.else, ...otherwise];
  return [...condition, Op.if, NOTHING, ...then, ...rest, Op.end];
}

/** One value or the other. */
export function choose(condition: Code, then: Code, otherwise: Code): Code {
  return [...condition, Op.if, ValueType.i32, ...then, Op.else, ...otherwise, Op.end];
}

/** The smaller of two numbers without a sign; both are read twice. */
export function least(one: Code, other: Code): Code {
  return [...one, ...other, ...less(one, other), Op.select];
}

/** Runs the body once, and again as long as the condition holds. */
export function repeat(body: Code, condition: Code): Code {
  return [Op.loop, NOTHING, ...body, ...condition, Op.brIf, 0, Op.end];
}

/** Runs the body as long as the condition holds, which is looked at first. */
export function whilst(condition: Code, body: Code): Code {
  return [Op.block, NOTHING, Op.loop, NOTHING, ...not(condition), Op.brIf, 1, ...body, Op.br, 0, Op.end, Op.end];
}

export function answer(value: Code = []): Code {
  return [...value, Op.return];
}

export function copy(to: Code, from: Code, bytes: Code): Code {
  return [...to, ...from, ...bytes, Op.prefixMisc, Misc.memoryCopy, 0, 0];
}

export function fill(at: Code, value: Code, bytes: Code): Code {
  return [...at, ...value, ...bytes, Op.prefixMisc, Misc.memoryFill, 0];
}

export function grow(pages: Code): Code {
  return [...pages, Op.memoryGrow, 0];
}

export const trap: Code = [Op.unreachable];

/** A block without parameters and results. */
const NOTHING = EMPTY_BLOCK;
