// Takes the noise out of a number: an exponential average, or that of the last few.
import { Buffer, Json, KEYS_MAX, Kind, Message, Path, refuse, Value, Verdict } from 'weir/plugin';
import { GROUP_KEYS, Groups } from 'weir/group';
import { allowKeys, answer, fieldOf, numberOf, policy, wholeOf } from 'weir/policy';

const DECIMALS: i32 = 6;
const DECIMALS_MAX: i32 = 15;
const SAMPLES_MAX: i32 = 64;
/** Numbers that are remembered in all: 4 MB. */
const NUMBERS_MAX: i32 = 500_000;

/** What is remembered of a key; behind it, the last numbers in a ring. */
@unmanaged
class Past {
  average: f64;
  /** Numbers that came. */
  count: f64;
}

let field: Path = new Path('');
let target: Path = field;
let inPlace: bool = true;
let groups: Groups = changetype<Groups>(0);
let alpha: f64 = 0;
let samples: i32 = 0;
let decimals: i32 = DECIMALS;
let missing: Verdict = Verdict.Pass;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['field', 'alpha', 'samples', 'target', 'decimals', 'missing', 'invalid'].concat(GROUP_KEYS));
  field = fieldOf(config, 'field');
  inPlace = !config.has('target') || config.text('target') == field.text;
  target = inPlace ? field : fieldOf(config, 'target');
  if (config.has('alpha') == config.has('samples')) return refuse('expected either "alpha", the weight of the newest number, or "samples", how many to take the average of');
  alpha = numberOf(config, 'alpha', 1, 0, 1);
  if (alpha == 0) refuse('"alpha" is 0: expected a number above it');
  samples = wholeOf(config, 'samples', 0, 2, SAMPLES_MAX);
  decimals = wholeOf(config, 'decimals', DECIMALS, 0, DECIMALS_MAX);
  const keysMax = samples == 0 ? KEYS_MAX : NUMBERS_MAX / samples;
  groups = new Groups(config, offsetof<Past>() + <usize>samples * sizeof<f64>(), min(KEYS_MAX, keysMax));
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

// What is done for every message holds no strings: see the SDK's README.
export function onMessage(message: Message): Verdict {
  const json = message.json;
  const found = json.peek(field);
  const value = found.number;
  if (!isFinite(value)) return judgeOther(message, found);
  if (!groups.find(message)) return answer(invalid, groups.problem());
  const past = changetype<Past>(groups.take());
  const average = samples > 0 ? averageOf(past, value) : past.count == 0 ? value : past.average + alpha * (value - past.average);
  past.average = average;
  past.count += 1;
  if (inPlace) json.replaceNumber(found, average, decimals);
  else if (!json.setNumberAt(target, average, decimals)) return judgeNoPlace(json);
  return Verdict.Replace;
}

/** Puts a number into the ring. Added up anew each time: a sum that is kept would drift. */
function averageOf(past: Past, value: f64): f64 {
  const ring = changetype<usize>(past) + offsetof<Past>();
  const next = <i32>(past.count % <f64>samples);
  store<f64>(ring + (<usize>next << 3), value);
  const count = min(<i32>min(past.count, <f64>SAMPLES_MAX) + 1, samples);
  let average: f64 = 0;
  for (let i = 0; i < count; i++) average += load<f64>(ring + (<usize>i << 3)) / <f64>count;
  return average;
}

function judgeOther(message: Message, found: Value): Verdict {
  const json = message.json;
  if (!json.valid) return answer(invalid, `the payload is not JSON: ${json.problem}`);
  if (found.kind == Kind.Missing || found.kind == Kind.Null) return answer(missing, `there is no "${field.text}"`);
  return answer(invalid, `"${field.text}" is ${found.raw}: expected a number`);
}

function judgeNoPlace(json: Json): Verdict {
  return answer(invalid, json.valid ? `there is no place for "${target.text}"` : `the payload is not JSON: ${json.problem}`);
}

export function onSaveBytes(state: Buffer): void {
  groups.save(state);
}

export function onRestoreBytes(start: usize, bytes: usize): void {
  groups.restore(start, bytes);
}
