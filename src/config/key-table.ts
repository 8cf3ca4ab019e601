import type { ConfigMap, ConfigValue } from './grammar.js';
import { configError } from './place.js';
import { map, type Read } from './values.js';

/** What to do with the value of a key. */
export type Apply<T> = (target: T, value: ConfigValue, key: string) => void;

/** The keys of a block, lower case. */
export type KeyTable<T> = Record<string, Apply<T>>;

/** Applies a block's keys by its table; keys are matched in any case. An unknown key is an error with its place. */
export function readBlock<T>(block: ConfigMap, table: KeyTable<T>, target: T): T {
  for (const [key, { keyPlace, value, usedAsVariable }] of block.entries) {
    const name = key.toLowerCase();
    if (Object.hasOwn(table, name)) table[name](target, value, key);
    // A key that the server does not know may be there for a `$variable`.
    else if (!usedAsVariable) throw configError(keyPlace, `unknown field ${JSON.stringify(key)}`);
  }
  return target;
}

/** The entries of a table, each under all of its names (`a|b`). */
export function keys<T>(table: KeyTable<T>): KeyTable<T> {
  const all: KeyTable<T> = {};
  for (const [names, apply] of Object.entries(table)) for (const name of names.split('|')) all[name] = apply;
  return all;
}

/** Sets a field of the target. */
export function set<T, K extends keyof T>(field: K, read: Read<T[K]>): Apply<T> {
  return (target, value, key) => {
    target[field] = read(value, key);
  };
}

/** Table entries for keys of features that are not there yet: refused by name. */
export function unsupported<T>(names: string): KeyTable<T> {
  const refuse = (_: T, value: ConfigValue, key: string) => {
    // What is turned off is as it should be.
    if (value.kind === 'boolean' && value.value === false) return;
    throw configError(value.place, `${JSON.stringify(key)} is not supported yet by this server`);
  };
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, refuse]));
}

/** Table entries for keys whose feature is not there yet, and that do no harm: their values are checked, and that is all. */
export function checked<T>(table: Record<string, Read<unknown>>): KeyTable<T> {
  return keys(
    Object.fromEntries(
      Object.entries(table).map(([names, read]) => [
        names,
        (_: T, value: ConfigValue, key: string) => {
          read(value, key);
        },
      ]),
    ),
  );
}

/** Reads a block of which only the keys and types are checked. */
export function blockOf(table: KeyTable<unknown>): Read<void> {
  return (value, key) => {
    readBlock(map(value, key), table, undefined);
  };
}

/** An array of such blocks. */
export function blocksOf(table: KeyTable<unknown>): Read<void> {
  const read = blockOf(table);
  return (value, key) => {
    if (value.kind !== 'array') throw configError(value.place, `${JSON.stringify(key)} is not an array of maps`);
    for (const item of value.items) read(item, key);
  };
}
