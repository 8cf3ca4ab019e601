// What the bundled plugins have in common: policies as configuration names them.
import { fail, Json, Kind, Path, refuse, reject, SubjectTemplate, Verdict } from './plugin';

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

/** A number, from `least` to `most`; a refusal when it is something else. */
export function numberOf(config: Json, key: string, otherwise: f64, least: f64 = -Infinity, most: f64 = Infinity): f64 {
  if (!config.has(key)) return otherwise;
  const value = config.number(key);
  if (value >= least && value <= most) return value;
  refuse(`"${key}" is ${config.raw(key)}: expected a number${rangeText(least, most)}`);
  return otherwise;
}

/** The same, without decimals. */
export function wholeOf(config: Json, key: string, otherwise: i32, least: i32, most: i32): i32 {
  const value = numberOf(config, key, otherwise, least, most);
  if (value == trunc(value)) return <i32>value;
  refuse(`"${key}" is ${config.raw(key)}: expected a whole number`);
  return otherwise;
}

function rangeText(least: f64, most: f64): string {
  if (least == -Infinity && most == Infinity) return '';
  return most == Infinity ? ` from ${plain(least)}` : ` from ${plain(least)} to ${plain(most)}`;
}

/** Whole numbers without the `.0` of the standard library. */
function plain(value: f64): string {
  return value == trunc(value) && abs(value) < 1e15 ? (<i64>value).toString() : value.toString();
}

/** The path of a field; a refusal when there is none and none is assumed. */
export function fieldOf(config: Json, key: string, otherwise: string = ''): Path {
  const text = config.has(key) ? config.text(key) : otherwise;
  if (text == '') refuse(config.has(key) ? `"${key}" is ${config.raw(key)}: expected the path of a field` : `"${key}" is missing: expected the path of a field`);
  return new Path(text);
}

/** Appends the paths of a list, if there is one. */
export function readPaths(config: Json, key: string, into: Path[]): void {
  if (!config.has(key)) return;
  if (config.kind(key) != Kind.Array) return refuse(`"${key}" is ${config.raw(key)}: expected a list of paths`);
  for (let i = 0; i < config.length(key); i++) {
    const at = `${key}.${i}`;
    if (config.kind(at) != Kind.String || config.text(at) == '') refuse(`"${key}" holds ${config.raw(at)}: expected the path of a field`);
    else into.push(new Path(config.text(at)));
  }
}

/** A subject with places in it; a refusal when it is none. `isOfKeys` when it is written without a message. */
export function subjectOf(config: Json, key: string, isOfKeys: bool = false): SubjectTemplate {
  const template = new SubjectTemplate(config.text(key));
  if (!config.has(key)) refuse(`"${key}" is missing: expected a subject`);
  else if (template.problem !== null) refuse(`"${key}" is ${config.raw(key)}: ${template.problem!}`);
  else if (isOfKeys && template.needsMessage) refuse(`"${key}" is ${config.raw(key)}: it can hold "{#key}" and nothing else in braces`);
  else if (!isOfKeys && template.needsKey) refuse(`"${key}" is ${config.raw(key)}: there is no "{#key}" here`);
  return template;
}
