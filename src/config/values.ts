import { type ConfigMap, type ConfigValue, configError } from './grammar.js';

/** Reads one kind of value, or throws a `Failure` with its place, what was found and what was expected. */
export type Read<T> = (value: ConfigValue, key: string) => T;

function found(value: ConfigValue): string {
  if (value.kind === 'map') return 'a map';
  if (value.kind === 'array') return 'an array';
  return JSON.stringify(value.value);
}

function expected(value: ConfigValue, key: string, what: string): never {
  throw configError(value.place, `${JSON.stringify(key)} is ${found(value)}, expected ${what}`);
}

export const text: Read<string> = (value, key) => {
  if (value.kind === 'string' || value.kind === 'number' || value.kind === 'date') return String(value.value);
  return expected(value, key, 'a text');
};

export const flag: Read<boolean> = (value, key) =>
  value.kind === 'boolean' ? (value.value as boolean) : expected(value, key, 'true or false');

/** A whole number from `min` to `max`, also one with a size suffix. */
export function whole(min: number, max: number): Read<number> {
  return (value, key) => {
    const number = value.kind === 'number' ? (value.value as number) : Number.NaN;
    return Number.isInteger(number) && number >= min && number <= max
      ? number
      : expected(value, key, `a whole number from ${min} to ${max}`);
  };
}

const UNITS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration such as `"2m"` or `1h30m`, or a number of seconds; in milliseconds. */
export const durationMs: Read<number> = (value, key) => {
  if (value.kind === 'number') return (value.value as number) * 1000;
  const source = value.kind === 'string' ? (value.value as string) : '';
  const parts = [...source.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== source)
    return expected(value, key, 'a duration such as "2m" or "500ms"');
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * UNITS[unit], 0);
};

/** A text or an array of texts. */
export const texts: Read<string[]> = (value, key) =>
  value.kind === 'array' ? value.items.map((item) => text(item, key)) : [text(value, key)];

export const map: Read<ConfigMap> = (value, key) =>
  value.kind === 'map' ? value : expected(value, key, 'a map { … }');

export const maps: Read<ConfigMap[]> = (value, key) =>
  value.kind === 'array' ? value.items.map((item) => map(item, key)) : expected(value, key, 'an array of maps');

/** A map of texts. */
export const textMap: Read<Record<string, string>> = (value, key) =>
  Object.fromEntries(Array.from(map(value, key).entries, ([name, entry]) => [name, text(entry.value, name)]));

/** `host:port`, a port, or `:port`; -1 and 0 are any free port. */
export const address: Read<{ host: string | null; port: number }> = (value, key) => {
  const source = text(value, key);
  const split = /^(?:(.*):)?(-?\d+)$/.exec(source);
  const port = Number(split?.[2]);
  if (split === null || port < -1 || port > 65535) return expected(value, key, '"host:port" or a port');
  const host = (split[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? null : host, port: Math.max(0, port) };
};

/** A port; -1 and 0 are any free one. */
export const port: Read<number> = (value, key) => Math.max(0, whole(-1, 65535)(value, key));

/** Plain JSON values, for what goes to plugins as it is. */
export function plain(value: ConfigValue): unknown {
  if (value.kind === 'map')
    return Object.fromEntries(Array.from(value.entries, ([key, entry]) => [key, plain(entry.value)]));
  return value.kind === 'array' ? value.items.map(plain) : value.value;
}

/** What to do with a key of a block. */
export type KeyTable<T> = Record<string, (target: T, value: ConfigValue, key: string) => void>;

/** Applies a block's keys by its table; keys are matched in any case. An unknown key is an error with its place. */
export function readBlock<T>(block: ConfigMap, table: KeyTable<T>, target: T): T {
  for (const [key, { keyPlace, value }] of block.entries) {
    const apply = table[key.toLowerCase()];
    if (apply === undefined) throw configError(keyPlace, `unknown field ${JSON.stringify(key)}`);
    apply(target, value, key);
  }
  return target;
}

/** The entries of a table, each under all of its names (`a|b`). */
export function keys<T>(table: KeyTable<T>): KeyTable<T> {
  const all: KeyTable<T> = {};
  for (const [names, apply] of Object.entries(table)) for (const name of names.split('|')) all[name] = apply;
  return all;
}

/** Table entries for keys of features that are not there yet: refused by name. */
export function unsupported<T>(names: string): KeyTable<T> {
  const refuse = (_: T, value: ConfigValue, key: string) => {
    throw configError(value.place, `${JSON.stringify(key)} is not supported yet by this server`);
  };
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, refuse]));
}

/** Table entries for keys that are checked by name only. */
export function accepted<T>(names: string): KeyTable<T> {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, () => undefined]));
}
