import { Op } from './opcodes.js';

/**
 * How many values more an instruction leaves on the stack than it found. Calls, blocks and what ends a block depend on types: their
 * own part is here (the condition, the index), the rest is the reader's.
 */
const PLAIN = table([
  [0x04, 0x04, -1], // if
  [0x0d, 0x0e, -1], // br_if, br_table
  [0x11, 0x11, -1], // call_indirect
  [0x13, 0x13, -1], // return_call_indirect
  [0x1a, 0x1a, -1], // drop
  [0x1b, 0x1c, -2], // select
  [0x20, 0x20, 1], // local.get
  [0x21, 0x21, -1], // local.set
  [0x23, 0x23, 1], // global.get
  [0x24, 0x24, -1], // global.set
  [0x26, 0x26, -2], // table.set
  [0x36, 0x3e, -2], // stores
  [0x3f, 0x3f, 1], // memory.size
  [0x41, 0x44, 1], // constants
  [0x46, 0x4f, -1], // i32 comparisons
  [0x51, 0x66, -1], // i64, f32, f64 comparisons
  [0x6a, 0x78, -1], // i32 arithmetic
  [0x7c, 0x8a, -1], // i64 arithmetic
  [0x92, 0x98, -1], // f32 arithmetic
  [0xa0, 0xa6, -1], // f64 arithmetic
  [0xd0, 0xd0, 1], // ref.null
  [0xd2, 0xd2, 1], // ref.func
]);

/** Behind 0xfc. */
const MISC = table([
  [8, 8, -3], // memory.init
  [10, 12, -3], // memory.copy, memory.fill, table.init
  [14, 14, -3], // table.copy
  [15, 15, -1], // table.grow
  [16, 16, 1], // table.size
  [17, 17, -3], // table.fill
]);

/** Behind 0xfd. */
const SIMD = table([
  [11, 11, -2], // v128.store
  [12, 12, 1], // v128.const
  [13, 14, -1], // shuffle, swizzle
  [23, 23, -1], // replace_lane, one of each shape
  [26, 26, -1],
  [28, 28, -1],
  [30, 30, -1],
  [32, 32, -1],
  [34, 34, -1],
  [35, 76, -1], // comparisons
  [78, 81, -1], // and, andnot, or, xor
  [82, 82, -2], // bitselect
  [84, 87, -1], // load lane
  [88, 91, -2], // store lane
  [101, 102, -1], // i8x16: narrow
  [107, 115, -1], // shifts, add, sub
  [118, 121, -1], // min, max
  [123, 123, -1], // avgr
  [130, 130, -1], // i16x8: q15mulr
  [133, 134, -1], // narrow
  [139, 147, -1], // shifts, add, sub
  [149, 159, -1], // mul, min, max, avgr, extmul
  [171, 191, -1], // i32x4: shifts to extmul
  [203, 223, -1], // i64x2: shifts to extmul
  [228, 235, -1], // f32x4: add to pmax
  [240, 247, -1], // f64x2: add to pmax
]);

function table(ranges: readonly (readonly [from: number, to: number, effect: number])[]): Int8Array {
  const effects = new Int8Array(256);
  for (const [from, to, effect] of ranges) effects.fill(effect, from, to + 1);
  return effects;
}

/** Of one instruction; `sub` is its sub-opcode behind a prefix. */
export function stackEffect(op: number, sub: number): number {
  if (op === Op.prefixMisc) return MISC[sub];
  if (op === Op.prefixSimd) return SIMD[sub];
  return PLAIN[op];
}
