import { Failure } from '../base/failure.js';
import type { ByteReader } from './byte-reader.js';
import { Op, skipImmediates } from './opcodes.js';

const CONSTANTS: ReadonlySet<number> = new Set([
  Op.i32Const,
  Op.i64Const,
  Op.f32Const,
  Op.f64Const,
  Op.globalGet,
  Op.refNull,
  Op.refFunc,
  Op.prefixSimd,
]);

/** Skips a constant expression: the value a global, an offset or an entry begins with. */
export function skipConstant(reader: ByteReader, where: string): void {
  for (;;) {
    const at = reader.at;
    const op = reader.byte();
    if (op === Op.end) return;
    if (!CONSTANTS.has(op)) {
      throw new Failure(
        'module-constant',
        `${where} is computed by the instruction 0x${op.toString(16)} at byte ${at}; only constants are allowed`,
      );
    }
    skipImmediates(reader, op, where);
  }
}
