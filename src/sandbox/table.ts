import { FUEL_FOR_ENTRY } from './budget.js';
import type { Fault } from './fault.js';
import { Instance } from './instance.js';

/** An entry that the guest refused, and why. */
export interface RefusedEntry {
  readonly key: string;
  readonly text: string;
}

/** A guest with its table, what that used, and what it did not take; or why it cannot run. */
export type Filled = { instance: Instance; fuel: number; refused: RefusedEntry[] } | { fault: Fault };

/** Entries that may trap: after each, a new guest takes the others from the beginning. */
const TRAPS_MAX = 8;

const HEAD_BYTES = 8;
const ENCODER = new TextEncoder();

/** Entries in one piece, for their way to a worker: of each the lengths of key and value, then the two. */
export function packEntries(entries: readonly (readonly [key: string, value: Uint8Array])[]): Uint8Array {
  const keys = entries.map(([key]) => ENCODER.encode(key));
  let total = 0;
  for (let i = 0; i < keys.length; i++) total += HEAD_BYTES + keys[i].length + entries[i][1].length;
  const packed = new Uint8Array(total);
  const words = new DataView(packed.buffer);
  let at = 0;
  for (let i = 0; i < keys.length; i++) {
    const value = entries[i][1];
    words.setUint32(at, keys[i].length, true);
    words.setUint32(at + 4, value.length, true);
    packed.set(keys[i], at + HEAD_BYTES);
    packed.set(value, at + HEAD_BYTES + keys[i].length);
    at += HEAD_BYTES + keys[i].length + value.length;
  }
  return packed;
}

/** Gives a guest that was just made all of its table. `again` makes another one, should it trap. */
export function fillTable(made: Instance, packed: Uint8Array, again: () => Instance | Fault): Filled {
  const words = new DataView(packed.buffer, packed.byteOffset, packed.length);
  /** What was refused, by where it lies; entries that trapped are left out from then on. */
  const refused = new Map<number, RefusedEntry>();
  const trapped = new Set<number>();
  let instance = made;
  let fuel = 0;
  for (let at = 0; at < packed.length; ) {
    const keyEnd = at + HEAD_BYTES + words.getUint32(at, true);
    const end = keyEnd + words.getUint32(at + 4, true);
    const here = at;
    at = end;
    if (trapped.has(here)) continue;
    const key = packed.subarray(here + HEAD_BYTES, keyEnd);
    const isTaken = instance.takeEntry(key, packed.subarray(keyEnd, end), FUEL_FOR_ENTRY);
    fuel += instance.fuelUsed;
    if (isTaken) continue;
    const { text } = instance.fault;
    refused.set(here, { key: Buffer.from(key).toString('utf8'), text });
    if (!instance.poisoned) continue;
    trapped.add(here);
    const next = trapped.size > TRAPS_MAX ? tooManyTraps(text) : again();
    if (!(next instanceof Instance)) return { fault: next };
    instance = next;
    fuel = 0;
    at = 0;
  }
  return { instance, fuel, refused: [...refused.values()] };
}

function tooManyTraps(last: string): Fault {
  return { cause: 'init', text: `more than ${TRAPS_MAX} entries of its table made it fail; the last one: ${last}` };
}
