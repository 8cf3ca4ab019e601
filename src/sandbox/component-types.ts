import { Failure } from '../base/failure.js';
import { type ByteReader, malformed } from './byte-reader.js';
import { MODULE_LIMITS } from './limits.js';

const PRIMITIVES: Readonly<Record<number, string>> = {
  127: 'bool',
  126: 's8',
  125: 'u8',
  124: 's16',
  123: 'u16',
  122: 's32',
  121: 'u32',
  120: 's64',
  119: 'u64',
  118: 'f32',
  117: 'f64',
  116: 'char',
  115: 'string',
};

/** Of what a name or an index is, outside of core modules. */
export const Sort = { core: 0, function: 1, type: 3, instance: 5 } as const;

/** Types of instances within one another. */
const NESTING_MAX = 10;

/** A few bytes can stand for a type as long as one likes. */
const TEXT_CHARACTERS_MAX = 4_000;

/** Types of a component in one line each, as WIT would have them: `list<record{name:string}>`. */
export class ComponentTypes {
  private readonly texts: string[] = [];

  /** Of a type by its index. */
  text(index: number): string {
    return this.texts[index] ?? '?';
  }

  /** A type that came by another way than a definition. */
  add(text: string): void {
    if (this.texts.length === MODULE_LIMITS.types) {
      throw new Failure('module-limit', `the component has too many types; at most ${MODULE_LIMITS.types} are allowed`);
    }
    this.texts.push(text);
  }

  /** Reads a section of definitions. False when there is one among them that this does not know. */
  readSection(section: ByteReader): boolean {
    for (let count = section.u32(); count > 0; count--) {
      const text = this.definition(section);
      if (text === null) return false;
      this.add(text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, 100)}…` : text);
    }
    return true;
  }

  private definition(reader: ByteReader, nested = 0): string | null {
    const form = reader.byte();
    if (PRIMITIVES[form] !== undefined) return PRIMITIVES[form];
    switch (form) {
      case 0x72:
        return `record{${this.list(reader, () => `${reader.name()}:${this.value(reader)}`)}}`;
      case 0x71:
        return `variant{${this.list(reader, () => this.variantCase(reader))}}`;
      case 0x70:
        return `list<${this.value(reader)}>`;
      case 0x6f:
        return `tuple<${this.list(reader, () => this.value(reader))}>`;
      case 0x6e:
        return `flags{${this.list(reader, () => reader.name())}}`;
      case 0x6d:
        return `enum{${this.list(reader, () => reader.name())}}`;
      case 0x6b:
        return `option<${this.value(reader)}>`;
      case 0x6a:
        return `result<${this.optional(reader) ?? '_'},${this.optional(reader) ?? '_'}>`;
      case 0x40:
        return this.functionType(reader);
      case 0x41:
      case 0x42:
        return this.declarations(reader, nested);
      case 0x68:
      case 0x69:
        reader.u32();
        return '?';
      case 0x3f:
        return this.resource(reader);
      default:
        return null;
    }
  }

  /** Of an instance or a component: only read to its end, as nothing that is lifted is one. */
  private declarations(reader: ByteReader, nested: number): string | null {
    if (nested === NESTING_MAX) return null;
    for (let count = reader.u32(); count > 0; count--) {
      const kind = reader.byte();
      if (kind === Declaration.type) {
        if (this.definition(reader, nested + 1) === null) return null;
      } else if (kind === Declaration.alias) skipAlias(reader);
      else if (kind === Declaration.import || kind === Declaration.export) {
        externName(reader);
        skipDescription(reader);
      } else return null;
    }
    return '?';
  }

  private resource(reader: ByteReader): string {
    reader.byte();
    if (reader.byte() === 1) reader.u32();
    return '?';
  }

  private variantCase(reader: ByteReader): string {
    const name = reader.name();
    const value = this.optional(reader);
    // Once a case could refine another; this byte is left of that.
    reader.byte();
    return value === null ? name : `${name}(${value})`;
  }

  private functionType(reader: ByteReader): string {
    const params = this.list(reader, () => `${reader.name()}:${this.value(reader)}`);
    const results = reader.byte();
    if (results === 0) return `func(${params})->${this.value(reader)}`;
    reader.byte();
    return `func(${params})`;
  }

  private optional(reader: ByteReader): string | null {
    return reader.byte() === 0 ? null : this.value(reader);
  }

  /** A primitive type, or the index of another. */
  private value(reader: ByteReader): string {
    const first = reader.bytes[reader.at];
    if (PRIMITIVES[first] === undefined) return this.text(reader.u32());
    reader.byte();
    return PRIMITIVES[first];
  }

  private list(reader: ByteReader, item: () => string): string {
    const items: string[] = [];
    let characters = 0;
    for (let count = reader.u32(); count > 0; count--) {
      const text = item();
      characters += text.length;
      // Read to its end, but not kept.
      if (characters <= TEXT_CHARACTERS_MAX) items.push(text);
    }
    return characters > TEXT_CHARACTERS_MAX ? `${items.join(',').slice(0, 100)}…` : items.join(',');
  }
}

const Declaration = { type: 1, alias: 2, import: 3, export: 4 } as const;

export function externName(reader: ByteReader): string {
  const form = reader.byte();
  if (form > 1) throw malformed(`has a name of the form ${form}`);
  return reader.name();
}

/** Skips what an import or export is said to be; answers its sort. */
export function skipDescription(reader: ByteReader): number {
  const sort = reader.byte();
  // Of a core module there is one more byte; a type is equal to another, or a resource.
  if (sort === Sort.core) reader.byte();
  if (sort !== Sort.type || reader.byte() === 0) reader.u32();
  return sort;
}

function skipAlias(reader: ByteReader): void {
  if (reader.byte() === Sort.core) reader.byte();
  const isOuter = reader.byte() === 2;
  reader.u32();
  if (isOuter) reader.u32();
  else reader.name();
}
