// Lets through a number when it has changed enough since the last one that was let through.
import { Buffer, Json, Kind, Message, Path, refuse, Verdict } from 'weir/plugin';
import { GROUP_KEYS, Groups } from 'weir/group';
import { allowKeys, answer, fieldOf, numberOf, policy } from 'weir/policy';

/** What is remembered of a key: the number that was last let through, and when. */
@unmanaged
class Last {
  value: f64;
  timeMs: f64;
}

let field: Path = new Path('');
let groups: Groups = changetype<Groups>(0);
let band: f64 = 0;
let share: f64 = 0;
let intervalMs: f64 = 0;
let missing: Verdict = Verdict.Drop;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['field', 'band', 'percent', 'interval_ms', 'missing', 'invalid'].concat(GROUP_KEYS));
  field = fieldOf(config, 'field');
  if (!config.has('band') && !config.has('percent')) refuse('there is no band: expected "band", "percent" or both');
  band = numberOf(config, 'band', 0, 0);
  share = numberOf(config, 'percent', 0, 0) / 100;
  intervalMs = numberOf(config, 'interval_ms', 0, 0);
  groups = new Groups(config, offsetof<Last>());
  missing = policy(config, 'missing', Verdict.Drop);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

// What is done for every message holds no strings: see the SDK's README.
export function onMessage(message: Message): Verdict {
  const value = message.json.peekNumber(field);
  // A number that is too large for a double is none that could be compared.
  if (!isFinite(value)) return judgeOther(message);
  if (!groups.find(message)) return answer(invalid, groups.problem());
  const last = changetype<Last>(groups.take());
  const isDue = groups.keys.isNew || (intervalMs > 0 && message.timestamp - last.timeMs >= intervalMs);
  if (!isDue && abs(value - last.value) <= max(band, share * abs(last.value))) return Verdict.Drop;
  last.value = value;
  last.timeMs = message.timestamp;
  return Verdict.Pass;
}

function judgeOther(message: Message): Verdict {
  const json = message.json;
  const found = json.peek(field);
  if (!json.valid) return answer(invalid, `the payload is not JSON: ${json.problem}`);
  if (found.kind == Kind.Missing || found.kind == Kind.Null) return answer(missing, `there is no "${field.text}"`);
  return answer(invalid, `"${field.text}" is ${found.raw}: expected a number`);
}

export function onSaveBytes(state: Buffer): void {
  groups.save(state);
}

export function onRestoreBytes(start: usize, bytes: usize): void {
  groups.restore(start, bytes);
}
