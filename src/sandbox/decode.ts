import { Failure } from '../base/failure.js';
import { BodyCheck } from './body-check.js';
import { ByteReader, malformed } from './byte-reader.js';
import { skipConstant } from './constant.js';
import { CORE_CONTRACT, type Contract, checkContract } from './contract.js';
import { type DecodedModule, functionLabel, type Limits, typeOfFunction } from './decoded-module.js';
import { MANIFEST_SECTION, MODULE_LIMITS, type ModuleLimits, PAGE_BYTES } from './limits.js';
import { readFunctionNames } from './name-section.js';
import { isNumberType, readReferenceType, readValueType } from './value-types.js';

const QUOTED_CHARACTERS_MAX = 100;

/**
 * Reads a module by an allow-list of sections and instructions. Throws a `Failure` whose text says what was found and what is allowed.
 *
 * The allow-list and the limits come before the engine's own validation, which can be made to take seconds. And the original is validated,
 * not what is made of it: an index that is wrong here may be right there.
 */
export function decodeModule(
  bytes: Uint8Array,
  contract: Contract = CORE_CONTRACT,
  limits: ModuleLimits = MODULE_LIMITS,
): DecodedModule {
  if (bytes.length > limits.moduleBytes) {
    throw refused('size', `the module has ${bytes.length} bytes; at most ${limits.moduleBytes} are allowed`);
  }
  checkMagic(bytes);
  const module = new Decoder(bytes, contract, limits).run();
  if (!WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) throw refused('invalid', whyInvalid(bytes));
  checkContract(module, contract);
  return module;
}

function checkMagic(bytes: Uint8Array): void {
  const magic = [0x00, 0x61, 0x73, 0x6d];
  if (!magic.every((byte, i) => bytes[i] === byte)) {
    throw malformed('does not begin with the bytes 00 61 73 6d ("\\0asm")');
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
  private readonly module: DecodedModule;
  private readonly contract: Contract;
  private readonly limits: ModuleLimits;

  constructor(bytes: Uint8Array, contract: Contract, limits: ModuleLimits) {
    this.contract = contract;
    this.limits = limits;
    this.reader = new ByteReader(bytes, 8);
    this.module = {
      bytes,
      types: [],
      sections: new Map(),
      importedFunctions: [],
      functions: [],
      memory: { min: 0, max: null },
      tables: [],
      globals: 0,
      numberGlobals: [],
      plainState: true,
      component: null,
      exports: new Map(),
      start: null,
      bodies: [],
      functionNames: new Map(),
      manifest: null,
    };
  }

  run(): DecodedModule {
    while (!this.reader.done) {
      const id = this.reader.byte();
      const section = this.reader.part(this.reader.u32());
      this.module.sections.set(id, { start: section.at, end: section.end });
      this.section(id, section);
    }
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
    const name = section.name();
    if (name === 'name') this.module.functionNames = readFunctionNames(section);
    else if (name === MANIFEST_SECTION) this.manifest(section);
    this.module.sections.delete(0);
  }

  private manifest(section: ByteReader): void {
    if (this.module.manifest !== null)
      throw refused('manifest', `the module has a second section "${MANIFEST_SECTION}"`);
    atMost(`bytes of the section "${MANIFEST_SECTION}"`, section.end - section.at, this.limits.manifestBytes);
    this.module.manifest = Buffer.from(section.bytes.subarray(section.at, section.end)).toString('utf8');
  }

  private types(section: ByteReader): void {
    const count = atMost('types', section.u32(), this.limits.types);
    for (let i = 0; i < count; i++) {
      const form = section.byte();
      if (form !== 0x60)
        throw refused('type', `type ${i} has the form 0x${form.toString(16)}; only functions (0x60) are allowed`);
      const type = { params: valueTypes(section, `type ${i}`), results: valueTypes(section, `type ${i}`) };
      atMost(`results of type ${i}`, type.results.length, this.limits.results);
      this.module.types.push(type);
    }
  }

  private imports(section: ByteReader): void {
    for (let count = atMost('imports', section.u32(), this.limits.functions); count > 0; count--) {
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
    const count = atMost('functions', section.u32(), this.limits.functions);
    for (let i = 0; i < count; i++) this.module.functions.push(section.u32());
  }

  private tables(section: ByteReader): void {
    const count = atMost('tables', section.u32(), this.limits.tables);
    let entries = 0;
    for (let i = 0; i < count; i++) {
      const element = readReferenceType(section, `table ${i}`);
      const limits = readLimits(section, `table ${i}`);
      entries = atMost('table entries', entries + limits.min, this.limits.tableEntries);
      this.module.tables.push({ element, limits });
    }
  }

  private memory(section: ByteReader): void {
    const memories = section.u32();
    if (memories !== 1) throw refused('memory', `the module has ${memories} memories; exactly one is expected`);
    const limits = readLimits(section, 'the memory');
    if (limits.min > this.limits.memoryBytes / PAGE_BYTES) {
      throw refused(
        'memory',
        `the module asks for ${limits.min} pages of memory at once (${limits.min * PAGE_BYTES} bytes); at most ${this.limits.memoryBytes} bytes are allowed`,
      );
    }
    this.module.memory = limits;
  }

  private globals(section: ByteReader): void {
    this.module.globals = atMost('globals', section.u32(), this.limits.globals);
    for (let i = 0; i < this.module.globals; i++) {
      const type = readValueType(section, `global ${i}`);
      const changes = section.byte() === 1;
      skipConstant(section, `global ${i}`);
      if (changes && isNumberType(type)) this.module.numberGlobals.push(i);
      else if (changes) this.module.plainState = false;
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
      entries = atMost('element entries', entries + count, this.limits.elementEntries);
      for (let entry = 0; entry < count; entry++) {
        if (asExpressions) skipConstant(section, where);
        else section.u32();
      }
    }
  }

  private data(section: ByteReader): void {
    const segments = atMost('data segments', section.u32(), this.limits.dataSegments);
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
      if (this.contract.has(name)) {
        if (kind !== 0) throw refused('export', `the export ${JSON.stringify(name)} is not a function`);
        this.module.exports.set(name, index);
      } else if (name.startsWith('$weir') || name.startsWith('weir_')) {
        throw refused(
          'export',
          `the module exports ${quoted(name)}; names that begin with "weir_" or "$weir" are reserved for the contract`,
        );
      }
    }
    if (!memory) throw refused('export', 'the module does not export its memory as "memory"');
  }

  private code(section: ByteReader): void {
    const { module, limits } = this;
    const context = { types: module.types, limits, typeOfFunction: (index: number) => typeOfFunction(module, index) };
    let effort = 0;
    const count = section.u32();
    for (let i = 0; i < count; i++) {
      const size = section.u32();
      const index = module.importedFunctions.length + i;
      const where = functionLabel(module, index);
      if (size > limits.bodyBytes) {
        throw refused('body', `${where} has a body of ${size} bytes; at most ${limits.bodyBytes} are allowed`);
      }
      const body = section.part(size);
      module.bodies.push({ start: body.at, end: body.end });
      const check = new BodyCheck(body, where, context);
      check.run(module.types[module.functions[i]]);
      if (!check.plainState) module.plainState = false;
      effort += check.effort;
      if (effort > limits.moduleEffort) {
        throw refused(
          'effort',
          `the module would take too long to compile: up to ${where} its branches carry ${effort} locals and values; at most ${limits.moduleEffort} are allowed`,
        );
      }
    }
  }
}

function atMost(what: string, count: number, max: number): number {
  if (count > max) throw refused('limit', `the module has ${count} ${what}; at most ${max} are allowed`);
  return count;
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
