import { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import type { LengthWeight } from './charge-points.js';
import type { Span } from './decoded-module.js';
import type { Code } from './expressions.js';
import type { BodyCharges } from './module-charges.js';
import { Op } from './opcodes.js';
import { EMPTY_BLOCK } from './value-types.js';

const DROP = 0x1a;
const I32_GE_S = 0x4e;
const I32_DIV_U = 0x6e;

/** What stands for the instructions `memory.size` and `memory.grow`. */
export interface MemoryCode {
  size: Code;
  grow: Code;
}

/** What a body is written with. */
export interface MeterIndexes {
  fuelGlobal: number;
  /** Null where they stand for themselves. */
  memory: MemoryCode | null;
  /** Parameters of the function: its own locals follow them. */
  params: number;
  /** Whether fuel is charged at all. */
  charges: boolean;
}

/** A place in the body where something is written. */
interface Insert {
  at: number;
  /** Behind the instruction there, where another stands for it. */
  next?: number;
  write(): void;
}

/** Writes the body `span` of `bytes` again, with its charges, without its length. */
export function meterBody(
  writer: ByteWriter,
  body: { bytes: Uint8Array; span: Span; charges: BodyCharges },
  indexes: MeterIndexes,
): void {
  const { bytes, span } = body;
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
  const charging = new Charging(writer, indexes.fuelGlobal, indexes.params + locals);
  const inserts = indexes.charges ? chargesOf(body.charges, charging) : [];
  if (indexes.memory !== null) inserts.push(...memoryOf(body.charges, writer, indexes.memory));
  let copied = reader.at;
  // Where several stand at one place, in this order: charges are before what is charged.
  for (const insert of inserts.sort((a, b) => a.at - b.at)) {
    writer.raw(bytes.subarray(copied, insert.at));
    insert.write();
    copied = insert.next ?? insert.at;
  }
  writer.raw(bytes.subarray(copied, span.end));
}

function chargesOf({ walk, ownEntry }: BodyCharges, charging: Charging): Insert[] {
  const points = walk.points.filter((point) => ownEntry || point !== walk.entry);
  return [
    ...points.map(({ at, cost }) => ({ at, write: () => charging.charge(cost) })),
    ...walk.lengths.map(({ at, weight }) => ({ at, write: () => charging.chargeLength(weight) })),
    ...walk.edges.map(({ at, next, depth, cost }) =>
      depth === null
        ? { at, write: () => charging.charge(cost) }
        : { at, next, write: () => charging.chargeBranch(depth, cost) },
    ),
  ];
}

function memoryOf({ walk }: BodyCharges, writer: ByteWriter, { size, grow }: MemoryCode): Insert[] {
  return walk.memory.map(({ at, next, grows }) => ({ at, next, write: () => writer.raw(grows ? grow : size) }));
}

/** Writes the code that charges. */
class Charging {
  private readonly writer: ByteWriter;
  private readonly fuelGlobal: number;
  /** Behind it, the one for a length. */
  private readonly fuelLocal: number;

  constructor(writer: ByteWriter, fuelGlobal: number, fuelLocal: number) {
    this.writer = writer;
    this.fuelGlobal = fuelGlobal;
    this.fuelLocal = fuelLocal;
  }

  charge(cost: number): void {
    this.writer.byte(Op.globalGet).u32(this.fuelGlobal).byte(Op.i32Const).i32(cost).byte(Op.i32Sub);
    this.check();
  }

  /** In place of a `br_if`: charges when it is taken. */
  chargeBranch(depth: number, cost: number): void {
    this.writer.byte(Op.if).byte(EMPTY_BLOCK);
    this.charge(cost);
    this.writer
      .byte(Op.br)
      .u32(depth + 1)
      .byte(Op.end);
  }

  /** The length stays on the stack. */
  chargeLength(weight: LengthWeight): void {
    const { writer } = this;
    const lengthLocal = this.fuelLocal + 1;
    writer.byte(Op.localTee).u32(lengthLocal);
    writer.byte(Op.globalGet).u32(this.fuelGlobal).byte(Op.localGet).u32(lengthLocal);
    writer.byte(Op.i32Const).i32(weight.mask).byte(Op.i32And);
    writer.byte(Op.i32Const).i32(weight.shiftRight).byte(Op.i32ShrU);
    writer.byte(Op.i32Const).i32(weight.shiftLeft).byte(Op.i32Shl).byte(Op.i32Sub);
    writer.byte(Op.i32Const).i32(weight.base).byte(Op.i32Sub);
    this.check();
  }

  /** Takes the new fuel from the stack, keeps it, and traps when it is below zero. */
  private check(): void {
    const { writer, fuelGlobal, fuelLocal } = this;
    writer.byte(Op.localTee).u32(fuelLocal).byte(Op.globalSet).u32(fuelGlobal);
    // One divided by whether it is not: V8 makes of it the same jump as of a branch to `unreachable`, and no exit of the loop that it stands in, past
    // which it would move nothing out of it.
    writer.byte(Op.i32Const).i32(1);
    writer.byte(Op.localGet).u32(fuelLocal).byte(Op.i32Const).i32(0).byte(I32_GE_S);
    writer.byte(I32_DIV_U).byte(DROP);
  }
}
