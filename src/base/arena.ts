import { WORD_SLACK_BYTES } from './bytes.js';

/**
 * Memory in which bytes are moved by one WebAssembly instruction: from JavaScript that is the fastest copy there is, since it
 * makes no view (9 ns against 30 ns at 128 bytes, bench/micro/copy.ts). The network's read buffer and most outbound slabs lie here.
 *
 * ```text
 * (module (memory (export "m") 512 512)
 *   (func (export "c") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2))))
 * ```
 *
 * Pages that nobody touches cost no memory.
 */
const MODULE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version
  ...[0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00], // type: (i32, i32, i32) -> ()
  ...[0x03, 0x02, 0x01, 0x00], // function
  ...[0x05, 0x06, 0x01, 0x01, 0x80, 0x04, 0x80, 0x04], // memory: 512 pages, no more
  ...[0x07, 0x09, 0x02, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x63, 0x00, 0x00], // exports "m", "c"
  ...[0x0a, 0x0e, 0x01, 0x0c, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfc, 0x0a, 0x00, 0x00, 0x0b], // code
);
const ALIGN_BYTES = 64;

const { m, c } = new WebAssembly.Instance(new WebAssembly.Module(MODULE)).exports;
const memory = (m as WebAssembly.Memory).buffer;
/** For other modules that move bytes. */
export const arenaMemory = m as WebAssembly.Memory;
let used = 0;

/** Copies `length` bytes within the arena; both are offsets in it. */
export const copyInArena = c as (target: number, source: number, length: number) => void;

/** Takes bytes that are never given back, or null when the arena is used up. */
export function takeFromArena(length: number): Uint8Array | null {
  if (used + length > memory.byteLength) return null;
  const bytes = new Uint8Array(memory, used, length);
  used += Math.ceil(length / ALIGN_BYTES) * ALIGN_BYTES;
  return bytes;
}

/** As much as a socket is read at once, and what lies before it. */
const LOAN_BYTES = 2056 * 1024;
const LOANS_MAX = 6;
const loans: Uint8Array[] = [];
let loansMade = 0;

/** Takes a block with room for `length` bytes, for a short while; null when there is none. It has room for copies by words behind them. */
export function borrowFromArena(length: number): Uint8Array | null {
  if (length + WORD_SLACK_BYTES > LOAN_BYTES) return null;
  const loan = loans.pop();
  if (loan !== undefined || loansMade === LOANS_MAX) return loan ?? null;
  loansMade++;
  return takeFromArena(LOAN_BYTES);
}

/** Gives a block back. */
export function returnToArena(loan: Uint8Array): void {
  loans.push(loan);
}

/** The offset of `bytes` in the arena, or -1. */
export function arenaOffset(bytes: Uint8Array): number {
  return bytes.buffer === memory ? bytes.byteOffset : -1;
}
