import type { Field } from './field.js';

/** How an attack went, in the words of the table. */
export interface Outcome {
  /** How much was tried. */
  amount: string;
  /** How it ended: what the server said, or what stopped it. */
  ending: string;
}

/** What an attack may cost those who have nothing to do with it. */
export interface Bounds {
  /** Resident memory at its highest, above what it was before. */
  peakBytes: number;
  /** What stays in the heap and outside of it when all is over, after a collection. */
  keptBytes: number;
  /** Open files and connections that stay when all is over. */
  keptFiles: number;
  /** The longest turn of the event loop. */
  stallMs: number;
  /** A message of a client that behaves, from its write to its arrival. */
  latencyMs: number;
}

export const MB = 1024 * 1024;

/** As the table writes it: 5,000. */
export const written = (count: number): string => count.toLocaleString('en');

/** For attacks that say nothing else; those of the machine at hand, with half of its two cores taken by the attackers. */
export const USUAL_BOUNDS: Bounds = {
  peakBytes: 160 * MB,
  keptBytes: 24 * MB,
  keptFiles: 4,
  stallMs: 150,
  latencyMs: 300,
};

/** Something that somebody may try, with as much of it as one attacker can do. */
export interface Attack {
  id: string;
  /** What is tried, for the table. */
  title: string;
  /** Of the server's configuration; ports are given. `folder` is gone when the attack is over. */
  config?(folder: string): string | Promise<string>;
  /** What clients that behave say in CONNECT, where they have to say who they are. Called after `config`. */
  credentials?(): object;
  /** Whether newcomers cannot come in meanwhile, as they cannot into a house that is full. */
  closed?: boolean;
  bounds?: Partial<Bounds>;
  run(field: Field): Promise<Outcome>;
}
