import { type ByteReader, malformed } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import type { CoreEntries } from './core-parts.js';
import { Misc, Op, skipImmediates } from './opcodes.js';
import { EMPTY_BLOCK, isValueType, ValueType } from './value-types.js';

/** What each of a module's own indexes is in the module that several become. */
export interface Relocation {
  /** What is added to the indexes of what cannot be imported. */
  readonly types: number;
  readonly elements: number;
  readonly data: number;
  readonly functions: readonly number[];
  readonly tables: readonly number[];
  readonly globals: readonly number[];
}

type Space = keyof Relocation;

/** Instructions whose immediates are indexes, in their order. What is not here is copied. */
const INDEXES = new Map<number, readonly Space[]>([
  [Op.call, ['functions']],
  [Op.returnCall, ['functions']],
  [Op.refFunc, ['functions']],
  [Op.callIndirect, ['types', 'tables']],
  [Op.returnCallIndirect, ['types', 'tables']],
  [Op.globalGet, ['globals']],
  [Op.globalSet, ['globals']],
  [Op.tableGet, ['tables']],
  [Op.tableSet, ['tables']],
]);
const MISC_INDEXES = new Map<number, readonly Space[]>([
  [Misc.memoryInit, ['data']],
  [Misc.dataDrop, ['data']],
  [Misc.tableInit, ['elements', 'tables']],
  [Misc.elemDrop, ['elements']],
  [Misc.tableCopy, ['tables', 'tables']],
  [Misc.tableGrow, ['tables']],
  [Misc.tableSize, ['tables']],
  [Misc.tableFill, ['tables']],
]);

/** The index in the whole; an unknown one stays wrong, and is found by validation. */
function relocated(relocation: Relocation, space: Space, index: number): number {
  const where = relocation[space];
  return typeof where === 'number' ? where + index : (where[index] ?? 0xffffffff);
}

/** Copies instructions up to the reader's end, with the indexes of the whole in place of the module's own. */
export function relocateCode(writer: ByteWriter, reader: ByteReader, relocation: Relocation): void {
  let copied = reader.at;
  while (!reader.done) {
    const op = reader.byte();
    let at = reader.at;
    const sub = skipImmediates(reader, op, 'a core module');
    const next = reader.at;
    const isBlock = op === Op.block || op === Op.loop || op === Op.if;
    if (isBlock && !hasTypeIndex(reader.bytes[at])) continue;
    const spaces = isBlock ? TYPE_OF_BLOCK : op === Op.prefixMisc ? MISC_INDEXES.get(sub) : INDEXES.get(op);
    if (spaces === undefined) continue;
    reader.at = at;
    if (op === Op.prefixMisc) reader.u32();
    at = reader.at;
    writer.raw(reader.bytes.subarray(copied, at));
    for (const space of spaces) {
      const index = relocated(relocation, space, reader.u32());
      // A block's type is a signed number, since the negative ones are value types.
      if (isBlock) writer.i32(index);
      else writer.u32(index);
    }
    copied = reader.at;
    reader.at = next;
  }
  writer.raw(reader.bytes.subarray(copied, reader.end));
}

const TYPE_OF_BLOCK: readonly Space[] = ['types'];

function hasTypeIndex(first: number): boolean {
  return first !== EMPTY_BLOCK && !isValueType(first);
}

interface ElementContext {
  readonly relocation: Relocation;
  readonly entries: CoreEntries;
  /** Writes a constant expression. */
  constant(reader: ByteReader): void;
}

/** Writes one element segment. Of eight forms six are left: all that are active name their table. */
export function relocateElements(writer: ByteWriter, reader: ByteReader, context: ElementContext): void {
  const { relocation, entries, constant } = context;
  const flags = reader.u32();
  if (flags > 7) throw malformed(`has an element segment with the flags ${flags}`);
  const isActive = (flags & 1) === 0;
  const hasTable = (flags & 2) !== 0;
  const asExpressions = (flags & 4) !== 0;
  writer.u32(isActive ? flags | 2 : flags);
  if (isActive) {
    writer.u32(relocated(relocation, 'tables', hasTable ? reader.u32() : 0));
    constant(reader);
  }
  // What is in it: where no table is named either, functions.
  if ((flags & 3) !== 0) writer.byte(reader.byte());
  else writer.byte(asExpressions ? ValueType.funcref : 0);
  const count = reader.u32();
  entries.take(count);
  writer.u32(count);
  for (let i = 0; i < count; i++) {
    if (asExpressions) constant(reader);
    else writer.u32(relocated(relocation, 'functions', reader.u32()));
  }
}

/** Writes one data segment. */
export function copyData(writer: ByteWriter, reader: ByteReader, constant: (reader: ByteReader) => void): void {
  const flags = reader.u32();
  // There is one memory, whatever it was called.
  if (flags > 2 || (flags === 2 && reader.u32() !== 0)) throw malformed(`has a data segment with the flags ${flags}`);
  const isActive = flags !== 1;
  writer.u32(isActive ? 0 : 1);
  if (isActive) constant(reader);
  const bytes = reader.u32();
  const start = reader.at;
  reader.skip(bytes);
  writer.sized(reader.bytes.subarray(start, reader.at));
}
