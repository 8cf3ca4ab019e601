import { Failure } from '../base/failure.js';
import type { ByteReader } from './byte-reader.js';

/** Value types by their code. */
export const ValueType = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
  funcref: 0x70,
  externref: 0x6f,
} as const;

const NAMES = new Map<number, string>(Object.entries(ValueType).map(([name, code]) => [code, name]));

/** The block type of a block without parameters and results. */
export const EMPTY_BLOCK = 0x40;

/**
 * Reads one value type. Newer engines know types of several bytes: taken for a single byte, the decoder would read what follows out of step
 * with the engine, so everything that is not listed is refused.
 */
export function readValueType(reader: ByteReader, where: string): number {
  const at = reader.at;
  const code = reader.byte();
  if (!NAMES.has(code)) throw refusedType(code, where, at);
  return code;
}

/** Reads a reference type: `funcref` or `externref`. */
export function readReferenceType(reader: ByteReader, where: string): number {
  const at = reader.at;
  const code = reader.byte();
  if (code !== ValueType.funcref && code !== ValueType.externref) throw refusedType(code, where, at);
  return code;
}

/** Reads a block type: empty, one value type, or the index of a function type. */
export function readBlockType(reader: ByteReader, where: string): void {
  const at = reader.at;
  const first = reader.bytes[at];
  if (first === EMPTY_BLOCK || NAMES.has(first)) {
    reader.byte();
    return;
  }
  // A type index is a signed LEB128 that is not negative; every negative one is a type that is not listed.
  reader.skipLeb(5);
  if ((reader.bytes[reader.at - 1] & 0x40) !== 0) throw refusedType(first, where, at);
}

export function isValueType(code: number): boolean {
  return NAMES.has(code);
}

/** Whether JavaScript has values of the type. */
export function isNumberType(code: number): boolean {
  return code <= ValueType.i32 && code >= ValueType.f64;
}

export function typeName(code: number): string {
  return NAMES.get(code) ?? `0x${code.toString(16)}`;
}

function refusedType(code: number, where: string, at: number): Failure {
  return new Failure(
    'module-type',
    `${where} uses the type 0x${code.toString(16)} at byte ${at}; allowed are ${[...NAMES.values()].join(', ')}`,
  );
}
