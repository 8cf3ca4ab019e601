import { parseJson } from '../base/json.js';

/** A request that is not what it has to be; the text says where and what was expected. */
export class ShapeMistake extends Error {}

/** Reads a part of a request: its value, or a `ShapeMistake`. `path` is where it stands, such as `StreamConfig.max_msgs`. */
export type Shape<T> = (value: unknown, path: string, strict: boolean) => T;

/** What an object of these fields reads to: only those that are there. */
type Fields<S extends Record<string, Shape<unknown>>> = { -readonly [K in keyof S]?: ReturnType<S[K]> };

function mistake(value: unknown, path: string, expected: string): never {
  const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  throw new ShapeMistake(`json: cannot unmarshal ${found} into field ${path}: expected ${expected}`);
}

export const text: Shape<string> = (value, path) =>
  typeof value === 'string' ? value : mistake(value, path, 'a string');

export const flag: Shape<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : mistake(value, path, 'true or false');

/** A whole number, of at most 53 bits exactly, as all sequences are; durations are larger and multiples of what a double can hold. */
export const whole: Shape<number> = (value, path) =>
  typeof value === 'number' && Number.isInteger(value) ? value : mistake(value, path, 'a whole number');

export const natural: Shape<number> = (value, path) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0
    ? value
    : mistake(value, path, 'a whole number that is not negative');

const SMALL_MAX = 2 ** 31 - 1;

/** A whole number that other servers keep in 32 bits: what says more could not be moved to them. */
export const smallWhole: Shape<number> = (value, path, strict) => {
  const number = whole(value, path, strict);
  return Math.abs(number) <= SMALL_MAX ? number : mistake(value, path, `a whole number of at most ${SMALL_MAX}`);
};

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** A time as RFC 3339; stays text, so that no digit of it is lost. */
export const time: Shape<string> = (value, path) =>
  typeof value === 'string' && RFC3339.test(value) && !Number.isNaN(Date.parse(value))
    ? value
    : mistake(value, path, 'a time as of RFC 3339');

export function oneOf<const T extends string>(...words: T[]): Shape<T> {
  return (value, path) =>
    words.includes(value as T)
      ? (value as T)
      : mistake(value, path, `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`);
}

export function list<T>(of: Shape<T>): Shape<T[]> {
  return (value, path, strict) =>
    Array.isArray(value)
      ? value.map((entry, i) => of(entry, `${path}[${i}]`, strict))
      : mistake(value, path, 'an array');
}

export const texts: Shape<Record<string, string>> = (value, path) => {
  if (!isObject(value)) return mistake(value, path, 'an object of strings');
  for (const [key, entry] of Object.entries(value)) text(entry, `${path}.${key}`, true);
  return value as Record<string, string>;
};

/** An object of these fields, each of which may be missing or null. Other fields are an error when it is strict. */
export function object<const S extends Record<string, Shape<unknown>>>(name: string, shapes: S): Shape<Fields<S>> {
  return (value, path, strict) => {
    if (!isObject(value)) return mistake(value, path === '' ? name : path, 'an object');
    const read: Record<string, unknown> = {};
    for (const [key, entry] of Object.entries(value)) {
      const shape = Object.hasOwn(shapes, key) ? shapes[key] : undefined;
      if (shape === undefined) {
        if (strict) throw new ShapeMistake(`json: unknown field ${JSON.stringify(key)}`);
      } else if (entry !== null) read[key] = shape(entry, `${path === '' ? name : path}.${key}`, strict);
    }
    return read as Fields<S>;
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a JSON text; an empty one is an object without fields. */
export function readJson<T>(json: string, shape: Shape<T>, strict: boolean): T {
  let value: unknown = {};
  if (json.trim() !== '') {
    try {
      // `null` says nothing.
      value = parseJson(json) ?? {};
    } catch (error) {
      throw new ShapeMistake((error as Error).message);
    }
  }
  return shape(value, '', strict);
}
