import { Failure } from '../base/failure.js';
import { ByteReader, malformed } from './byte-reader.js';
import { readFunctionNames } from './name-section.js';
import { Op, skipImmediates } from './opcodes.js';
import { readReferenceType, readValueType, typeName, ValueType } from './value-types.js';

export const MODULE_LIMITS = {
  moduleBytes: 4 * 1024 * 1024,
  functions: 10_000,
  bodyBytes: 64 * 1024,
  locals: 2_000,
  tableEntries: 10_000,
  tables: 16,
  types: 10_000,
  globals: 10_000,
  elementEntries: 20_000,
  dataSegments: 10_000,
  nesting: 500,
} as const;

export const PAGE_BYTES = 65536;

const QUOTED_CHARACTERS_MAX = 100;

export interface FunctionType {
  params: Uint8Array;
  results: Uint8Array;
}

/** A range of the module's bytes. */
export interface Span {
  start: number;
  end: number;
}

/** Lower and upper limit of a memory or table; `max` is null when there is none. */
export interface Limits {
  min: number;
  max: number | null;
}

/** What the rewriter needs to know about a module that passed. */
export interface DecodedModule {
  bytes: Uint8Array;
  types: FunctionType[];
  /** Content of sections that are copied as they are, by id. */
  sections: Map<number, Span>;
  /** Types of functions that were imported (`env.abort` only). */
  importedFunctions: number[];
  /** Types of the functions defined here. */
  functions: number[];
  memory: Limits;
  tables: { element: number; limits: Limits }[];
  globals: number;
  /** The contract's functions, by name. */
  exports: Map<string, number>;
  start: number | null;
  bodies: Span[];
  functionNames: Map<number, string>;
}

const I32 = ValueType.i32;
const F64 = ValueType.f64;

/** The contract's exports: parameters and results. */
const CONTRACT: Record<string, { params: number[]; results: number[]; needed: boolean }> = {
  weir_abi: { params: [], results: [I32], needed: true },
  weir_open: { params: [I32, I32], results: [I32], needed: true },
  weir_message: { params: [...new Array(8).fill(I32), F64, I32], results: [I32], needed: true },
  weir_init: { params: [I32], results: [I32], needed: false },
};

/** Reads a module by an allow-list of sections and instructions. Throws a `Failure` whose text says what was found and what is allowed. */
export function decodeModule(bytes: Uint8Array, memoryBytesMax: number): DecodedModule {
  if (bytes.length > MODULE_LIMITS.moduleBytes) {
    throw refused('size', `the module has ${bytes.length} bytes; at most ${MODULE_LIMITS.moduleBytes} are allowed`);
  }
  checkMagic(bytes);
  if (!WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) throw refused('invalid', whyInvalid(bytes));
  const decoder = new Decoder(bytes, memoryBytesMax);
  return decoder.run();
}

function checkMagic(bytes: Uint8Array): void {
  const magic = [0x00, 0x61, 0x73, 0x6d];
  if (!magic.every((byte, i) => bytes[i] === byte)) {
    throw malformed('does not begin with the bytes 00 61 73 6d ("\\0asm")');
  }
  if (bytes[4] === 0x0d) {
    throw refused('component', 'this is a WebAssembly component; a core module (version 1) was expected');
  }
  if (bytes[4] !== 1 || bytes[5] !== 0 || bytes[6] !== 0 || bytes[7] !== 0) {
    throw malformed(`has version bytes ${bytes.slice(4, 8).join(' ')}, expected 1 0 0 0`);
  }
}

function whyInvalid(bytes: Uint8Array): string {
  try {
    new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
    return 'the module is not valid WebAssembly';
  } catch (error) {
    return `the module is not valid WebAssembly: ${(error as Error).message}`;
  }
}

function refused(code: string, text: string): Failure {
  return new Failure(`module-${code}`, text);
}

/** One pass over the sections. */
class Decoder {
  private readonly reader: ByteReader;
  private readonly memoryBytesMax: number;
  private readonly module: DecodedModule;
  private memories = 0;

  constructor(bytes: Uint8Array, memoryBytesMax: number) {
    this.reader = new ByteReader(bytes, 8);
    this.memoryBytesMax = memoryBytesMax;
    this.module = {
      bytes,
      types: [],
      sections: new Map(),
      importedFunctions: [],
      functions: [],
      memory: { min: 0, max: null },
      tables: [],
      globals: 0,
      exports: new Map(),
      start: null,
      bodies: [],
      functionNames: new Map(),
    };
  }

  run(): DecodedModule {
    while (!this.reader.done) {
      const id = this.reader.byte();
      const section = this.reader.part(this.reader.u32());
      this.module.sections.set(id, { start: section.at, end: section.end });
      this.section(id, section);
    }
    this.checkContract();
    return this.module;
  }

  private section(id: number, section: ByteReader): void {
    switch (id) {
      case 0:
        this.custom(section);
        return;
      case 1:
        this.types(section);
        return;
      case 2:
        this.imports(section);
        return;
      case 3:
        this.functions(section);
        return;
      case 4:
        this.tables(section);
        return;
      case 5:
        this.memory(section);
        return;
      case 6:
        this.globals(section);
        return;
      case 7:
        this.exports(section);
        return;
      case 8:
        this.module.start = section.u32();
        return;
      case 10:
        this.code(section);
        return;
      case 9:
        this.elements(section);
        return;
      case 11:
        this.data(section);
        return;
      case 12:
        return; // The count of data segments, which validation has compared.
      default:
        throw refused('section', `the module has a section with id ${id}; sections 0 to 12 are allowed`);
    }
  }

  private custom(section: ByteReader): void {
    if (section.name() === 'name') this.module.functionNames = readFunctionNames(section);
    this.module.sections.delete(0);
  }

  private types(section: ByteReader): void {
    const count = atMost('types', section.u32(), MODULE_LIMITS.types);
    for (let i = 0; i < count; i++) {
      const form = section.byte();
      if (form !== 0x60)
        throw refused('type', `type ${i} has the form 0x${form.toString(16)}; only functions (0x60) are allowed`);
      this.module.types.push({ params: valueTypes(section, `type ${i}`), results: valueTypes(section, `type ${i}`) });
    }
  }

  private imports(section: ByteReader): void {
    for (let count = atMost('imports', section.u32(), MODULE_LIMITS.functions); count > 0; count--) {
      const from = section.name();
      const name = section.name();
      const kind = section.byte();
      if (kind !== 0 || from !== 'env' || name !== 'abort') {
        throw refused(
          'import',
          `the module imports ${quoted(`${from}.${name}`)}; a plugin may import nothing (but "env.abort")`,
        );
      }
      this.module.importedFunctions.push(section.u32());
    }
  }

  private functions(section: ByteReader): void {
    const count = atMost('functions', section.u32(), MODULE_LIMITS.functions);
    for (let i = 0; i < count; i++) this.module.functions.push(section.u32());
  }

  private tables(section: ByteReader): void {
    const count = atMost('tables', section.u32(), MODULE_LIMITS.tables);
    for (let i = 0; i < count; i++) {
      const element = readReferenceType(section, `table ${i}`);
      const limits = readLimits(section, `table ${i}`);
      atMost(`entries of table ${i}`, limits.min, MODULE_LIMITS.tableEntries);
      this.module.tables.push({ element, limits });
    }
  }

  private memory(section: ByteReader): void {
    this.memories = section.u32();
    if (this.memories !== 1)
      throw refused('memory', `the module has ${this.memories} memories; exactly one is expected`);
    const limits = readLimits(section, 'the memory');
    const pagesMax = Math.floor(this.memoryBytesMax / PAGE_BYTES);
    if (limits.min > pagesMax) {
      throw refused(
        'memory',
        `the module asks for ${limits.min} pages of memory at once (${limits.min * PAGE_BYTES} bytes); its budget is ${pagesMax} pages (${this.memoryBytesMax} bytes)`,
      );
    }
    this.module.memory = limits;
  }

  private globals(section: ByteReader): void {
    this.module.globals = atMost('globals', section.u32(), MODULE_LIMITS.globals);
    for (let i = 0; i < this.module.globals; i++) {
      readValueType(section, `global ${i}`);
      section.byte();
      skipConstant(section, `global ${i}`);
    }
  }

  /** Entries are copied into tables whenever the module is instantiated, so their number is limited. */
  private elements(section: ByteReader): void {
    const segments = section.u32();
    let entries = 0;
    for (let i = 0; i < segments; i++) {
      const where = `element segment ${i}`;
      const flags = section.u32();
      if (flags > 7) throw refused('element', `${where} has the flags ${flags}; 0 to 7 are allowed`);
      const active = (flags & 1) === 0;
      const asExpressions = (flags & 4) !== 0;
      if (active && (flags & 2) !== 0) section.u32();
      if (active) skipConstant(section, where);
      if ((flags & 3) !== 0) {
        if (asExpressions) readReferenceType(section, where);
        else section.byte();
      }
      const count = section.u32();
      entries = atMost('element entries', entries + count, MODULE_LIMITS.elementEntries);
      for (let entry = 0; entry < count; entry++) {
        if (asExpressions) skipConstant(section, where);
        else section.u32();
      }
    }
  }

  private data(section: ByteReader): void {
    const segments = atMost('data segments', section.u32(), MODULE_LIMITS.dataSegments);
    for (let i = 0; i < segments; i++) {
      const where = `data segment ${i}`;
      const flags = section.u32();
      if (flags > 2) throw refused('data', `${where} has the flags ${flags}; 0 to 2 are allowed`);
      if (flags === 2) section.u32();
      if (flags !== 1) skipConstant(section, where);
      section.skip(section.u32());
    }
  }

  private exports(section: ByteReader): void {
    let memory = false;
    for (let count = section.u32(); count > 0; count--) {
      const name = section.name();
      const kind = section.byte();
      const index = section.u32();
      if (name === 'memory' && kind === 2) memory = true;
      if (name.startsWith('$weir') || (name.startsWith('weir_') && CONTRACT[name] === undefined)) {
        throw refused(
          'export',
          `the module exports ${quoted(name)}; names that begin with "weir_" or "$weir" are reserved for the contract`,
        );
      }
      if (CONTRACT[name] === undefined) continue;
      if (kind !== 0) throw refused('export', `the export ${JSON.stringify(name)} is not a function`);
      this.module.exports.set(name, index);
    }
    if (!memory) throw refused('export', 'the module does not export its memory as "memory"');
  }

  private code(section: ByteReader): void {
    const count = section.u32();
    for (let i = 0; i < count; i++) {
      const size = section.u32();
      const index = this.module.importedFunctions.length + i;
      const where = functionLabel(this.module, index);
      if (size > MODULE_LIMITS.bodyBytes) {
        throw refused('body', `${where} has a body of ${size} bytes; at most ${MODULE_LIMITS.bodyBytes} are allowed`);
      }
      const body = section.part(size);
      this.module.bodies.push({ start: body.at, end: body.end });
      checkBody(body, where);
    }
  }

  private checkContract(): void {
    if (this.memories === 0) throw refused('memory', 'the module has no memory; exactly one is expected');
    for (const [name, { params, results, needed }] of Object.entries(CONTRACT)) {
      const index = this.module.exports.get(name);
      if (index === undefined) {
        if (needed)
          throw refused(
            'export',
            `the module does not export the function ${JSON.stringify(name)}, which the plugin contract needs`,
          );
        continue;
      }
      const type = this.module.types[typeOfFunction(this.module, index)];
      if (!same(type.params, params) || !same(type.results, results)) {
        throw refused(
          'export',
          `the export ${JSON.stringify(name)} has the type ${typeText(type)}, expected ${typeText({ params, results })}`,
        );
      }
    }
  }
}

/** The type index of a function, imported or defined. */
export function typeOfFunction(module: DecodedModule, index: number): number {
  const imported = module.importedFunctions.length;
  return index < imported ? module.importedFunctions[index] : module.functions[index - imported];
}

export function functionLabel(module: DecodedModule, index: number): string {
  const name = module.functionNames.get(index);
  return name === undefined ? `function ${index}` : `function ${index} (${name})`;
}

function checkBody(body: ByteReader, where: string): void {
  let locals = 0;
  for (let groups = body.u32(); groups > 0; groups--) {
    locals += body.u32();
    if (locals > MODULE_LIMITS.locals) {
      throw refused('locals', `${where} has more than ${MODULE_LIMITS.locals} locals`);
    }
    readValueType(body, where);
  }
  let depth = 1;
  while (depth > 0) {
    const op = body.byte();
    skipImmediates(body, op, where);
    if (op === Op.block || op === Op.loop || op === Op.if) depth++;
    else if (op === Op.end) depth--;
    if (depth > MODULE_LIMITS.nesting)
      throw refused('nesting', `${where} nests blocks deeper than ${MODULE_LIMITS.nesting}`);
  }
}

function atMost(what: string, count: number, max: number): number {
  if (count > max) throw refused('limit', `the module has ${count} ${what}; at most ${max} are allowed`);
  return count;
}

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
function skipConstant(reader: ByteReader, where: string): void {
  for (;;) {
    const at = reader.at;
    const op = reader.byte();
    if (op === Op.end) return;
    if (!CONSTANTS.has(op)) {
      throw refused(
        'constant',
        `${where} is computed by the instruction 0x${op.toString(16)} at byte ${at}; only constants are allowed`,
      );
    }
    skipImmediates(reader, op, where);
  }
}

/** A name from the module in a text for people: it may be megabytes long. */
function quoted(name: string): string {
  return JSON.stringify(name.length > QUOTED_CHARACTERS_MAX ? `${name.slice(0, QUOTED_CHARACTERS_MAX)}…` : name);
}

function valueTypes(reader: ByteReader, where: string): Uint8Array {
  const count = reader.u32();
  const start = reader.at;
  for (let i = 0; i < count; i++) readValueType(reader, where);
  return reader.bytes.slice(start, reader.at);
}

function readLimits(reader: ByteReader, what: string): Limits {
  const flags = reader.u32();
  if (flags > 1) {
    const feature = flags & 4 ? '64-bit' : 'shared';
    throw refused('memory', `${what} has the flags ${flags} (${feature}); only plain 32-bit limits are allowed`);
  }
  return { min: reader.u32(), max: flags === 1 ? reader.u32() : null };
}

function same(one: ArrayLike<number>, other: ArrayLike<number>): boolean {
  return one.length === other.length && Array.from(one).every((value, i) => value === other[i]);
}

function typeText(type: { params: ArrayLike<number>; results: ArrayLike<number> }): string {
  const list = (types: ArrayLike<number>) => Array.from(types, typeName).join(', ');
  return `(${list(type.params)}) -> (${list(type.results)})`;
}
