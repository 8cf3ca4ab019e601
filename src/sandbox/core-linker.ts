import { Failure } from '../base/failure.js';
import { ByteReader, malformed } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { standInCode } from './component-stand-ins.js';
import { skipConstant } from './constant.js';
import { CoreEntries, type CoreParts, CoreSort, readCoreParts } from './core-parts.js';
import { copyData, type Relocation, relocateCode, relocateElements } from './core-relocate.js';
import type { FunctionType, Span } from './decoded-module.js';
import { call } from './expressions.js';
import { Op } from './opcodes.js';
import { readValueType, ValueType } from './value-types.js';

/** A function that stands in the place of one that the component imports. It is made when a core module is given it: then its type is known. */
interface StandIn {
  /** As `wasi:cli/stdout@0.2.3#get-stdout`. */
  readonly name: string;
  readonly realloc: CoreFunction | null;
  type: FunctionType | null;
  /** Among all of them; -1 before it has a type. */
  place: number;
}

/** A function of some core module, by its index in the whole; or what stands for an imported one. */
export type CoreFunction = number | StandIn;

/** What has a name in a core instance: `at` is the index in the whole. */
export interface CoreItem {
  readonly sort: number;
  readonly at: CoreFunction;
}

export type CoreInstance = ReadonlyMap<string, CoreItem>;

/** A core module that was instantiated. */
interface LinkedModule {
  readonly parts: CoreParts;
  readonly functions: CoreFunction[];
  readonly tables: number[];
  readonly globals: number[];
  /** How many types and segments come before its own. */
  readonly types: number;
  readonly elements: number;
  readonly data: number;
  /** Made when all are linked. */
  relocation: Relocation | null;
}

interface LinkedGlobal {
  readonly module: LinkedModule;
  readonly head: Span;
  readonly init: Span;
  readonly changes: boolean;
}

/** Longer first values are no constants; and a value that is another's, that is another's, … ends somewhere. */
const CONSTANT_BYTES_MAX = 32;
const CONSTANT_DEPTH_MAX = 16;

/**
 * Makes one core module of a component's several: functions, tables and globals stand one module behind the other, and what one imports of another
 * is called directly. The whole has the one memory that they share. From there on it is a module like any upload: checked by the
 * allow-list, validated, metered and capped, whatever it was made of.
 *
 * Segments of all modules are written before the first start function runs; one by one, those of a later module would come behind it.
 */
export class CoreLinker {
  private readonly entries = new CoreEntries();
  private readonly modules: LinkedModule[] = [];
  private readonly globals: LinkedGlobal[] = [];
  private readonly tables: { bytes: Uint8Array; span: Span }[] = [];
  private readonly memories: { bytes: Uint8Array; span: Span }[] = [];
  private readonly standIns: StandIn[] = [];
  private readonly starts: CoreFunction[] = [];
  private readonly totals = { functions: 0, types: 0, elements: 0, data: 0 };

  /** Adds a core module with what it is given, by the names that it imports from. */
  instantiate(bytes: Uint8Array, given: ReadonlyMap<string, CoreInstance>): CoreInstance {
    const parts = readCoreParts(bytes, this.entries);
    const { types, elements, data } = this.totals;
    const linked: LinkedModule = {
      parts,
      functions: [],
      tables: [],
      globals: [],
      types,
      elements,
      data,
      relocation: null,
    };
    this.import(linked, given);
    this.define(linked);
    this.modules.push(linked);
    if (parts.start !== null) this.starts.push(functionAt(linked, parts.start));
    const exports = new Map<string, CoreItem>();
    for (const [name, { sort, index }] of parts.exports) exports.set(name, { sort, at: itemAt(linked, sort, index) });
    return exports;
  }

  /** The whole, which exports functions by the given names; and the global that holds the time, when anything reads it. */
  link(exports: ReadonlyMap<string, CoreFunction>): { bytes: Uint8Array; clockGlobal: number | null } {
    if (this.memories.length > 1) {
      const text = `the component has ${this.memories.length} memories, and a plugin has one: link its parts into one core module before a component is made of it, or let each be a plugin and attach them one behind the other`;
      throw new Failure('module-component', text);
    }
    const writer = new ByteWriter(this.modules.reduce((sum, { parts }) => sum + parts.bytes.length, 65536));
    writer.raw([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    writer.section(1, this.typeSection()).section(3, this.functionSection());
    if (this.tables.length > 0) writer.section(4, copied(this.tables));
    if (this.memories.length > 0) writer.section(5, copied(this.memories));
    writer.section(6, this.globalSection()).section(7, this.exportSection(exports));
    if (this.starts.length > 0) writer.section(8, new ByteWriter().u32(this.startIndex));
    writer.section(9, this.elementSection());
    if (this.modules.some(({ parts }) => parts.countsData)) writer.section(12, new ByteWriter().u32(this.totals.data));
    writer.section(10, this.codeSection()).section(11, this.dataSection()).section(0, this.nameSection());
    return { bytes: writer.bytes(), clockGlobal: this.standIns.length === 0 ? null : this.globals.length };
  }

  private import(linked: LinkedModule, given: ReadonlyMap<string, CoreInstance>): void {
    const { parts } = linked;
    for (const { module, name, sort, type } of parts.imports) {
      const item = given.get(module)?.get(name);
      if (item === undefined || item.sort !== sort)
        throw malformed('has a core module that imports what it is not given');
      if (sort === CoreSort.function) linked.functions.push(this.typed(item.at, parts.types[type]));
      else if (sort === CoreSort.table) linked.tables.push(item.at as number);
      else if (sort === CoreSort.global) linked.globals.push(item.at as number);
    }
  }

  private typed(at: CoreFunction, type: FunctionType | undefined): CoreFunction {
    if (typeof at === 'number' || at.type !== null) return at;
    if (type === undefined) throw malformed('has an import of a type that is not there');
    at.type = type;
    at.place = this.standIns.push(at) - 1;
    return at;
  }

  private define(linked: LinkedModule): void {
    const { parts } = linked;
    const { bytes } = parts;
    for (let i = 0; i < parts.functions.length; i++) linked.functions.push(this.totals.functions++);
    for (const span of parts.tables) linked.tables.push(this.tables.push({ bytes, span }) - 1);
    for (const span of parts.memories) this.memories.push({ bytes, span });
    for (const global of parts.globals) linked.globals.push(this.globals.push({ ...global, module: linked }) - 1);
    this.totals.types += parts.types.length;
    this.totals.elements += parts.elementCount;
    this.totals.data += parts.dataCount;
  }

  /** Of the function that runs all start functions, behind the last of the stand-ins. */
  private get startIndex(): number {
    return this.totals.functions + this.standIns.length;
  }

  private indexOf(at: CoreFunction): number {
    if (typeof at === 'number') return at;
    // Nobody was given it: nobody can call it either.
    if (at.place < 0) throw malformed(`names "${at.name}" and gives it to no core module`);
    return this.totals.functions + at.place;
  }

  private relocation(module: LinkedModule): Relocation {
    if (module.relocation === null) {
      const { types, elements, data, tables, globals } = module;
      const functions = module.functions.map((at) => this.indexOf(at));
      module.relocation = { types, elements, data, functions, tables, globals };
    }
    return module.relocation;
  }

  private typeSection(): ByteWriter {
    const types = [...this.modules.flatMap(({ parts }) => parts.types), ...this.standIns.map(({ type }) => type!)];
    const body = new ByteWriter().u32(types.length + 1);
    for (const { params, results } of types) {
      body.byte(0x60).u32(params.length).raw(params).u32(results.length).raw(results);
    }
    return body.raw([0x60, 0, 0]);
  }

  private functionSection(): ByteWriter {
    const { functions, types } = this.totals;
    const body = new ByteWriter(functions * 3).u32(functions + this.standIns.length + this.ownFunctions);
    for (const module of this.modules) for (const type of module.parts.functions) body.u32(module.types + type);
    this.standIns.forEach((_, i) => {
      body.u32(types + i);
    });
    return this.ownFunctions === 0 ? body : body.u32(types + this.standIns.length);
  }

  private get ownFunctions(): number {
    return this.starts.length === 0 ? 0 : 1;
  }

  private globalSection(): ByteWriter {
    const body = new ByteWriter().u32(this.globals.length + (this.standIns.length === 0 ? 0 : 2));
    this.globals.forEach(({ module, head, init }) => {
      body.raw(module.parts.bytes.subarray(head.start, head.end));
      this.constant(body, module, new ByteReader(module.parts.bytes, init.start, init.end));
    });
    if (this.standIns.length === 0) return body;
    body.raw([ValueType.f64, 1, Op.f64Const, 0, 0, 0, 0, 0, 0, 0, 0, Op.end]);
    return body.raw([ValueType.i64, 1, Op.i64Const, 0, Op.end]);
  }

  private exportSection(exports: ReadonlyMap<string, CoreFunction>): ByteWriter {
    const body = new ByteWriter().u32(exports.size + this.memories.length);
    for (const _ of this.memories) body.name('memory').byte(CoreSort.memory).u32(0);
    for (const [name, at] of exports) body.name(name).byte(CoreSort.function).u32(this.indexOf(at));
    return body;
  }

  private elementSection(): ByteWriter {
    const body = new ByteWriter().u32(this.totals.elements);
    for (const module of this.modules) {
      const { elements, elementCount } = module.parts;
      if (elements === null) continue;
      const constant = (reader: ByteReader) => this.constant(body, module, reader);
      const context = { relocation: this.relocation(module), entries: this.entries, constant };
      for (let i = 0; i < elementCount; i++) relocateElements(body, elements, context);
    }
    return body;
  }

  private dataSection(): ByteWriter {
    const body = new ByteWriter().u32(this.totals.data);
    for (const module of this.modules) {
      const { data, dataCount } = module.parts;
      const constant = (reader: ByteReader) => this.constant(body, module, reader);
      if (data === null) continue;
      for (let i = 0; i < dataCount; i++) copyData(body, data, constant);
    }
    return body;
  }

  /** A first value or an offset. That of a global of another module, which is not imported any more, is written in its place. */
  private constant(writer: ByteWriter, module: LinkedModule, reader: ByteReader, depth = 0): void {
    const start = reader.at;
    if (reader.byte() === Op.globalGet && depth < CONSTANT_DEPTH_MAX) {
      const global = this.globals[module.globals[reader.u32()]];
      if (reader.byte() === Op.end && global !== undefined && isConstant(global)) {
        const { init } = global;
        const first = new ByteReader(global.module.parts.bytes, init.start, init.end);
        this.constant(writer, global.module, first, depth + 1);
        return;
      }
    }
    reader.at = start;
    skipConstant(reader, 'a core module');
    relocateCode(writer, new ByteReader(reader.bytes, start, reader.at), this.relocation(module));
  }

  private codeSection(): ByteWriter {
    const { functions } = this.totals;
    const body = new ByteWriter(this.modules.reduce((sum, { parts }) => sum + parts.bytes.length, 65536));
    body.u32(functions + this.standIns.length + this.ownFunctions);
    for (const module of this.modules) {
      const { bytes, bodies } = module.parts;
      for (const span of bodies) body.sized(this.body(module, new ByteReader(bytes, span.start, span.end)));
    }
    for (const standIn of this.standIns) body.sized(this.standIn(standIn));
    if (this.ownFunctions === 0) return body;
    const calls = this.starts.flatMap((at) => call(this.indexOf(at)));
    return body.sized(Uint8Array.from([0, ...calls, Op.end]));
  }

  private body(module: LinkedModule, reader: ByteReader): Uint8Array {
    const { at, end } = reader;
    for (let groups = reader.u32(); groups > 0; groups--) {
      reader.u32();
      readValueType(reader, 'a core module');
    }
    const writer = new ByteWriter(end - at + 64).raw(reader.bytes.subarray(at, reader.at));
    relocateCode(writer, reader, this.relocation(module));
    return writer.bytes();
  }

  private standIn({ name, realloc, type }: StandIn): Uint8Array {
    const { locals, code } = standInCode(name, type!, {
      realloc: realloc === null ? null : this.indexOf(realloc),
      clockGlobal: this.globals.length,
      chanceGlobal: this.globals.length + 1,
    });
    const body = new ByteWriter().u32(locals.length);
    for (const local of locals) body.u32(1).byte(local);
    return body.raw(code).byte(Op.end).bytes();
  }

  /** Trap texts carry them: of what is not there, the name of the import. */
  private nameSection(): ByteWriter {
    const names: [number, string][] = [];
    for (const { parts, functions } of this.modules) {
      const imported = functions.length - parts.functions.length;
      for (const [index, name] of parts.names) {
        if (index >= imported && index < functions.length) names.push([functions[index] as number, name]);
      }
    }
    for (const { name, place } of this.standIns) names.push([this.totals.functions + place, name]);
    const list = new ByteWriter().u32(names.length);
    for (const [index, name] of names) list.u32(index).name(name);
    return new ByteWriter().name('name').section(1, list);
  }
}

function isConstant({ changes, init }: LinkedGlobal): boolean {
  return !changes && init.end - init.start <= CONSTANT_BYTES_MAX;
}

function copied(spans: readonly { bytes: Uint8Array; span: Span }[]): ByteWriter {
  const body = new ByteWriter().u32(spans.length);
  for (const { bytes, span } of spans) body.raw(bytes.subarray(span.start, span.end));
  return body;
}

function itemAt(linked: LinkedModule, sort: number, index: number): CoreFunction {
  if (sort === CoreSort.function) return functionAt(linked, index);
  if (sort === CoreSort.memory) return 0;
  const at = sort === CoreSort.table ? linked.tables[index] : linked.globals[index];
  if (at === undefined)
    throw malformed(`has a core module that exports a table or global ${index} that it does not have`);
  return at;
}

function functionAt(linked: LinkedModule, index: number): CoreFunction {
  const at = linked.functions[index];
  if (at === undefined) throw malformed(`has a core module that names a function ${index} that it does not have`);
  return at;
}
