import { Failure } from '../base/failure.js';
import type { ByteReader } from './byte-reader.js';
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

  private definition(reader: ByteReader): string | null {
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
      default:
        return null;
    }
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
