import type { FunctionType } from './decoded-module.js';
import {
  add,
  addLong,
  type Code,
  call,
  get,
  getGlobal,
  i32,
  i64,
  less,
  moreLong,
  set,
  setGlobal,
  short,
  store,
  storeLong,
  trap,
  when,
  whilst,
} from './expressions.js';
import { Op } from './opcodes.js';
import { ValueType } from './value-types.js';

const { i32: I32, i64: I64 } = ValueType;

/** What the functions refer to, by index. */
interface StandInIndexes {
  /** Allocates the guest's memory; null where the component named no function for that. */
  readonly realloc: number | null;
  /** An f64: when the message came, in milliseconds. */
  readonly clockGlobal: number;
  /** An i64: how far the numbers that look like chance have come. */
  readonly chanceGlobal: number;
}

/** A function that stands in the place of an imported one. */
interface StandInCode {
  readonly locals: readonly number[];
  readonly code: Code;
}

interface Known {
  readonly params: readonly number[];
  readonly results: readonly number[];
  readonly locals?: readonly number[];
  code(at: StandInIndexes): Code;
}

/** Where a list begins that is empty: aligned for whatever would be in it. */
const NOWHERE = 8;
/** Of streams and what one waits for: there is nothing behind them. */
const HANDLE = i32(1);
const CHANCE_BYTES_MAX = 65536;
const MS_PER_SECOND = 1000n;
const NS_PER_MS = 1_000_000;

const emptyList = writing(1, (to) => [...store(to, i32(NOWHERE)), ...store(to, i32(0), 4)]);
const none = writing(1, (to) => storeByte(to, i32(0)));
/** A result without a value that is fine, behind the stream and the bytes that were written. */
const written = { params: [I32, I32, I32, I32], results: [], code: () => storeByte(get(3), i32(0)) };
const flushed = writing(2, (to) => storeByte(to, i32(0)));
/** A result that says that the stream has ended. */
const ended = {
  params: [I32, I64, I32],
  results: [],
  code: () => [...storeByte(get(2), i32(1)), ...storeByte(get(2), i32(1), 4)],
};
const handle = { params: [], results: [I32], code: () => HANDLE };
const subscribed = { params: [I32], results: [I32], code: () => HANDLE };
const chance = { params: [], results: [I64], locals: [I64], code: (at: StandInIndexes) => nextChance(at, 0) };
const chanceBytes = {
  params: [I64, I32],
  results: [],
  locals: [I32, I32, I64],
  code: (at: StandInIndexes) => bytesOfChance(at),
};
const resolution = i64(BigInt(NS_PER_MS));

/**
 * What compilers and their libraries call whether a plugin uses it or not: environment, standard streams, clock, chance. Nothing is behind any
 * of it: there is no environment, what is written goes nowhere, the time is the message's, and chance comes out the same each
 * time, as a plugin does. What is not here traps when it is called.
 */
const KNOWN: Readonly<Record<string, Known>> = {
  'wasi:cli/environment#get-environment': emptyList,
  'wasi:cli/environment#get-arguments': emptyList,
  'wasi:cli/environment#initial-cwd': none,
  'wasi:cli/environment#get-initial-cwd': none,
  'wasi:cli/stdin#get-stdin': handle,
  'wasi:cli/stdout#get-stdout': handle,
  'wasi:cli/stderr#get-stderr': handle,
  'wasi:cli/terminal-stdin#get-terminal-stdin': none,
  'wasi:cli/terminal-stdout#get-terminal-stdout': none,
  'wasi:cli/terminal-stderr#get-terminal-stderr': none,
  'wasi:clocks/monotonic-clock#now': { params: [], results: [I64], code: (at) => multiply(clockMs(at), resolution) },
  'wasi:clocks/monotonic-clock#resolution': { params: [], results: [I64], code: () => resolution },
  'wasi:clocks/wall-clock#now': writing(1, (to, at) => [
    ...storeLong(to, divide(clockMs(at), i64(MS_PER_SECOND))),
    ...store(to, short(multiply(remainder(clockMs(at), i64(MS_PER_SECOND)), resolution)), 8),
  ]),
  'wasi:clocks/wall-clock#resolution': writing(1, (to) => [...storeLong(to, i64(0n)), ...store(to, i32(NS_PER_MS), 8)]),
  'wasi:filesystem/preopens#get-directories': emptyList,
  'wasi:filesystem/types#filesystem-error-code': writing(2, (to) => storeByte(to, i32(0))),
  'wasi:io/poll#[method]pollable.block': { params: [I32], results: [], code: () => [] },
  'wasi:io/poll#[method]pollable.ready': subscribed,
  'wasi:io/streams#[method]input-stream.blocking-read': ended,
  'wasi:io/streams#[method]input-stream.read': ended,
  'wasi:io/streams#[method]input-stream.subscribe': subscribed,
  'wasi:io/streams#[method]output-stream.blocking-flush': flushed,
  'wasi:io/streams#[method]output-stream.blocking-write-and-flush': written,
  'wasi:io/streams#[method]output-stream.check-write': writing(2, (to) => [
    ...storeByte(to, i32(0)),
    ...storeLong(to, i64(BigInt(CHANCE_BYTES_MAX)), 8),
  ]),
  'wasi:io/streams#[method]output-stream.flush': flushed,
  'wasi:io/streams#[method]output-stream.subscribe': subscribed,
  'wasi:io/streams#[method]output-stream.write': written,
  'wasi:random/insecure#get-insecure-random-bytes': chanceBytes,
  'wasi:random/insecure#get-insecure-random-u64': chance,
  'wasi:random/insecure-seed#insecure-seed': {
    params: [I32],
    results: [],
    locals: [I64],
    code: (at) => [...storeLong(get(0), nextChance(at, 1)), ...storeLong(get(0), nextChance(at, 1), 8)],
  },
  'wasi:random/random#get-random-bytes': chanceBytes,
  'wasi:random/random#get-random-u64': chance,
};

/** The function for a name such as `wasi:cli/stdout@0.2.3#get-stdout`, of the type that its callers expect. */
export function standInCode(name: string, type: FunctionType, at: StandInIndexes): StandInCode {
  // Nothing is behind a handle that is given back.
  if (name === RESOURCE_DROP && sameTypes(type.params, [I32]) && type.results.length === 0)
    return { locals: [], code: [] };
  const unversioned = name.replace(/@[^#]*/, '');
  const known = Object.hasOwn(KNOWN, unversioned) ? KNOWN[unversioned] : undefined;
  const fits = known !== undefined && sameTypes(type.params, known.params) && sameTypes(type.results, known.results);
  return fits ? { locals: known.locals ?? [], code: known.code(at) } : { locals: [], code: trap };
}

/** The name of what drops a handle of an imported resource. */
export const RESOURCE_DROP = 'resource.drop';

/** A function that writes what it answers to the address that is the last of so many parameters. */
function writing(params: number, code: (to: Code, at: StandInIndexes) => Code): Known {
  return { params: new Array(params).fill(I32), results: [], code: (at) => code(get(params - 1), at) };
}

function sameTypes(types: Uint8Array, expected: readonly number[]): boolean {
  return types.length === expected.length && expected.every((type, i) => types[i] === type);
}

function storeByte(at: Code, value: Code, offset = 0): Code {
  return [...at, ...value, 0x3a, 0, offset];
}

function multiply(left: Code, right: Code): Code {
  return [...left, ...right, 0x7e];
}

function divide(left: Code, right: Code): Code {
  return [...left, ...right, 0x80];
}

function remainder(left: Code, right: Code): Code {
  return [...left, ...right, 0x82];
}

/** Whole milliseconds as an i64. */
function clockMs({ clockGlobal }: StandInIndexes): Code {
  return [...getGlobal(clockGlobal), Op.prefixMisc, 7];
}

/** A number that follows from the one before: each bit of the state has a say in each of the upper half. */
function nextChance({ chanceGlobal }: StandInIndexes, local: number): Code {
  const shifted = (value: Code, bits: bigint): Code => [...value, ...i64(bits), 0x88];
  const mixed: Code = [...get(local), ...shifted(get(local), 32n), 0x85];
  return [
    ...setGlobal(chanceGlobal, addLong(getGlobal(chanceGlobal), i64(0x9e3779b97f4a7c15n))),
    ...set(local, getGlobal(chanceGlobal)),
    ...set(local, multiply(mixed, i64(0xd6e8feb86659fd93n))),
    ...set(local, multiply(mixed, i64(0xd6e8feb86659fd93n))),
    ...mixed,
  ];
}

/** `(bytes: i64, to)`: a list that the guest's own allocator has room for. */
function bytesOfChance(at: StandInIndexes): Code {
  if (at.realloc === null) return trap;
  const [bytes, to, list, done, mixing] = [0, 1, 2, 3, 4];
  return [
    ...when(moreLong(get(bytes), i64(BigInt(CHANCE_BYTES_MAX))), trap),
    ...set(list, call(at.realloc, i32(0), i32(0), i32(1), short(get(bytes)))),
    ...whilst(less(get(done), short(get(bytes))), [
      ...storeByte(add(get(list), get(done)), short(nextChance(at, mixing))),
      ...set(done, add(get(done), i32(1))),
    ]),
    ...store(get(to), get(list)),
    ...store(get(to), short(get(bytes)), 4),
  ];
}
