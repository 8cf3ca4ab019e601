import { Failure } from '../base/failure.js';
import type { ByteReader } from './byte-reader.js';
import type { FunctionType } from './decoded-module.js';
import type { ModuleLimits } from './limits.js';
import { Misc, Op, skipImmediates } from './opcodes.js';
import { stackEffect } from './stack-effect.js';
import { EMPTY_BLOCK, isValueType, readValueType } from './value-types.js';

/** What a body may refer to. */
export interface BodyContext {
  types: readonly FunctionType[];
  limits: ModuleLimits;
  /** Type index of a function, imported or defined. */
  typeOfFunction(index: number): number | undefined;
}

/** An open block: the stack's height below its parameters, and what it takes and leaves. */
interface Frame {
  base: number;
  params: number;
  results: number;
}

/** Behind 0xfc: what changes tables or drops segments. */
const TABLES_AND_SEGMENTS: ReadonlySet<number> = new Set([
  Misc.dataDrop,
  Misc.tableInit,
  Misc.elemDrop,
  Misc.tableCopy,
  Misc.tableGrow,
  Misc.tableFill,
]);

const NO_TYPE: FunctionType = { params: new Uint8Array(0), results: new Uint8Array(0) };

/**
 * Walks one body by the allow-list and adds up the *effort* of compiling it. At every point where control flow parts or meets, a compiler that
 * works in one pass brings each local and each value on the stack to its place: a few hundred bytes that branch often
 * above thousands of values become gigabytes of machine code. So effort is the number of values at each such point, and what calls move.
 *
 * Runs before the engine has validated the module: wrong indexes and too few values must do no harm here, and are found there.
 */
export class BodyCheck {
  effort = 0;
  /** Values on the stack. */
  height = 0;
  /** Whether it leaves tables and segments as they are. */
  plainState = true;
  private readonly reader: ByteReader;
  private readonly where: string;
  private readonly context: BodyContext;
  private readonly frames: Frame[] = [];
  private locals = 0;

  constructor(reader: ByteReader, where: string, context: BodyContext) {
    this.reader = reader;
    this.where = where;
    this.context = context;
  }

  /** Throws a `Failure` that says what is not allowed. */
  run(type: FunctionType = NO_TYPE): void {
    this.readLocals(type.params.length);
    this.frames.push({ base: 0, params: 0, results: type.results.length });
    const { reader, where } = this;
    while (this.frames.length > 0) {
      const op = reader.byte();
      const at = reader.at;
      const sub = skipImmediates(reader, op, where);
      if (op === Op.tableSet || (op === Op.prefixMisc && TABLES_AND_SEGMENTS.has(sub))) this.plainState = false;
      this.shift(stackEffect(op, sub));
      this.control(op, at);
      if (this.effort > this.context.limits.bodyEffort) throw this.tooMuchEffort();
    }
  }

  private readLocals(params: number): void {
    let locals = 0;
    for (let groups = this.reader.u32(); groups > 0; groups--) {
      locals += this.reader.u32();
      if (locals > this.context.limits.locals) {
        throw new Failure('module-locals', `${this.where} has more than ${this.context.limits.locals} locals`);
      }
      readValueType(this.reader, this.where);
    }
    this.locals = params + locals;
    this.effort = this.locals;
  }

  private control(op: number, at: number): void {
    switch (op) {
      case Op.block:
      case Op.loop:
      case Op.if:
        this.openFrame(at);
        return;
      case Op.else:
        this.meet(1);
        this.height = this.frame.base + this.frame.params;
        return;
      case Op.end:
        this.closeFrame();
        return;
      case Op.brIf:
        this.meet(1);
        return;
      case Op.brTable:
        this.meet(Math.min(this.labels(at), this.frames.length));
        this.height = this.frame.base;
        return;
      case Op.br:
      case Op.return:
      case Op.unreachable:
        this.meet(1);
        this.height = this.frame.base;
        return;
      case Op.call:
        this.call(this.typeOfFunction(at));
        return;
      case Op.callIndirect:
        this.call(this.typeAt(at));
        return;
      case Op.returnCall:
      case Op.returnCallIndirect:
        this.call(op === Op.returnCall ? this.typeOfFunction(at) : this.typeAt(at));
        this.height = this.frame.base;
        return;
      default:
        return;
    }
  }

  private openFrame(at: number): void {
    const { params, results } = this.blockType(at);
    this.meet(1);
    this.frames.push({ base: Math.max(0, this.height - params), params, results });
    if (this.frames.length > this.context.limits.nesting) {
      throw new Failure('module-nesting', `${this.where} nests blocks deeper than ${this.context.limits.nesting}`);
    }
  }

  private closeFrame(): void {
    const { base, results } = this.frame;
    this.height = base + results;
    this.frames.pop();
    this.meet(1);
  }

  private call({ params, results }: FunctionType): void {
    this.effort += params.length + results.length;
    this.shift(-params.length);
    this.shift(results.length);
  }

  private blockType(at: number): { params: number; results: number } {
    const first = this.reader.bytes[at];
    if (first === EMPTY_BLOCK) return { params: 0, results: 0 };
    if (isValueType(first)) return { params: 0, results: 1 };
    const type = this.typeAt(at);
    if (type.params.length > this.context.limits.results) {
      throw new Failure(
        'module-limit',
        `${this.where} has a block with ${type.params.length} parameters; at most ${this.context.limits.results} are allowed`,
      );
    }
    return { params: type.params.length, results: type.results.length };
  }

  private typeAt(at: number): FunctionType {
    return this.context.types[this.numberAt(at)] ?? NO_TYPE;
  }

  private typeOfFunction(at: number): FunctionType {
    const index = this.context.typeOfFunction(this.numberAt(at));
    return (index === undefined ? undefined : this.context.types[index]) ?? NO_TYPE;
  }

  private labels(at: number): number {
    return this.numberAt(at) + 1;
  }

  /** The first immediate of the instruction, read again. */
  private numberAt(at: number): number {
    const { reader } = this;
    const behind = reader.at;
    reader.at = at;
    const value = reader.u32();
    reader.at = behind;
    return value;
  }

  private get frame(): Frame {
    return this.frames[this.frames.length - 1];
  }

  private meet(paths: number): void {
    this.effort += paths * (this.locals + this.height + 1);
  }

  /** Behind a branch the stack is as high as anyone likes: never below the block's base. */
  private shift(by: number): void {
    this.height = Math.max(this.frame.base, this.height + by);
  }

  private tooMuchEffort(): Failure {
    return new Failure(
      'module-effort',
      `${this.where} would take too long to compile: its branches carry ${this.effort} locals and values up to byte ${this.reader.at}; at most ${this.context.limits.bodyEffort} are allowed`,
    );
  }
}
