// What the bundled plugins have in common: policies as configuration names them.
import { fail, refuse, reject, Verdict } from './plugin';
import { Json } from './json';

/** Reads `"pass"`, `"drop"`, `"reject"` or `"fail"`. */
export function policy(config: Json, key: string, otherwise: Verdict): Verdict {
  if (!config.has(key)) return otherwise;
  const name = config.text(key);
  if (name == 'pass') return Verdict.Pass;
  if (name == 'drop') return Verdict.Drop;
  if (name == 'reject') return Verdict.Reject;
  if (name == 'fail') return Verdict.Fail;
  refuse(`"${key}" is ${config.raw(key)}: expected "pass", "drop", "reject" or "fail"`);
  return otherwise;
}

/** The verdict of a policy, with its reason where one is told. */
export function answer(verdict: Verdict, text: string): Verdict {
  if (verdict == Verdict.Reject) return reject(422, text);
  return verdict == Verdict.Fail ? fail(text) : verdict;
}

/** Refuses keys that nobody reads: a misspelt one would be a silent default. */
export function allowKeys(config: Json, known: string[]): void {
  const keys = config.root.keys;
  for (let i = 0; i < keys.length; i++) {
    if (!known.includes(keys[i])) refuse(`"${keys[i]}" is not known: expected ${known.join(', ')}`);
  }
}

/** A text without the dots that split a path: a path of one key. */
export function escapeKey(key: string): string {
  return key.replaceAll('\\', '\\\\').replaceAll('.', '\\.');
}
