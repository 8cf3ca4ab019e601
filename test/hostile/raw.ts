import { ByteWriter } from '../../src/sandbox/byte-writer.js';

const I32 = 0x7f;
const F64 = 0x7c;
const PARAMETERS = [I32, I32, I32, I32, I32, I32, I32, I32, F64, I32];
const END = 0x0b;

export interface RawParts {
  /** Further function types, whole: they begin at index 3. */
  types?: readonly (readonly number[])[];
  /** Bodies of further functions with the indexes of their types: they begin at function index 3. */
  functions?: readonly { type: number; body: Uint8Array }[];
  /** Body of `weir_message` behind its locals, without its end. */
  message?: readonly number[];
  /** Groups of locals of `weir_message`: count and type. */
  locals?: readonly (readonly [count: number, type: number])[];
  exports?: readonly (readonly [name: string, kind: number, index: number])[];
  /** Sections in place of, or beside, the usual ones, by their id. */
  sections?: Record<number, Uint8Array>;
  /** Whole sections behind the last one. */
  appended?: Uint8Array;
}

/** A guest byte by byte, for what the text format cannot say. `weir_open` answers 0. */
export function rawGuest(parts: RawParts = {}): Uint8Array {
  const writer = new ByteWriter(1024).raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const sections: Record<number, Uint8Array> = { ...usualSections(parts), ...parts.sections };
  for (const id of [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11]) {
    if (sections[id] !== undefined) writer.byte(id).sized(sections[id]);
  }
  return writer.raw(parts.appended ?? new Uint8Array(0)).bytes();
}

function usualSections({ types = [], functions = [], message = [0x41, 0], locals = [], exports = [] }: RawParts) {
  const typeSection = new ByteWriter()
    .u32(3 + types.length)
    .raw([0x60, 0, 1, I32])
    .raw([0x60, 2, I32, I32, 1, I32]);
  typeSection.raw([0x60, PARAMETERS.length, ...PARAMETERS, 1, I32]);
  for (const type of types) typeSection.raw(type);
  const functionSection = new ByteWriter().u32(3 + functions.length).raw([0, 1, 2]);
  for (const { type } of functions) functionSection.u32(type);
  const all = [['memory', 2, 0], ['weir_abi', 0, 0], ['weir_open', 0, 1], ['weir_message', 0, 2], ...exports] as const;
  const exportSection = new ByteWriter().u32(all.length);
  for (const [name, kind, index] of all) exportSection.name(name).byte(kind).u32(index);
  const code = new ByteWriter(1024)
    .u32(3 + functions.length)
    .sized(body([0x41, 1]))
    .sized(body([0x41, 0]))
    .sized(body(message, locals));
  for (const each of functions) code.sized(each.body);
  return {
    1: typeSection.bytes(),
    3: functionSection.bytes(),
    5: Uint8Array.of(1, 0, 4),
    7: exportSection.bytes(),
    10: code.bytes(),
  };
}

/** A function's body, with its locals and its end. */
export function body(
  code: ArrayLike<number>,
  locals: readonly (readonly [count: number, type: number])[] = [],
): Uint8Array {
  const writer = new ByteWriter(code.length + 64).u32(locals.length);
  for (const [count, type] of locals) writer.u32(count).byte(type);
  return writer.raw(code).byte(END).bytes();
}

/** The same bytes over and over. */
export function times(count: number, ...bytes: number[]): number[] {
  return new Array<number[]>(count).fill(bytes).flat();
}

/** A custom section. */
export function custom(name: string | Uint8Array, content: Uint8Array): Uint8Array {
  const nameBytes = Buffer.from(name);
  const section = new ByteWriter(content.length + nameBytes.length + 16)
    .u32(nameBytes.length)
    .raw(nameBytes)
    .raw(content);
  return new ByteWriter(section.length + 8).byte(0).sized(section.bytes()).bytes();
}
