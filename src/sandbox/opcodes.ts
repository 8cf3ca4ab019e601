import { Failure } from '../base/failure.js';
import type { ByteReader } from './byte-reader.js';
import { readBlockType, readReferenceType, readValueType } from './value-types.js';

/** Instructions that the decoder and the rewriter look at. */
export const Op = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  tableGet: 0x25,
  tableSet: 0x26,
  i32Store: 0x36,
  i64Store: 0x37,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  i32LtS: 0x48,
  i32Sub: 0x6b,
  i32And: 0x71,
  i32Shl: 0x74,
  i32ShrU: 0x76,
  refNull: 0xd0,
  refFunc: 0xd2,
  prefixMisc: 0xfc,
  prefixSimd: 0xfd,
} as const;

/** Instructions behind the prefix 0xfc that are looked at. */
export const Misc = {
  memoryInit: 8,
  dataDrop: 9,
  memoryCopy: 10,
  memoryFill: 11,
  tableInit: 12,
  elemDrop: 13,
  tableCopy: 14,
  tableGrow: 15,
  tableSize: 16,
  tableFill: 17,
} as const;

type Immediate =
  | 'none'
  | 'u32'
  | 'u32u32'
  | 'memarg'
  | 'memory'
  | 'segment memory'
  | 'memory memory'
  | 's32'
  | 's64'
  | 'f32'
  | 'f64'
  | 'block'
  | 'labels'
  | 'types'
  | 'reference';

/** The allow-list: what is not here is refused. WebAssembly 2.0 without threads, exceptions, GC and 64-bit memories. */
const IMMEDIATES: (Immediate | undefined)[] = new Array(256);
function allow(from: number, to: number, immediate: Immediate): void {
  for (let op = from; op <= to; op++) IMMEDIATES[op] = immediate;
}
allow(0x00, 0x01, 'none');
allow(0x02, 0x04, 'block');
allow(0x05, 0x05, 'none');
allow(0x0b, 0x0b, 'none');
allow(0x0c, 0x0d, 'u32');
allow(0x0e, 0x0e, 'labels');
allow(0x0f, 0x0f, 'none');
allow(0x10, 0x10, 'u32');
allow(0x11, 0x11, 'u32u32');
allow(0x12, 0x12, 'u32');
allow(0x13, 0x13, 'u32u32');
allow(0x1a, 0x1b, 'none');
allow(0x1c, 0x1c, 'types');
allow(0x20, 0x26, 'u32');
allow(0x28, 0x3e, 'memarg');
allow(0x3f, 0x40, 'memory');
allow(0x41, 0x41, 's32');
allow(0x42, 0x42, 's64');
allow(0x43, 0x43, 'f32');
allow(0x44, 0x44, 'f64');
allow(0x45, 0xc4, 'none');
allow(0xd0, 0xd0, 'reference');
allow(0xd1, 0xd1, 'none');
allow(0xd2, 0xd2, 'u32');

/** Behind 0xfc: 0 to 7 are saturating truncations, the rest bulk memory and tables. */
const MISC_IMMEDIATES: Immediate[] = [
  ...new Array<Immediate>(8).fill('none'),
  'segment memory', // memory.init
  'u32', // data.drop
  'memory memory', // memory.copy
  'memory', // memory.fill
  'u32u32', // table.init
  'u32', // elem.drop
  'u32u32', // table.copy
  'u32', // table.grow
  'u32', // table.size
  'u32', // table.fill
];
/** The last instruction of fixed-width SIMD; relaxed SIMD lies behind it. */
const SIMD_LAST = 0xff;

/** Skips the immediates of the instruction whose opcode was just read. Returns the sub-opcode of prefixed ones, else -1. */
export function skipImmediates(reader: ByteReader, op: number, where: string): number {
  if (op === Op.prefixMisc) {
    const sub = reader.u32();
    const immediate = MISC_IMMEDIATES[sub];
    if (immediate === undefined) throw refusedInstruction(`0xfc ${sub}`, where, reader.at);
    skipImmediate(reader, immediate, where);
    return sub;
  }
  if (op === Op.prefixSimd) {
    const sub = reader.u32();
    if (sub > SIMD_LAST) throw refusedInstruction(`0xfd ${sub} (relaxed SIMD)`, where, reader.at);
    skipSimd(reader, sub, where);
    return sub;
  }
  const immediate = IMMEDIATES[op];
  if (immediate === undefined) throw refusedInstruction(nameOf(op), where, reader.at);
  skipImmediate(reader, immediate, where);
  return -1;
}

function skipSimd(reader: ByteReader, sub: number, where: string): void {
  if (sub <= 11 || sub === 92 || sub === 93) skipImmediate(reader, 'memarg', where);
  else if (sub === 12 || sub === 13) reader.skip(16);
  else if (sub >= 21 && sub <= 34) reader.byte();
  else if (sub >= 84 && sub <= 91) {
    skipImmediate(reader, 'memarg', where);
    reader.byte();
  }
}

function skipImmediate(reader: ByteReader, immediate: Immediate, where: string): void {
  switch (immediate) {
    case 'none':
      return;
    case 'u32':
      reader.u32();
      return;
    case 'u32u32':
      reader.u32();
      reader.u32();
      return;
    case 'memarg':
      // Bit 6 of the alignment announces a memory index, which would put this reader out of step with the engine.
      if (reader.u32() >= 64) throw refusedInstruction('with a memory index', where, reader.at);
      reader.u32();
      return;
    case 'segment memory':
      reader.u32();
      skipMemoryIndex(reader, where);
      return;
    case 'memory memory':
      skipMemoryIndex(reader, where);
      skipMemoryIndex(reader, where);
      return;
    case 'memory':
      skipMemoryIndex(reader, where);
      return;
    case 's32':
      reader.skipLeb(5);
      return;
    case 's64':
      reader.skipLeb(10);
      return;
    case 'f32':
      reader.skip(4);
      return;
    case 'f64':
      reader.skip(8);
      return;
    case 'block':
      readBlockType(reader, where);
      return;
    case 'labels':
      for (let count = reader.u32() + 1; count > 0; count--) reader.u32();
      return;
    case 'types':
      for (let count = reader.u32(); count > 0; count--) readValueType(reader, where);
      return;
    case 'reference':
      readReferenceType(reader, where);
      return;
  }
}

function skipMemoryIndex(reader: ByteReader, where: string): void {
  if (reader.u32() !== 0) throw refusedInstruction('with a memory index', where, reader.at);
}

function nameOf(op: number): string {
  const hex = `0x${op.toString(16).padStart(2, '0')}`;
  if (op === 0xfe) return `${hex} (threads and atomics)`;
  if (op === 0xfb) return `${hex} (garbage collection)`;
  if ([0x06, 0x07, 0x08, 0x09, 0x18, 0x19, 0x1f, 0x0a].includes(op)) return `${hex} (exceptions)`;
  return hex;
}

function refusedInstruction(name: string, where: string, at: number): Failure {
  return new Failure(
    'module-instruction',
    `${where} uses the instruction ${name} before byte ${at}; allowed is WebAssembly 2.0 with SIMD and tail calls, without threads, exceptions, garbage collection, 64-bit or several memories`,
  );
}
