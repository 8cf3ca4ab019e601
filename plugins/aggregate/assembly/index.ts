// Counts a number, and tells its least, most and mean for each window of time and each key.
import { appendJsonBytes, appendNumber, Buffer, emitBytes, Json, Kind, Message, Path, SubjectTemplate, Verdict } from 'weir/plugin';
import { GROUP_KEYS, Groups } from 'weir/group';
import { allowKeys, answer, fieldOf, numberOf, policy, subjectOf, wholeOf } from 'weir/policy';

/** The window of one key. */
@unmanaged
class Window {
  startMs: f64;
  count: f64;
  least: f64;
  most: f64;
  mean: f64;
}

const WINDOW_MS: f64 = 60_000;
const WINDOW_MS_MAX: f64 = 86_400_000;
const DECIMALS_MAX: i32 = 15;
const EMITS: i32 = 64;
const EMITS_MAX: i32 = 1_000;

let field: Path = new Path('');
let to: SubjectTemplate = new SubjectTemplate('-');
let groups: Groups = changetype<Groups>(0);
let windowMs: f64 = WINDOW_MS;
let decimals: i32 = 6;
let emitsMax: i32 = EMITS;
let readings: Verdict = Verdict.Drop;
let missing: Verdict = Verdict.Pass;
let invalid: Verdict = Verdict.Fail;
const subject: Buffer = new Buffer();
const payload: Buffer = new Buffer();

export function onInit(config: Json): void {
  allowKeys(config, ['field', 'to', 'window_ms', 'decimals', 'emits_max', 'readings', 'missing', 'invalid'].concat(GROUP_KEYS));
  field = fieldOf(config, 'field');
  to = subjectOf(config, 'to', true);
  windowMs = numberOf(config, 'window_ms', WINDOW_MS, 1, WINDOW_MS_MAX);
  decimals = wholeOf(config, 'decimals', 6, 0, DECIMALS_MAX);
  emitsMax = wholeOf(config, 'emits_max', EMITS, 1, EMITS_MAX);
  groups = new Groups(config, offsetof<Window>());
  readings = policy(config, 'readings', Verdict.Drop);
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

// What is done for every message holds no strings: see the SDK's README.
export function onMessage(message: Message): Verdict {
  const value = message.json.peekNumber(field);
  if (!isFinite(value)) return judgeOther(message);
  if (!groups.find(message)) return answer(invalid, groups.problem());
  // What has to give way is told before it is forgotten.
  if (groups.isPushing) tell(groups.keys.oldest);
  const window = changetype<Window>(groups.take());
  const startMs = floor(message.timestamp / windowMs) * windowMs;
  if (window.count > 0 && window.startMs != startMs) {
    tell(changetype<usize>(window));
    window.count = 0;
  }
  if (window.count == 0) {
    window.startMs = startMs;
    window.least = value;
    window.most = value;
    window.mean = 0;
  }
  window.count += 1;
  window.least = min(window.least, value);
  window.most = max(window.most, value);
  // Not by a sum, which could become too large.
  window.mean += value / window.count - window.mean / window.count;
  return readings;
}

function judgeOther(message: Message): Verdict {
  const json = message.json;
  const found = json.peek(field);
  if (!json.valid) return answer(invalid, `the payload is not JSON: ${json.problem}`);
  if (found.kind == Kind.Missing || found.kind == Kind.Null) return answer(missing, `there is no "${field.text}"`);
  return answer(invalid, `"${field.text}" is ${found.raw}: expected a number`);
}

/** Tells the windows that have ended. */
export function onTick(nowMs: f64): void {
  tellUntil(nowMs - windowMs, nowMs);
}

/** Those under way: nothing will follow. */
export function onDrain(): void {
  tellUntil(Infinity, Infinity);
}

/** Tells the windows that began at a time or before, as many as may be told at once. */
function tellUntil(startMs: f64, nowMs: f64): void {
  let at = groups.keys.oldest;
  for (let left = emitsMax; at != 0 && left > 0; left--) {
    const window = changetype<Window>(at);
    // Keys stand in the order in which they came last: behind a window that goes on there is none that has ended. One from the future is from before
    // the clock was set back.
    if (window.startMs > startMs && window.startMs <= nowMs) return;
    const next = groups.keys.newer(at);
    tell(at);
    groups.keys.remove(at);
    at = next;
  }
}

function tell(at: usize): void {
  const window = changetype<Window>(at);
  const key = groups.keys.keyStart(at);
  const keyBytes = groups.keys.keyBytes(at);
  // A key of no bytes has no place in a subject.
  if (!to.writeKey(subject, key, keyBytes)) return;
  payload.length = 0;
  payload.appendText('{"key":');
  appendJsonBytes(payload, key, keyBytes);
  appendMember(',"from":', window.startMs, 0);
  appendMember(',"to":', window.startMs + windowMs, 0);
  appendMember(',"count":', window.count, 0);
  appendMember(',"min":', window.least, -1);
  appendMember(',"max":', window.most, -1);
  appendMember(',"mean":', window.mean, decimals);
  payload.appendByte(0x7d);
  emitBytes(subject, payload);
}

function appendMember(name: string, value: f64, decimals: i32): void {
  payload.appendText(name);
  appendNumber(payload, value, decimals);
}

export function onSaveBytes(state: Buffer): void {
  groups.save(state);
}

export function onRestoreBytes(start: usize, bytes: usize): void {
  groups.restore(start, bytes);
}
