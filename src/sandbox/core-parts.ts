import { Failure } from '../base/failure.js';
import { ByteReader, malformed } from './byte-reader.js';
import { skipConstant } from './constant.js';
import type { FunctionType, Span } from './decoded-module.js';
import { readFunctionNames } from './name-section.js';
import { readReferenceType, readValueType } from './value-types.js';

/** What a core module imports or exports, as it is encoded. */
export const CoreSort = { function: 0, table: 1, memory: 2, global: 3 } as const;

interface CoreImport {
  readonly module: string;
  readonly name: string;
  readonly sort: number;
  /** Index of its type; of a function only. */
  readonly type: number;
}

/** The first value of a global, and whether it keeps it. */
interface CoreGlobal {
  readonly head: Span;
  readonly init: Span;
  readonly changes: boolean;
}

/** One core module of a component, taken apart: as much of it as linking it with others needs. Indexes are its own. */
export interface CoreParts {
  readonly bytes: Uint8Array;
  readonly types: FunctionType[];
  readonly imports: CoreImport[];
  /** Types of the functions defined here. */
  readonly functions: number[];
  readonly tables: Span[];
  readonly memories: Span[];
  readonly globals: CoreGlobal[];
  readonly exports: Map<string, { sort: number; index: number }>;
  start: number | null;
  /** Behind their counts: the segments are walked when they are written again. */
  elements: ByteReader | null;
  elementCount: number;
  data: ByteReader | null;
  dataCount: number;
  countsData: boolean;
  readonly bodies: Span[];
  names: ReadonlyMap<number, string>;
}

const ENTRIES_MAX = 200_000;

/** Counts what is kept of all core modules of a component: a few bytes of each may be a hundred times as much here. */
export class CoreEntries {
  private left = ENTRIES_MAX;

  take(count: number): void {
    this.left -= count;
    if (this.left >= 0) return;
    const text = `the component's core modules have too many entries; at most ${ENTRIES_MAX} are allowed`;
    throw new Failure('module-limit', text);
  }
}

/**
 * Takes a module apart. Only what its sections promise is looked at: what is made of several is decoded by the allow-list and validated as
 * any upload is, so nothing here has to be right for that to be safe.
 */
export function readCoreParts(bytes: Uint8Array, entries: CoreEntries): CoreParts {
  const parts: CoreParts = {
    bytes,
    types: [],
    imports: [],
    functions: [],
    tables: [],
    memories: [],
    globals: [],
    exports: new Map(),
    start: null,
    elements: null,
    elementCount: 0,
    data: null,
    dataCount: 0,
    countsData: false,
    bodies: [],
    names: new Map(),
  };
  const reader = new ByteReader(bytes, 8);
  while (!reader.done) {
    const id = reader.byte();
    readSection(parts, { id, section: reader.part(reader.u32()), entries });
  }
  return parts;
}

function readSection(
  parts: CoreParts,
  { id, section, entries }: { id: number; section: ByteReader; entries: CoreEntries },
): void {
  const each = (read: () => void): void => {
    const count = section.u32();
    entries.take(count);
    for (let i = 0; i < count; i++) read();
  };
  switch (id) {
    case 0:
      if (section.name() === 'name') parts.names = readFunctionNames(section);
      return;
    case 1:
      each(() => parts.types.push(functionType(section)));
      return;
    case 2:
      each(() => parts.imports.push(readImport(section)));
      return;
    case 3:
      each(() => parts.functions.push(section.u32()));
      return;
    case 4:
      each(() => parts.tables.push(spanOf(section, () => skipTable(section))));
      return;
    case 5:
      each(() => parts.memories.push(spanOf(section, () => skipLimits(section))));
      return;
    case 6:
      each(() => parts.globals.push(readGlobal(section)));
      return;
    case 7:
      each(() => {
        const name = section.name();
        parts.exports.set(name, { sort: section.byte(), index: section.u32() });
      });
      return;
    case 8:
      parts.start = section.u32();
      return;
    case 9:
      parts.elementCount = section.u32();
      entries.take(parts.elementCount);
      parts.elements = section;
      return;
    case 10:
      each(() => {
        const body = section.part(section.u32());
        parts.bodies.push({ start: body.at, end: body.end });
      });
      return;
    case 11:
      parts.dataCount = section.u32();
      entries.take(parts.dataCount);
      parts.data = section;
      return;
    case 12:
      parts.countsData = true;
      return;
    default:
      throw new Failure('module-section', `a core module has a section with id ${id}; sections 0 to 12 are allowed`);
  }
}

function functionType(section: ByteReader): FunctionType {
  if (section.byte() !== 0x60)
    throw new Failure('module-type', 'a core module has a type that is no function; only functions are allowed');
  return { params: valueTypes(section), results: valueTypes(section) };
}

function valueTypes(section: ByteReader): Uint8Array {
  const count = section.u32();
  const start = section.at;
  for (let i = 0; i < count; i++) readValueType(section, 'a type of a core module');
  return section.bytes.subarray(start, section.at);
}

function readImport(section: ByteReader): CoreImport {
  const module = section.name();
  const name = section.name();
  const sort = section.byte();
  let type = 0;
  if (sort === CoreSort.function) type = section.u32();
  else if (sort === CoreSort.table) skipTable(section);
  else if (sort === CoreSort.memory) skipLimits(section);
  else if (sort === CoreSort.global) section.skip(2);
  else throw malformed(`has an import of the sort ${sort}`);
  return { module, name, sort, type };
}

function readGlobal(section: ByteReader): CoreGlobal {
  const start = section.at;
  readValueType(section, 'a global of a core module');
  const changes = section.byte() === 1;
  const head = { start, end: section.at };
  return { head, changes, init: spanOf(section, () => skipConstant(section, 'a global of a core module')) };
}

function skipTable(section: ByteReader): void {
  readReferenceType(section, 'a table of a core module');
  skipLimits(section);
}

function skipLimits(section: ByteReader): void {
  const flags = section.u32();
  section.u32();
  if (flags === 1) section.u32();
  else if (flags !== 0)
    throw new Failure('module-memory', `a core module has limits with the flags ${flags}; only plain ones are allowed`);
}

function spanOf(section: ByteReader, skip: () => void): Span {
  const start = section.at;
  skip();
  return { start, end: section.at };
}
