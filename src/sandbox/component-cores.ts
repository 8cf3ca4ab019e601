import { malformed } from './byte-reader.js';
import { type CoreFunction, type CoreInstance, type CoreItem, CoreLinker } from './core-linker.js';
import { CoreSort } from './core-parts.js';

/** What a core instance is made of: a module with what it is given, by the names it imports from; or names for what is there. */
type InstanceDefinition =
  | { readonly module: number; readonly given: ReadonlyMap<string, number> }
  | { readonly exports: ReadonlyMap<string, { readonly sort: number; readonly index: number }> };

/** What has an index: an export of a core instance, or, of functions, one that stands for what the component imports. */
type Definition =
  | { readonly instance: number; readonly name: string }
  | { readonly standIn: string; readonly realloc: number | null };

/** A component's core modules, and what is aliased of them and lowered for them: its core index spaces. */
export class ComponentCores {
  private readonly modules: Uint8Array[] = [];
  private readonly instances: InstanceDefinition[] = [];
  /** By `CoreSort`. */
  private readonly spaces: readonly Definition[][] = [[], [], [], []];

  addModule(bytes: Uint8Array): void {
    this.modules.push(bytes);
  }

  addInstance(definition: InstanceDefinition): void {
    this.instances.push(definition);
  }

  add(sort: number, definition: Definition): void {
    const space = this.spaces[sort];
    if (space === undefined) throw malformed(`has an alias of the core sort ${sort}`);
    space.push(definition);
  }

  get memories(): number {
    return this.spaces[CoreSort.memory].length;
  }

  /** The core module, when there is but one and it is given nothing: then functions are called by the names that it exports. */
  get only(): Uint8Array | null {
    const [instance] = this.instances;
    const isAlone = this.modules.length === 1 && this.instances.length === 1;
    return isAlone && 'module' in instance && instance.module === 0 && instance.given.size === 0
      ? this.modules[0]
      : null;
  }

  /** The name by which a function is called: of the only core module, or of what `link` makes. */
  nameOf(index: number): string {
    const definition = this.definition(CoreSort.function, index);
    return this.only !== null && 'name' in definition ? definition.name : `core:${index}`;
  }

  /** Makes one core module of all, which exports functions by their names. */
  link(functions: ReadonlyMap<string, number>): { bytes: Uint8Array; clockGlobal: number | null } {
    return new Linking(this.modules, this.instances, (sort, index) => this.definition(sort, index)).run(functions);
  }

  private definition(sort: number, index: number): Definition {
    const found = this.spaces[sort]?.[index];
    if (found === undefined) throw malformed(`names a core item ${index} of the sort ${sort}, which it does not have`);
    return found;
  }
}

/** Follows the definitions, which only name what comes before them. */
class Linking {
  private readonly modules: readonly Uint8Array[];
  private readonly definitions: readonly InstanceDefinition[];
  private readonly definition: (sort: number, index: number) => Definition;
  private readonly linker = new CoreLinker();
  private readonly instances: CoreInstance[] = [];
  private readonly used = new Set<number>();
  private readonly standIns = new Map<number, CoreFunction>();

  constructor(
    modules: readonly Uint8Array[],
    definitions: readonly InstanceDefinition[],
    definition: (sort: number, index: number) => Definition,
  ) {
    this.modules = modules;
    this.definitions = definitions;
    this.definition = definition;
  }

  run(functions: ReadonlyMap<string, number>): { bytes: Uint8Array; clockGlobal: number | null } {
    for (const definition of this.definitions) this.instances.push(this.instance(definition));
    const exports = new Map<string, CoreFunction>();
    for (const [name, index] of functions) exports.set(name, this.item(CoreSort.function, index).at);
    return this.linker.link(exports);
  }

  private instance(definition: InstanceDefinition): CoreInstance {
    if ('exports' in definition) {
      const items = new Map<string, CoreItem>();
      for (const [name, { sort, index }] of definition.exports) items.set(name, this.item(sort, index));
      return items;
    }
    const { module, given } = definition;
    const bytes = this.modules[module];
    // Twice the same would be twice as much as was uploaded, or a thousand times.
    if (bytes === undefined || this.used.has(module))
      throw malformed(`has core module ${module} more than once, or not at all`);
    this.used.add(module);
    const instances = new Map<string, CoreInstance>();
    for (const [name, index] of given) instances.set(name, this.made(index));
    return this.linker.instantiate(bytes, instances);
  }

  private made(index: number): CoreInstance {
    const instance = this.instances[index];
    if (instance === undefined) throw malformed(`uses core instance ${index} before it is made`);
    return instance;
  }

  private item(sort: number, index: number): CoreItem {
    const definition = this.definition(sort, index);
    if ('standIn' in definition) return { sort, at: this.standIn(index, definition) };
    const item = this.made(definition.instance).get(definition.name);
    if (item === undefined || item.sort !== sort)
      throw malformed(`names a core export that is not there, or of another sort than ${sort}`);
    return item;
  }

  private standIn(index: number, { standIn, realloc }: Extract<Definition, { standIn: string }>): CoreFunction {
    let made = this.standIns.get(index);
    if (made === undefined) {
      if (realloc !== null && realloc >= index) throw malformed(`uses core function ${realloc} before it is made`);
      const allocator = realloc === null ? null : this.item(CoreSort.function, realloc).at;
      made = { name: standIn, realloc: allocator, type: null, place: -1 };
      this.standIns.set(index, made);
    }
    return made;
  }
}
