import type { ConfigMap, ConfigValue } from './grammar.js';
import { configError } from './place.js';

/** Reads one kind of value, or throws a `Failure` with its place, what was found and what was expected. */
export type Read<T> = (value: ConfigValue, key: string) => T;

function found(value: ConfigValue): string {
  if (value.kind === 'map') return 'a map';
  if (value.kind === 'array') return 'an array';
  return JSON.stringify(value.value);
}

/** Throws the error for a value that is not what its key takes. */
export function expected(value: ConfigValue, key: string, what: string): never {
  throw configError(value.place, `${JSON.stringify(key)} is ${found(value)}, expected ${what}`);
}

export const text: Read<string> = (value, key) => {
  // A name or password may look like a number or a date.
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

/** A whole number; 0 stands for the default. */
export function wholeOr(fallback: number, max: number): Read<number> {
  const read = whole(0, max);
  return (value, key) => read(value, key) || fallback;
}

/** One of some words, in any case. */
export function oneOf<const T extends string>(...words: T[]): Read<T> {
  return (value, key) => {
    const word = value.kind === 'string' || value.kind === 'boolean' ? String(value.value).toLowerCase() : '';
    const match = words.find((candidate) => candidate === word);
    return match ?? expected(value, key, words.map((candidate) => JSON.stringify(candidate)).join(' or '));
  };
}

const UNITS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION_PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** A duration such as `2m` or `1h30m` in milliseconds; null when the text is none. */
export function parseDuration(source: string): number | null {
  const unsigned = source.replace(/^[+-]/, '');
  if (unsigned === '0') return 0;
  const parts = [...unsigned.matchAll(DURATION_PART)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== unsigned) return null;
  const sum = parts.reduce((total, [, amount, unit]) => total + Number(amount) * UNITS[unit], 0);
  return source.startsWith('-') ? -sum : sum;
}

/** A duration such as `"2m"`, or a number of seconds; in milliseconds. */
export const durationMs: Read<number> = (value, key) => {
  const ms = value.kind === 'number' ? (value.value as number) * 1000 : parseDuration(String(scalar(value)));
  return ms !== null && ms >= 0 ? ms : expected(value, key, 'a duration such as "2m" or "500ms"');
};

function scalar(value: ConfigValue): string | number | boolean {
  return value.kind === 'map' || value.kind === 'array' ? '' : value.value;
}

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

/** An address to listen on. `port` is as written: -1 is any free port, 0 is the default or none. */
export interface ListenAddress {
  host: string;
  port: number;
}

/** `host:port`, `:port` or a port; -1 is any free port. */
export const address: Read<ListenAddress> = (value, key) => {
  const [, host = '', digits] = /^(?:(.*):)?(-?\d+)$/.exec(String(scalar(value))) ?? [];
  const number = digits === undefined ? Number.NaN : Number(digits);
  if (!(number >= -1 && number <= 65535)) return expected(value, key, '"host:port" or a port from -1 to 65535');
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: number };
};

/** A port as written; -1 is any free one. */
export const port: Read<number> = whole(-1, 65535);

/** Plain JSON values, for what goes to plugins as it is. */
export function plain(value: ConfigValue): unknown {
  if (value.kind === 'map')
    return Object.fromEntries(Array.from(value.entries, ([key, entry]) => [key, plain(entry.value)]));
  return value.kind === 'array' ? value.items.map(plain) : value.value;
}
