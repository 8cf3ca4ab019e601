import { ByteReader } from './byte-reader.js';
import { BodyWalk } from './charge-points.js';
import { skipConstant } from './constant.js';
import type { DecodedModule } from './decoded-module.js';
import { Op } from './opcodes.js';
import { readReferenceType, readValueType } from './value-types.js';

/** What entering a function costs at the most where its callers are charged for it. */
const CARRIED_MAX = 60;
/** Functions that wait for what their callees cost; what those call besides charges its entry itself. */
const WAITING_MAX = 64;

/** How a body is charged. */
export interface BodyCharges {
  walk: BodyWalk;
  /** Whether entering the function is charged in it: else it is where it is called. */
  ownEntry: boolean;
}

/**
 * Where fuel is charged in a module's functions. Entering a small one is charged where it is called, which makes fewer points. Not so for functions
 * that may be called by other than their names, and in each circle of calls one is left that charges its entry itself.
 */
export class ModuleCharges {
  private readonly module: DecodedModule;
  /** Functions that charge their entry themselves. */
  private readonly own: Set<number>;
  /** What entering the others costs. */
  private readonly carried = new Map<number, number>();
  private readonly walking = new Set<number>();
  /** Of functions that were walked before their turn. */
  private readonly ahead = new Map<number, BodyCharges>();

  constructor(module: DecodedModule) {
    this.module = module;
    this.own = calledFromElsewhere(module);
  }

  /** Of a function that is defined in the module. */
  take(index: number): BodyCharges {
    const charges = this.ahead.get(index) ?? this.walk(index);
    this.ahead.delete(index);
    return charges;
  }

  /** What a call costs besides its instruction. */
  private costOfCall(index: number): number {
    if (this.own.has(index)) return 0;
    if (!this.carried.has(index)) {
      const isImported = index < this.module.importedFunctions.length;
      if (isImported || this.walking.has(index) || this.walking.size === WAITING_MAX) this.own.add(index);
      else this.ahead.set(index, this.walk(index));
    }
    return this.carried.get(index) ?? 0;
  }

  private walk(index: number): BodyCharges {
    const { bytes, bodies, importedFunctions } = this.module;
    const span = bodies[index - importedFunctions.length];
    const reader = new ByteReader(bytes, span.start, span.end);
    const walk = new BodyWalk(reader, skipLocals(reader), (callee) => this.costOfCall(callee));
    this.walking.add(index);
    walk.run();
    this.walking.delete(index);
    const ownEntry = this.own.has(index) || walk.entry.cost > CARRIED_MAX;
    if (ownEntry) this.own.add(index);
    else this.carried.set(index, walk.entry.cost);
    return { walk, ownEntry };
  }
}

function skipLocals(reader: ByteReader): number {
  let locals = 0;
  for (let groups = reader.u32(); groups > 0; groups--) {
    locals += reader.u32();
    reader.byte();
  }
  return locals;
}

/** By the host, or by a reference: those can be made only of functions that an element or a global names. */
function calledFromElsewhere(module: DecodedModule): Set<number> {
  const found = new Set(module.exports.values());
  if (module.start !== null) found.add(module.start);
  const globals = sectionOf(module, 6);
  for (let count = globals?.u32() ?? 0; count > 0; count--) {
    readValueType(globals!, 'a global');
    globals!.byte();
    readConstant(globals!, found);
  }
  const elements = sectionOf(module, 9);
  for (let count = elements?.u32() ?? 0; count > 0; count--) readElements(elements!, found);
  return found;
}

function sectionOf({ bytes, sections }: DecodedModule, id: number): ByteReader | null {
  const span = sections.get(id);
  return span === undefined ? null : new ByteReader(bytes, span.start, span.end);
}

function readElements(reader: ByteReader, found: Set<number>): void {
  const flags = reader.u32();
  const isActive = (flags & 1) === 0;
  const asExpressions = (flags & 4) !== 0;
  if (isActive && (flags & 2) !== 0) reader.u32();
  if (isActive) skipConstant(reader, 'an element segment');
  if ((flags & 3) !== 0) {
    if (asExpressions) readReferenceType(reader, 'an element segment');
    else reader.byte();
  }
  for (let count = reader.u32(); count > 0; count--) {
    if (asExpressions) readConstant(reader, found);
    else found.add(reader.u32());
  }
}

function readConstant(reader: ByteReader, found: Set<number>): void {
  const at = reader.at;
  skipConstant(reader, 'a constant');
  if (reader.bytes[at] === Op.refFunc) found.add(new ByteReader(reader.bytes, at + 1, reader.at).u32());
}
