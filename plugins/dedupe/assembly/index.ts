// Lets through a message once, and not again within a time.
import { Buffer, Json, Keys, KEYS_MAX, Kind, Message, Path, refuse, reject, Value, Verdict } from 'weir/plugin';
import { fingerprintOf } from 'weir/hash';
import { saveKeys, restoreKeys } from 'weir/group';
import { allowKeys, answer, fieldOf, numberOf, policy, wholeOf } from 'weir/policy';

/** What is remembered of a message: when it was let through. What it was is told apart by 128 bits. */
@unmanaged
class Seen {
  timeMs: f64;
}

const CONFLICT: i32 = 409;
const FINGERPRINT: usize = memory.data(48, 8);
const FINGERPRINT_BYTES: usize = 16;
// Two seeds for two halves.
const ONE: u64 = 0x2545_f491_4f6c_dd1d;
const OTHER: u64 = 0x9e6c_63d0_876a_68ee;

let field: Path | null = null;
let header: string = '';
let keys: Keys = changetype<Keys>(0);
let windowMs: f64 = 0;
let acrossSubjects: bool = false;
let otherwise: Verdict = Verdict.Drop;
let missing: Verdict = Verdict.Pass;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['field', 'header', 'window_ms', 'across_subjects', 'keys_max', 'otherwise', 'missing', 'invalid']);
  if (config.has('field') && config.has('header')) refuse('expected "field", "header" or neither of them');
  if (config.has('field')) field = fieldOf(config, 'field');
  if (config.has('header') && config.text('header') == '') refuse(`"header" is ${config.raw('header')}: expected the name of a header`);
  header = config.text('header');
  windowMs = numberOf(config, 'window_ms', 120_000, 1);
  acrossSubjects = config.isTrue('across_subjects');
  keys = new Keys(offsetof<Seen>(), wholeOf(config, 'keys_max', 10_000, 1, KEYS_MAX));
  otherwise = policy(config, 'otherwise', Verdict.Drop);
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

// What is done for every message holds no strings: see the SDK's README.
export function onMessage(message: Message): Verdict {
  if (field !== null) {
    const found = message.json.peek(field!);
    if (found.kind == Kind.Missing || found.kind == Kind.Null || found.kind >= Kind.Array) return judgeOther(message, found);
    if (found.kind == Kind.String) return judgeText(message, found);
    return judge(message, found.start, found.end - found.start);
  }
  if (header != '') return judgeHeader(message);
  return judge(message, message.payloadStart, message.payloadBytes);
}

/** Escapes are no difference. */
function judgeText(message: Message, found: Value): Verdict {
  const text = found.plain;
  return judge(message, text, found.plainBytes);
}

function judgeHeader(message: Message): Verdict {
  const value = message.header(header);
  if (value === null) return answer(missing, `there is no header "${header}"`);
  const utf8 = String.UTF8.encode(value);
  return judge(message, changetype<usize>(utf8), utf8.byteLength);
}

function judge(message: Message, start: usize, bytes: usize): Verdict {
  let one = ONE;
  let other = OTHER;
  if (!acrossSubjects) {
    one = fingerprintOf(message.subjectStart, message.subjectBytes, one);
    other = fingerprintOf(message.subjectStart, message.subjectBytes, other);
  }
  store<u64>(FINGERPRINT, fingerprintOf(start, bytes, one));
  store<u64>(FINGERPRINT, fingerprintOf(start, bytes, other), 8);
  const before = changetype<Seen>(keys.find(FINGERPRINT, FINGERPRINT_BYTES));
  const now = message.timestamp;
  // A message from the future was let through before the clock was set back.
  if (changetype<usize>(before) != 0 && now - before.timeMs < windowMs && now >= before.timeMs) {
    return otherwise == Verdict.Drop ? Verdict.Drop : tell();
  }
  changetype<Seen>(keys.take(FINGERPRINT, FINGERPRINT_BYTES)).timeMs = now;
  return Verdict.Pass;
}

function tell(): Verdict {
  const text = 'the same message was here before';
  return otherwise == Verdict.Reject ? reject(CONFLICT, text) : answer(otherwise, text);
}

function judgeOther(message: Message, found: Value): Verdict {
  const json = message.json;
  if (!json.valid) return answer(invalid, `the payload is not JSON: ${json.problem}`);
  if (found.kind >= Kind.Array) return answer(invalid, `"${field!.text}" is neither a text nor a number nor a boolean`);
  return answer(missing, `there is no "${field!.text}"`);
}

export function onSaveBytes(state: Buffer): void {
  saveKeys(keys, state);
}

export function onRestoreBytes(start: usize, bytes: usize): void {
  restoreKeys(keys, start, bytes);
}
