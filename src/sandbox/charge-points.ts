import type { ByteReader } from './byte-reader.js';
import { costOf } from './costs.js';
import { Misc, Op, skipImmediates } from './opcodes.js';
import { EMPTY_BLOCK, isValueType } from './value-types.js';

/** An instruction before which fuel is subtracted. */
interface ChargePoint {
  at: number;
  cost: number;
}

/** A branch back to where a loop begins, which is charged for one more pass. */
interface BackEdge extends ChargePoint {
  /** Behind the instruction. */
  next: number;
  /** How many constructs it leaves, when it is taken under a condition only. */
  depth: number | null;
}

/** An instruction whose work depends on the number on top of the stack. */
interface LengthCharge {
  at: number;
  weight: LengthWeight;
}

/** Fuel for a length n: `base + ((n & mask) >>> shiftRight << shiftLeft)`. A length beyond the mask traps without doing the work. */
export interface LengthWeight {
  base: number;
  mask: number;
  shiftRight: number;
  shiftLeft: number;
}

/** `memory.size` or `memory.grow`. */
interface MemoryInstruction {
  at: number;
  next: number;
  grows: boolean;
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

/** A block as dear as this is charged where it begins. */
const OWN_CHARGE_FROM = 60;
/** As much as this is charged ahead of a way through small blocks. */
const WAY_MAX = 200;
/** A loop's first pass is charged where the loop stands, when it costs no more than this, and that of several no more than that. */
const FIRST_PASS_MAX = 48;
const FIRST_PASSES_MAX = 96;
/** What jumps back is charged there in as many places as this. */
const BACK_EDGES_MAX = 3;

/** Locals that are set to zero when a function is entered, for one unit. */
const LOCALS_PER_UNIT = 16;

/** Behind what no way leads to. */
const NO_WAY = -1;

/** Blocks that are charged together: by the dearest way through them. */
class Region {
  readonly at: number;
  /** Of the dearest way from the point to where the walk is, or was when a region within this one began. */
  way: number;
  /** Of first passes of loops. */
  passes = 0;
  private dearest: number;

  constructor(at: number, cost: number) {
    this.at = at;
    this.way = cost;
    this.dearest = cost;
  }

  get cost(): number {
    return this.dearest + this.passes;
  }

  add(cost: number): void {
    this.way += cost;
    this.dearest = Math.max(this.dearest, this.way);
  }
}

/** A construct that is open. */
interface Construct {
  /** In force where it begins: it is again behind it, and in its `else`. */
  region: Region;
  /** Of the ways to its end that the walk has passed, the dearest. */
  joined: number;
  /** Of an `if` without its `else`: the way to it. */
  before: number;
  loop: Loop | null;
}

interface Loop {
  region: Region;
  edges: BackEdge[];
  /** Whether each way back may be charged for itself. */
  splits: boolean;
  takesValues: boolean;
}

/**
 * Finds where fuel is charged in one function body.
 *
 * A function or loop is a *region*: between two passes of where it begins each of its instructions runs at most once, since only loops jump back. So
 * small blocks are charged together, at a point that each way to them leads past, for the dearest way through them. Large blocks are such
 * points themselves, so that a long branch that is not taken costs nothing. What stands directly in a construct is on every way to what
 * follows within it:
 *
 * ```text
 * func ──► charge 12        entry: the dearest way through the small blocks
 *   loop ──► charge 50      each pass
 *     if … (65 instructions) ──► charge 71   only when taken, with the small blocks behind it within the `if`
 *   loop                    its first pass is in the 12
 *     br_if ──► charge 5    when it is taken
 * ```
 */
export class BodyWalk {
  readonly points: Region[] = [];
  readonly edges: BackEdge[] = [];
  readonly lengths: LengthCharge[] = [];
  readonly memory: MemoryInstruction[] = [];
  /** What the function is charged for when it is entered. */
  readonly entry: Region;
  private readonly reader: ByteReader;
  /** What a call of a function costs besides its instruction. */
  private readonly costOfCall: (callee: number) => number;
  private region: Region;
  private readonly open: Construct[] = [];
  /** The block at hand: where it begins and what it costs so far. */
  private blockAt: number;
  private blockCost = 0;
  /** Whether no way leads here. */
  private isDead = false;

  /** `reader` stands behind the locals. */
  constructor(reader: ByteReader, locals: number, costOfCall: (callee: number) => number) {
    this.reader = reader;
    this.costOfCall = costOfCall;
    this.blockAt = reader.at;
    this.entry = new Region(reader.at, 1 + Math.floor(locals / LOCALS_PER_UNIT));
    this.region = this.entry;
    this.open.push(construct(this.entry));
  }

  run(): void {
    const { reader } = this;
    while (this.open.length > 0) {
      const at = reader.at;
      const op = reader.byte();
      const sub = skipImmediates(reader, op, 'a function');
      this.blockCost += costOf(op, sub);
      if (op === Op.prefixMisc) this.lengthOf(sub, at);
      else if (op <= Op.returnCallIndirect) this.control(op, at);
      else if (op === Op.memorySize || op === Op.memoryGrow) this.memoryInstruction(op, at);
    }
  }

  private lengthOf(sub: number, at: number): void {
    const weight = MISC_WEIGHTS[sub];
    if (weight !== undefined) this.lengths.push({ at, weight });
  }

  private memoryInstruction(op: number, at: number): void {
    const grows = op === Op.memoryGrow;
    if (grows) this.lengths.push({ at, weight: GROW });
    this.memory.push({ at, next: this.reader.at, grows });
  }

  private control(op: number, at: number): void {
    switch (op) {
      case Op.block:
        this.open.push(construct(this.region));
        return;
      case Op.loop:
        this.openLoop(at);
        return;
      case Op.if:
        this.closeBlock();
        this.open.push({ ...construct(this.region), before: this.wayHere() });
        return;
      case Op.else:
        this.else();
        return;
      case Op.end:
        this.end();
        return;
      case Op.br:
      case Op.brIf:
        this.closeBlock();
        this.branch(op === Op.brIf, at);
        return;
      case Op.brTable:
        this.closeBlock();
        this.branchByTable(at);
        return;
      case Op.return:
      case Op.unreachable:
      case Op.returnCallIndirect:
        this.leave();
        return;
      case Op.call:
      case Op.returnCall:
        this.blockCost += this.costOfCall(this.numberBehind(at));
        if (op === Op.returnCall) this.leave();
        return;
      default:
        return;
    }
  }

  private leave(): void {
    this.closeBlock();
    this.isDead = true;
  }

  private openLoop(at: number): void {
    this.closeBlock();
    const region = new Region(this.reader.at, 1);
    const type = this.reader.bytes[at + 1];
    const takesValues = type !== EMPTY_BLOCK && !isValueType(type);
    this.open.push({ ...construct(this.region), loop: { region, edges: [], splits: true, takesValues } });
    this.region = region;
  }

  private else(): void {
    this.closeBlock();
    const around = this.open[this.open.length - 1];
    around.joined = Math.max(around.joined, this.wayTo(around));
    this.goOn(around.region, around.before);
    around.before = NO_WAY;
  }

  private end(): void {
    this.closeBlock();
    const closed = this.open.pop()!;
    if (closed.loop !== null) this.closeLoop(closed.loop, closed.region);
    this.goOn(closed.region, Math.max(closed.joined, closed.before, this.wayTo(closed)));
    if (this.open.length === 0) this.addPoint(this.entry);
  }

  /** A small loop's first pass is charged with what is around it, and each further one where it jumps back. */
  private closeLoop({ region, edges, splits }: Loop, around: Region): void {
    const { cost } = region;
    if (
      splits &&
      edges.length <= BACK_EDGES_MAX &&
      cost <= FIRST_PASS_MAX &&
      around.passes + cost <= FIRST_PASSES_MAX
    ) {
      around.passes += cost;
      for (const edge of edges) this.edges.push({ ...edge, cost });
    } else this.addPoint(region);
  }

  private branch(isConditional: boolean, at: number): void {
    const depth = this.numberBehind(at);
    const target = this.open[this.open.length - 1 - depth];
    if (target.loop === null) target.joined = Math.max(target.joined, this.wayTo(target));
    else if (!this.isDead) {
      const { edges, takesValues } = target.loop;
      edges.push({ at, next: this.reader.at, depth: isConditional ? depth : null, cost: 0 });
      if (isConditional && takesValues) target.loop.splits = false;
    }
    if (!isConditional) this.isDead = true;
  }

  private branchByTable(at: number): void {
    const { reader } = this;
    const behind = reader.at;
    reader.at = at + 1;
    for (let count = reader.u32() + 1; count > 0; count--) {
      const target = this.open[this.open.length - 1 - reader.u32()];
      if (target.loop !== null) target.loop.splits = false;
      else target.joined = Math.max(target.joined, this.wayTo(target));
    }
    reader.at = behind;
    this.isDead = true;
  }

  /** Of the region around a construct: what it pays for on the way from it to here, where what came in between pays for itself. */
  private wayTo({ region }: Construct): number {
    return this.isDead ? NO_WAY : region.way;
  }

  private wayHere(): number {
    return this.isDead ? NO_WAY : this.region.way;
  }

  /** A new block, with the region that is in force again. */
  private goOn(region: Region, way: number): void {
    this.region = region;
    this.isDead = way === NO_WAY;
    if (!this.isDead) region.way = way;
    this.blockAt = this.reader.at;
  }

  private closeBlock(): void {
    const { region, blockAt, blockCost } = this;
    this.blockAt = this.reader.at;
    this.blockCost = 0;
    if (blockCost === 0 || this.isDead) return;
    const isFirst = blockAt === region.at;
    if (isFirst || (blockCost < OWN_CHARGE_FROM && region.way + blockCost <= WAY_MAX)) {
      region.add(blockCost);
      return;
    }
    this.region = new Region(blockAt, blockCost);
    this.addPoint(this.region);
  }

  private addPoint(region: Region): void {
    this.points.push(region);
  }

  /** The first immediate of the instruction at `at`. */
  private numberBehind(at: number): number {
    const { reader } = this;
    const behind = reader.at;
    reader.at = at + 1;
    const value = reader.u32();
    reader.at = behind;
    return value;
  }
}

function construct(region: Region): Construct {
  return { region, joined: NO_WAY, before: NO_WAY, loop: null };
}
