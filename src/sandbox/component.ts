import { Failure } from '../base/failure.js';
import { ByteReader, malformed } from './byte-reader.js';
import { checkLifts, FUNCTION_NAMES, interfaceOf, type Lift, type Lifts } from './component-contract.js';
import type { ComponentFunctionName } from './component-functions.js';
import { ComponentTypes } from './component-types.js';
import { MANIFEST_SECTION, MODULE_LIMITS } from './limits.js';

/** A component that is no more than one core module with types around it. */
export interface PlainComponent {
  /** The core module: a part of the component's bytes. */
  readonly core: Uint8Array;
  readonly lifts: Lifts;
  readonly manifest: string | null;
}

const SECTIONS_MAX = 10_000;
/** Of all sections together: each may be two bytes of the component, and a hundred times as much here. */
const ENTRIES_MAX = 10_000;
const NAME_CHARACTERS_MAX = 100;

const Section = {
  custom: 0,
  coreModule: 1,
  coreInstance: 2,
  coreType: 3,
  component: 4,
  instance: 5,
  alias: 6,
  type: 7,
  canon: 8,
  import: 10,
  export: 11,
} as const;

/** Of what a name or an index is, outside of core modules. */
const Sort = { core: 0, function: 1, type: 3, instance: 5 } as const;
const CoreSort = { function: 0, memory: 2 } as const;

/** Whether the bytes are a component: their header says so. */
export function isComponent(wasm: Uint8Array): boolean {
  return Buffer.compare(wasm.subarray(0, 8), COMPONENT_HEADER) === 0;
}

const COMPONENT_HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);

/**
 * Opens a component. Answers null when it is more than `PlainComponent` can hold (several core modules, components within it, other encodings):
 * then it has to be linked. Throws a `Failure` that says what no plugin may be.
 */
export function openComponent(wasm: Uint8Array): PlainComponent | null {
  if (wasm.length > MODULE_LIMITS.componentBytes) {
    const text = `the component has ${wasm.length} bytes; at most ${MODULE_LIMITS.componentBytes} are allowed`;
    throw new Failure('module-size', text);
  }
  return new Opening(wasm).run();
}

/** Thrown where a component turns out to be more than plain. */
class NotPlain extends Error {}

/** One pass over the sections. */
class Opening {
  private readonly wasm: Uint8Array;
  private readonly types = new ComponentTypes();
  private cores: Uint8Array[] = [];
  private coreInstances = 0;
  /** Index spaces: core functions by their export's name, functions of the component, and instances by what is in them. */
  private readonly coreFunctions: string[] = [];
  private memories = 0;
  private readonly functions: Lift[] = [];
  private readonly instances: ReadonlyMap<string, number>[] = [];
  private readonly exported = new Map<string, ReadonlyMap<string, number>>();
  private manifest: string | null = null;
  private entries = 0;

  constructor(wasm: Uint8Array) {
    this.wasm = wasm;
  }

  run(): PlainComponent | null {
    let plain = true;
    const reader = new ByteReader(this.wasm, 8);
    for (let sections = 0; !reader.done; sections++) {
      if (sections === SECTIONS_MAX) throw tooMany('sections', SECTIONS_MAX);
      const id = reader.byte();
      const section = reader.part(reader.u32());
      plain = this.section(id, section, plain);
    }
    if (!plain) return null;
    const lifts = this.lifts();
    checkLifts(lifts, this.exported);
    if (this.cores.length !== 1 || lifts.get('process')!.realloc === null || this.memories !== 1) return null;
    return { core: this.cores[0], lifts, manifest: this.manifest };
  }

  /** Imports are looked for and the manifest read in whatever is not plain, too. */
  private section(id: number, section: ByteReader, plain: boolean): boolean {
    if (id === Section.custom) this.custom(section);
    else if (id === Section.import) refuseImports(section);
    else if (plain) {
      try {
        this.plainSection(id, section);
      } catch (error) {
        if (error instanceof NotPlain) return false;
        throw error;
      }
    }
    return plain;
  }

  private custom(section: ByteReader): void {
    if (section.name() !== MANIFEST_SECTION) return;
    const bytes = section.end - section.at;
    if (this.manifest !== null)
      throw new Failure('module-manifest', `the component has a second section "${MANIFEST_SECTION}"`);
    if (bytes > MODULE_LIMITS.manifestBytes)
      throw tooMany(`bytes of "${MANIFEST_SECTION}"`, MODULE_LIMITS.manifestBytes);
    this.manifest = Buffer.from(section.bytes.subarray(section.at, section.end)).toString('utf8');
  }

  private plainSection(id: number, section: ByteReader): void {
    switch (id) {
      case Section.coreModule:
        this.cores.push(section.bytes.subarray(section.at, section.end));
        if (this.cores.length > 1) throw new NotPlain();
        return;
      case Section.coreInstance:
        this.coreInstance(section);
        return;
      case Section.component:
        checkHasNoModules(section);
        return;
      case Section.type:
        if (!this.types.readSection(section)) throw new NotPlain();
        return;
      case Section.alias:
        this.each(section, () => this.alias(section));
        return;
      case Section.canon:
        this.each(section, () => this.lift(section));
        return;
      case Section.instance:
        this.each(section, () => this.instance(section));
        return;
      case Section.export:
        this.each(section, () => this.export(section));
        return;
      default:
        throw new NotPlain();
    }
  }

  /** The core module, as it is. */
  private coreInstance(section: ByteReader): void {
    const plain = section.u32() === 1 && section.byte() === 0 && section.u32() === 0 && section.u32() === 0;
    if (!plain || ++this.coreInstances > 1) throw new NotPlain();
  }

  /** Names for what the core instance exports, and for types that were exported before. */
  private alias(section: ByteReader): void {
    const outer = section.byte();
    const sort = outer === Sort.core ? section.byte() : outer;
    const target = section.byte();
    const instance = section.u32();
    if (outer === Sort.type && target === 0) {
      section.name();
      // What such a type is made of nobody needs to know here: functions are lifted with the types that were exported.
      this.types.add('?');
      return;
    }
    if (outer !== Sort.core || target !== 1 || instance !== 0) throw new NotPlain();
    const name = section.name();
    if (sort === CoreSort.function) this.coreFunctions.push(name);
    else if (sort === CoreSort.memory) this.memories++;
    else throw new NotPlain();
  }

  private lift(section: ByteReader): void {
    if (section.byte() !== 0 || section.byte() !== 0) throw new NotPlain();
    const core = this.coreFunction(section.u32());
    let realloc: string | null = null;
    let post: string | null = null;
    this.each(section, () => {
      const option = section.byte();
      if (option === CanonOption.utf8) return;
      const index = option <= CanonOption.post ? section.u32() : 0;
      if (option === CanonOption.realloc) realloc = this.coreFunction(index);
      else if (option === CanonOption.post) post = this.coreFunction(index);
      else if (option !== CanonOption.memory) throw new NotPlain();
    });
    this.functions.push({ core, realloc, post, type: this.types.text(section.u32()) });
  }

  private coreFunction(index: number): string {
    const name = this.coreFunctions[index];
    if (name === undefined) throw malformed(`names core function ${index} and has ${this.coreFunctions.length}`);
    return name;
  }

  /** Functions that it is given, or is made of, by name: those that go in come out as they are. */
  private instance(section: ByteReader): void {
    const functions = new Map<string, number>();
    const inline = section.byte() === 1;
    if (!inline) section.u32();
    this.each(section, () => {
      const name = inline ? externName(section) : section.name();
      const { sort, index } = sortIndex(section);
      if (sort === Sort.function) functions.set(inline ? name : name.replace(/^import-func-/, ''), index);
    });
    this.instances.push(functions);
  }

  private export(section: ByteReader): void {
    const name = externName(section);
    const { sort, index } = sortIndex(section);
    if (section.byte() !== 0) throw new NotPlain();
    if (sort === Sort.instance) {
      const instance = this.instances[index];
      if (instance === undefined) throw malformed(`exports instance ${index} and has ${this.instances.length}`);
      this.exported.set(name, instance);
      // What is exported has an index of its own.
      this.instances.push(instance);
    } else if (sort === Sort.type) this.types.add(this.types.text(index));
    else if (sort === Sort.function) this.functions.push(this.functions[index]);
    else throw new NotPlain();
  }

  private each(section: ByteReader, read: () => void): void {
    for (let count = section.u32(); count > 0; count--) {
      if (++this.entries > ENTRIES_MAX) throw tooMany('entries', ENTRIES_MAX);
      read();
    }
  }

  private lifts(): Lifts {
    const lifts = new Map<ComponentFunctionName, Lift>();
    for (const name of FUNCTION_NAMES) {
      const index = this.exported.get(interfaceOf(name))?.get(name);
      const lift = index === undefined ? undefined : this.functions[index];
      if (lift !== undefined) lifts.set(name, lift);
    }
    return lifts;
  }
}

const CanonOption = { utf8: 0, utf16: 1, latin1: 2, memory: 3, realloc: 4, post: 5 } as const;

function externName(section: ByteReader): string {
  if (section.byte() > 1) throw new NotPlain();
  return section.name();
}

function sortIndex(section: ByteReader): { sort: number; index: number } {
  const sort = section.byte();
  if (sort === Sort.core) section.byte();
  return { sort, index: section.u32() };
}

/** A component within is only there to name the types of what goes through it. */
function checkHasNoModules(section: ByteReader): void {
  section.skip(8);
  while (!section.done) {
    const id = section.byte();
    if (id === Section.coreModule || id === Section.component) throw new NotPlain();
    section.skip(section.u32());
  }
}

function refuseImports(section: ByteReader): void {
  if (section.u32() === 0) return;
  section.byte();
  const name = section.name();
  const quoted = JSON.stringify(name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX)}…` : name);
  throw new Failure('module-import', `the component imports ${quoted}; a plugin may import nothing`);
}

function tooMany(what: string, max: number): Failure {
  return new Failure('module-limit', `the component has too many ${what}; at most ${max} are allowed`);
}
