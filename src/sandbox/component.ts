import { Failure } from '../base/failure.js';
import { ByteReader, malformed } from './byte-reader.js';
import { checkLifts, FUNCTION_NAMES, interfaceOf, type Lift, type Lifts } from './component-contract.js';
import { ComponentCores } from './component-cores.js';
import type { ComponentFunctionName } from './component-functions.js';
import { RESOURCE_DROP } from './component-stand-ins.js';
import { ComponentTypes, externName, Sort, skipDescription } from './component-types.js';
import { CoreSort } from './core-parts.js';
import { MANIFEST_SECTION, MODULE_LIMITS } from './limits.js';

/** A component as one core module. */
export interface OpenedComponent {
  /** The core module: a part of the component's bytes, or made of several. */
  readonly core: Uint8Array;
  readonly lifts: Lifts;
  /** The core module's global that holds the time of the message; null when nothing reads it. */
  readonly clockGlobal: number | null;
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

const CORE_INSTANCE = 0x12;

/** What may be imported, since nothing is behind it. */
const WASI = 'wasi:';

/** Whether the bytes are a component: their header says so. */
export function isComponent(wasm: Uint8Array): boolean {
  return Buffer.compare(wasm.subarray(0, 8), COMPONENT_HEADER) === 0;
}

const COMPONENT_HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);

/**
 * Opens a component. One core module is taken as it is, several become one; what a component imports of WASI is in it too, as functions with nothing
 * behind them. Throws a `Failure` that says what no plugin may be.
 */
export function openComponent(wasm: Uint8Array): OpenedComponent {
  if (wasm.length > MODULE_LIMITS.componentBytes) {
    const text = `the component has ${wasm.length} bytes; at most ${MODULE_LIMITS.componentBytes} are allowed`;
    throw new Failure('module-size', text);
  }
  return new Opening(wasm).run();
}

/** Thrown where a component turns out to be more than this can make a guest of; says what it has. */
class NotOne extends Error {}

/** A function that the component imports, as `wasi:cli/stdout@0.2.3#get-stdout`. */
interface Imported {
  readonly imported: string;
}

/** What has a name in an instance; one that is imported has whatever it is asked for. */
interface ComponentInstance {
  readonly functions: ReadonlyMap<string, number>;
  readonly imported: string | null;
}

/** A lifted function, by indexes of core functions. */
interface CoreLift {
  readonly core: number;
  readonly realloc: number | null;
  readonly post: number | null;
  readonly type: string;
}

/** One pass over the sections. */
class Opening {
  private readonly wasm: Uint8Array;
  private readonly types = new ComponentTypes();
  private readonly cores = new ComponentCores();
  private coreFunctions = 0;
  /** Index spaces. */
  private readonly functions: (CoreLift | Imported)[] = [];
  private readonly instances: ComponentInstance[] = [];
  private readonly exported = new Map<string, ReadonlyMap<string, number>>();
  private manifest: string | null = null;
  private entries = 0;

  constructor(wasm: Uint8Array) {
    this.wasm = wasm;
  }

  run(): OpenedComponent {
    let more: NotOne | null = null;
    const reader = new ByteReader(this.wasm, 8);
    for (let sections = 0; !reader.done; sections++) {
      if (sections === SECTIONS_MAX) throw tooMany('sections', SECTIONS_MAX);
      const id = reader.byte();
      more = this.section(id, reader.part(reader.u32()), more);
    }
    if (more !== null) throw refused(more.message);
    const found = this.lifts();
    const named = new Map([...found].map(([name, lift]) => [name, this.named(lift)] as const));
    checkLifts(named, this.exported);
    if (named.get('process')!.realloc === null) throw refused('has no function that allocates memory for a message');
    const { core, clockGlobal } = this.core([...found.values()]);
    return { core, lifts: named, clockGlobal, manifest: this.manifest };
  }

  /** Imports are looked for and the manifest read in whatever is refused for more than that, too. */
  private section(id: number, section: ByteReader, more: NotOne | null): NotOne | null {
    if (id === Section.custom) this.custom(section);
    else if (id === Section.import) this.each(section, () => this.import(section, more !== null));
    else if (more === null) {
      try {
        this.knownSection(id, section);
      } catch (error) {
        if (error instanceof NotOne) return error;
        throw error;
      }
    }
    return more;
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

  private knownSection(id: number, section: ByteReader): void {
    switch (id) {
      case Section.coreModule:
        this.cores.addModule(section.bytes.subarray(section.at, section.end));
        return;
      case Section.coreInstance:
        this.each(section, () => this.coreInstance(section));
        return;
      case Section.component:
        checkHasNoModules(section);
        return;
      case Section.type:
        if (!this.types.readSection(section)) throw new NotOne('has types that are not known here');
        return;
      case Section.alias:
        this.each(section, () => this.alias(section));
        return;
      case Section.canon:
        this.each(section, () => this.canon(section));
        return;
      case Section.instance:
        this.each(section, () => this.instance(section));
        return;
      case Section.export:
        this.each(section, () => this.export(section));
        return;
      default:
        throw new NotOne(`has a section with id ${id}`);
    }
  }

  /** What nothing is behind may be imported, and types. */
  private import(section: ByteReader, skipped: boolean): void {
    const name = externName(section);
    if (!name.startsWith(WASI)) {
      const quoted = JSON.stringify(
        name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX)}…` : name,
      );
      throw new Failure(
        'module-import',
        `the component imports ${quoted}; a plugin may import nothing (but "${WASI}…")`,
      );
    }
    const sort = skipDescription(section);
    if (skipped) return;
    if (sort === Sort.function) this.functions.push({ imported: name });
    else if (sort === Sort.instance) this.instances.push({ functions: new Map(), imported: name });
    else if (sort === Sort.type) this.types.add('?');
    else throw malformed(`imports something of the sort ${sort}`);
  }

  /** A core module with what it is given, or names for what is there. */
  private coreInstance(section: ByteReader): void {
    if (section.byte() === 0) {
      const module = section.u32();
      const given = new Map<string, number>();
      this.each(section, () => {
        const name = section.name();
        if (section.byte() !== CORE_INSTANCE) throw malformed('gives a core module something that is no core instance');
        given.set(name, section.u32());
      });
      this.cores.addInstance({ module, given });
      return;
    }
    const exports = new Map<string, { sort: number; index: number }>();
    this.each(section, () => exports.set(section.name(), { sort: section.byte(), index: section.u32() }));
    this.cores.addInstance({ exports });
  }

  /** Names for what core instances export, and for types and functions of instances. */
  private alias(section: ByteReader): void {
    const outer = section.byte();
    const sort = outer === Sort.core ? section.byte() : outer;
    const target = section.byte();
    const instance = section.u32();
    if (outer === Sort.core && target === 1) {
      this.cores.add(sort, { instance, name: section.name() });
      if (sort === CoreSort.function) this.coreFunctions++;
      return;
    }
    if (target !== 0) throw new NotOne('names what is around it');
    const name = section.name();
    // What such a type is made of nobody needs to know here: functions are lifted with the types that were exported.
    if (outer === Sort.type) this.types.add('?');
    else if (outer === Sort.function) this.functions.push(this.functionOf(instance, name));
    else throw new NotOne(`names ${JSON.stringify(name.slice(0, NAME_CHARACTERS_MAX))} of the sort ${outer}`);
  }

  private functionOf(instance: number, name: string): CoreLift | Imported {
    const found = this.instances[instance];
    if (found === undefined) throw malformed(`names instance ${instance} and has ${this.instances.length}`);
    if (found.imported !== null) return { imported: `${found.imported}#${name}` };
    const index = found.functions.get(name);
    const known = index === undefined ? undefined : this.functions[index];
    if (known === undefined) throw malformed(`names a function that instance ${instance} does not have`);
    return known;
  }

  /** Functions that are lifted out of core modules, or lowered for them, and what resources need. */
  private canon(section: ByteReader): void {
    const kind = section.byte();
    if (kind === Canon.lift) this.lift(section);
    else if (kind === Canon.lower) this.lower(section);
    else if (kind === Canon.resourceDrop) {
      section.u32();
      this.addStandIn(RESOURCE_DROP, null);
    } else throw new NotOne('has resources of its own, or calls that do not return at once');
  }

  private lift(section: ByteReader): void {
    if (section.byte() !== 0) throw malformed('lifts what is no function');
    const core = this.coreFunction(section.u32());
    const { realloc, post } = this.options(section);
    this.functions.push({ core, realloc, post, type: this.types.text(section.u32()) });
  }

  private lower(section: ByteReader): void {
    if (section.byte() !== 0) throw malformed('lowers what is no function');
    const index = section.u32();
    const found = this.functions[index];
    if (found === undefined) throw malformed(`lowers function ${index} and has ${this.functions.length}`);
    if (!('imported' in found)) throw new NotOne('calls a function of its own by way of its types');
    this.addStandIn(found.imported, this.options(section).realloc);
  }

  private addStandIn(standIn: string, realloc: number | null): void {
    this.cores.add(CoreSort.function, { standIn, realloc });
    this.coreFunctions++;
  }

  private options(section: ByteReader): { realloc: number | null; post: number | null } {
    let realloc: number | null = null;
    let post: number | null = null;
    this.each(section, () => {
      const option = section.byte();
      if (option === CanonOption.utf8) return;
      if (option > CanonOption.post) throw new NotOne('has functions that do not return at once');
      if (option < CanonOption.memory) throw new NotOne('has strings that are not UTF-8');
      const index = section.u32();
      if (option === CanonOption.realloc) realloc = this.coreFunction(index);
      else if (option === CanonOption.post) post = this.coreFunction(index);
    });
    return { realloc, post };
  }

  private coreFunction(index: number): number {
    if (index < this.coreFunctions) return index;
    throw malformed(`names core function ${index} and has ${this.coreFunctions}`);
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
    this.instances.push({ functions, imported: null });
  }

  private export(section: ByteReader): void {
    const name = externName(section);
    const { sort, index } = sortIndex(section);
    if (section.byte() !== 0) skipDescription(section);
    if (sort === Sort.instance) {
      const instance = this.instances[index];
      if (instance === undefined) throw malformed(`exports instance ${index} and has ${this.instances.length}`);
      this.exported.set(name, instance.functions);
      // What is exported has an index of its own.
      this.instances.push(instance);
    } else if (sort === Sort.type) this.types.add(this.types.text(index));
    else if (sort === Sort.function) this.functions.push(this.functions[index]);
    else throw new NotOne(`exports ${JSON.stringify(name.slice(0, NAME_CHARACTERS_MAX))}, which is no interface`);
  }

  private each(section: ByteReader, read: () => void): void {
    for (let count = section.u32(); count > 0; count--) {
      if (++this.entries > ENTRIES_MAX) throw tooMany('entries', ENTRIES_MAX);
      read();
    }
  }

  private lifts(): Map<ComponentFunctionName, CoreLift> {
    const lifts = new Map<ComponentFunctionName, CoreLift>();
    for (const name of FUNCTION_NAMES) {
      const index = this.exported.get(interfaceOf(name))?.get(name);
      const lift = index === undefined ? undefined : this.functions[index];
      if (lift !== undefined && 'core' in lift) lifts.set(name, lift);
    }
    return lifts;
  }

  private named({ core, realloc, post, type }: CoreLift): Lift {
    const name = (index: number | null) => (index === null ? null : this.cores.nameOf(index));
    return { core: this.cores.nameOf(core), realloc: name(realloc), post: name(post), type };
  }

  private core(lifts: readonly CoreLift[]): { core: Uint8Array; clockGlobal: number | null } {
    const { only } = this.cores;
    if (only !== null) return { core: only, clockGlobal: null };
    const exports = new Map<string, number>();
    for (const { core, realloc, post } of lifts)
      for (const index of [core, realloc, post]) if (index !== null) exports.set(this.cores.nameOf(index), index);
    const { bytes, clockGlobal } = this.cores.link(exports);
    return { core: bytes, clockGlobal };
  }
}

const Canon = { lift: 0, lower: 1, resourceDrop: 3 } as const;
const CanonOption = { utf8: 0, utf16: 1, latin1: 2, memory: 3, realloc: 4, post: 5 } as const;

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
    if (id === Section.coreModule || id === Section.component)
      throw new NotOne('is made of several components with core modules of their own');
    section.skip(section.u32());
  }
}

function refused(what: string): Failure {
  const text = `the component ${what}; a plugin is one component with one memory: link its parts before a component is made of them, or let each be a plugin and attach them one behind the other`;
  return new Failure('module-component', text);
}

function tooMany(what: string, max: number): Failure {
  return new Failure('module-limit', `the component has too many ${what}; at most ${max} are allowed`);
}
