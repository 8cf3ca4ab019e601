import { Op } from './opcodes.js';

/**
 * Fuel of one instruction, in units of at most about 4 ns. Most cost one, however cheap they are; those that are dearer were measured in
 * dependent chains (bench/micro/sandbox.ts): a load may miss every cache and the page tables' too (20 ns), a division or a root keeps
 * what needs its result waiting, reading a function reference may have to make it.
 */
const PLAIN = table([
  [0x10, 0x10, 2], // call
  [0x11, 0x11, 4], // call_indirect
  [0x12, 0x12, 2], // return_call
  [0x13, 0x13, 4], // return_call_indirect
  [0x25, 0x25, 20], // table.get
  [0x26, 0x26, 30], // table.set
  [0x28, 0x35, 3], // loads
  [0x36, 0x3e, 2], // stores
  [0x6d, 0x70, 3], // i32 division
  [0x7f, 0x82, 3], // i64 division
  [0x91, 0x91, 4], // f32.sqrt
  [0x95, 0x95, 3], // f32.div
  [0x9f, 0x9f, 4], // f64.sqrt
  [0xa3, 0xa3, 3], // f64.div
  [0xd2, 0xd2, 10], // ref.func
]);

const SIMD = table([
  [0, 10, 3], // loads
  [11, 11, 2], // v128.store
  [84, 87, 3], // load lane
  [88, 91, 2], // store lane
  [92, 93, 3], // load and fill with zeros
  [227, 227, 4], // f32x4.sqrt
  [231, 231, 3], // f32x4.div
  [239, 239, 5], // f64x2.sqrt
  [243, 243, 3], // f64x2.div
  [248, 255, 3], // conversions
]);

function table(ranges: readonly (readonly [from: number, to: number, cost: number])[]): Uint8Array {
  const costs = new Uint8Array(256).fill(1);
  for (const [from, to, cost] of ranges) costs.fill(cost, from, to + 1);
  return costs;
}

/** `sub` is the sub-opcode behind a prefix. What depends on a length is charged besides: see `meter.ts`. */
export function costOf(op: number, sub: number): number {
  return op === Op.prefixSimd ? SIMD[sub] : PLAIN[op];
}
