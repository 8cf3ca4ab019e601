import { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { costOf } from './costs.js';
import type { Span } from './decoded-module.js';
import type { Code } from './expressions.js';
import { Misc, Op, skipImmediates } from './opcodes.js';

/**
 * Where fuel is charged in one function body.
 *
 * A function or loop is a *region*: between two passes of its header each of its instructions runs at most once, since only loops jump back. So
 * small blocks are charged together, an upper bound, at a point that each way to them leads past; large blocks are such points themselves, so that
 * a long branch that is not taken costs nothing. What stands directly in a construct is on every way to what follows within it:
 *
 * ```text
 * func ──► charge 12        entry, and the small blocks up to the loop and behind it
 *   loop ──► charge 7       each pass
 *     if … (55 instructions) ──► charge 61   only when taken, with the small blocks behind it within the `if`
 * ```
 */
interface ChargePoint {
  at: number;
  cost: number;
  /** Of which for blocks behind the first. */
  folded: number;
}

/** An instruction whose work depends on the number on top of the stack. */
interface LengthCharge {
  at: number;
  weight: LengthWeight;
}

/** Fuel for a length n: `base + ((n & mask) >>> shiftRight << shiftLeft)`. A length beyond the mask traps without doing the work. */
interface LengthWeight {
  base: number;
  mask: number;
  shiftRight: number;
  shiftLeft: number;
}

/** An instruction in place of which others stand. */
interface Substitute {
  at: number;
  /** Behind it. */
  next: number;
  with: Code;
}

/** Measured: one unit is at most about 4 ns. */
const GROW: LengthWeight = { base: 300, mask: 0x1ffff, shiftRight: 0, shiftLeft: 9 };
const MEMORY_BULK: LengthWeight = { base: 4, mask: -1, shiftRight: 3, shiftLeft: 0 };
const TABLE_FILL: LengthWeight = { base: 30, mask: 0xffff, shiftRight: 0, shiftLeft: 5 };
const TABLE_COPY: LengthWeight = { base: 30, mask: 0xffff, shiftRight: 0, shiftLeft: 7 };

const MISC_WEIGHTS: Record<number, LengthWeight> = {
  [Misc.memoryInit]: MEMORY_BULK,
  [Misc.memoryCopy]: MEMORY_BULK,
  [Misc.memoryFill]: MEMORY_BULK,
  [Misc.tableInit]: TABLE_COPY,
  [Misc.tableCopy]: TABLE_COPY,
  [Misc.tableGrow]: TABLE_FILL,
  [Misc.tableFill]: TABLE_FILL,
};

const OWN_CHARGE_FROM = 40;
const FOLDED_MAX = 120;

/** Locals that are set to zero when a function is entered, for one unit. */
const LOCALS_PER_UNIT = 16;

/** Walks one body and finds its charges. */
class BodyWalk {
  readonly points: ChargePoint[] = [];
  readonly lengths: LengthCharge[] = [];
  readonly substitutes: Substitute[] = [];
  /** Where small blocks are charged. */
  private point: ChargePoint;
  private block: ChargePoint;
  private readonly memory: MemoryCode | null;
  /** For each open construct: the point that was in force before it, which is in force again in its `else` and behind it. */
  private readonly open: ChargePoint[] = [];

  constructor(at: number, locals: number, memory: MemoryCode | null) {
    this.memory = memory;
    this.point = this.newHeader(at);
    this.point.cost += Math.floor(locals / LOCALS_PER_UNIT);
    this.block = this.point;
    this.open.push(this.point);
  }

  walk(reader: ByteReader): void {
    while (this.open.length > 0) {
      const at = reader.at;
      const op = reader.byte();
      const sub = skipImmediates(reader, op, 'a function');
      this.instruction(op, sub, at, reader.at);
    }
  }

  private instruction(op: number, sub: number, at: number, next: number): void {
    this.block.cost += costOf(op, sub);
    if (this.memory !== null && op === Op.memorySize) this.substitutes.push({ at, next, with: this.memory.size });
    if (this.memory !== null && op === Op.memoryGrow) this.substitutes.push({ at, next, with: this.memory.grow });
    if (op === Op.memoryGrow) this.lengths.push({ at, weight: GROW });
    else if (op === Op.prefixMisc && MISC_WEIGHTS[sub] !== undefined)
      this.lengths.push({ at, weight: MISC_WEIGHTS[sub] });
    switch (op) {
      case Op.block:
        this.open.push(this.point);
        return;
      case Op.loop:
        this.closeBlock();
        this.open.push(this.point);
        this.point = this.newHeader(next);
        this.block = this.point;
        return;
      case Op.end:
        this.nextBlock(next);
        this.point = this.open.pop()!;
        return;
      case Op.if:
        this.nextBlock(next);
        this.open.push(this.point);
        return;
      case Op.else:
        this.nextBlock(next);
        this.point = this.open[this.open.length - 1];
        return;
      case Op.br:
      case Op.brIf:
      case Op.brTable:
      case Op.return:
      case Op.unreachable:
      case Op.returnCall:
      case Op.returnCallIndirect:
        this.nextBlock(next);
        return;
      default:
        return;
    }
  }

  private nextBlock(at: number): void {
    this.closeBlock();
    this.block = { at, cost: 0, folded: 0 };
  }

  private closeBlock(): void {
    const { block, point } = this;
    if (block === point || block.cost === 0) return;
    if (block.cost < OWN_CHARGE_FROM && point.folded + block.cost <= FOLDED_MAX) {
      point.folded += block.cost;
      point.cost += block.cost;
      return;
    }
    this.points.push(block);
    this.point = block;
  }

  private newHeader(at: number): ChargePoint {
    const header = { at, cost: 1, folded: 0 };
    this.points.push(header);
    return header;
  }
}

/** What stands for the instructions `memory.size` and `memory.grow`. */
export interface MemoryCode {
  size: Code;
  grow: Code;
}

/** The indexes that the charging code uses. */
export interface MeterIndexes {
  fuelGlobal: number;
  /** Null where they stand for themselves. */
  memory: MemoryCode | null;
  /** Parameters of the function: its own locals follow them. */
  params: number;
  /** Whether fuel is charged at all. */
  charges: boolean;
}

/** Writes the body `span` of `bytes` again, with its charges, without its length. */
export function meterBody(writer: ByteWriter, bytes: Uint8Array, span: Span, indexes: MeterIndexes): void {
  const reader = new ByteReader(bytes, span.start, span.end);
  const groups = reader.u32();
  const groupsAt = reader.at;
  let locals = 0;
  for (let i = 0; i < groups; i++) {
    locals += reader.u32();
    reader.byte();
  }
  // Two more locals: the fuel that is left, and a length.
  writer
    .u32(groups + 1)
    .raw(bytes.subarray(groupsAt, reader.at))
    .u32(2)
    .byte(0x7f);
  const fuelLocal = indexes.params + locals;
  const walk = new BodyWalk(reader.at, locals, indexes.memory);
  let copied = reader.at;
  walk.walk(reader);
  // Where several stand at one place, in this order.
  const charges = indexes.charges ? [...walk.points, ...walk.lengths] : [];
  const inserts = [...charges, ...walk.substitutes].sort((a, b) => a.at - b.at);
  for (const insert of inserts) {
    writer.raw(bytes.subarray(copied, insert.at));
    copied = insert.at;
    if ('with' in insert) {
      writer.raw(insert.with);
      copied = insert.next;
    } else if ('cost' in insert) writeCharge(writer, indexes.fuelGlobal, fuelLocal, insert.cost);
    else writeLengthCharge(writer, indexes.fuelGlobal, fuelLocal, insert.weight);
  }
  writer.raw(bytes.subarray(copied, span.end));
}

function writeCharge(writer: ByteWriter, fuelGlobal: number, fuelLocal: number, cost: number): void {
  writer.byte(Op.globalGet).u32(fuelGlobal).byte(Op.i32Const).i32(cost).byte(Op.i32Sub);
  writeCheck(writer, fuelGlobal, fuelLocal);
}

/** The length stays on the stack. */
function writeLengthCharge(writer: ByteWriter, fuelGlobal: number, fuelLocal: number, weight: LengthWeight): void {
  const lengthLocal = fuelLocal + 1;
  writer.byte(Op.localTee).u32(lengthLocal);
  writer.byte(Op.globalGet).u32(fuelGlobal).byte(Op.localGet).u32(lengthLocal);
  writer.byte(Op.i32Const).i32(weight.mask).byte(Op.i32And);
  writer.byte(Op.i32Const).i32(weight.shiftRight).byte(Op.i32ShrU);
  writer.byte(Op.i32Const).i32(weight.shiftLeft).byte(Op.i32Shl).byte(Op.i32Sub);
  writer.byte(Op.i32Const).i32(weight.base).byte(Op.i32Sub);
  writeCheck(writer, fuelGlobal, fuelLocal);
}

/** Takes the new fuel from the stack, keeps it, and traps when it is below zero. */
function writeCheck(writer: ByteWriter, fuelGlobal: number, fuelLocal: number): void {
  writer.byte(Op.localTee).u32(fuelLocal).byte(Op.globalSet).u32(fuelGlobal);
  writer.byte(Op.localGet).u32(fuelLocal).byte(Op.i32Const).i32(0).byte(Op.i32LtS);
  writer.byte(Op.if).byte(0x40).byte(Op.unreachable).byte(Op.end);
}
