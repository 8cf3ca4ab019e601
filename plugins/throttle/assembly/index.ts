// Lets through so many messages in a time, and no more: each key has a bucket of tokens that fills up at that rate.
import { Buffer, Json, Message, refuse, reject, Verdict } from 'weir/plugin';
import { GROUP_KEYS, Groups } from 'weir/group';
import { allowKeys, answer, numberOf, policy } from 'weir/policy';

/** What is remembered of a key. */
@unmanaged
class Bucket {
  tokens: f64;
  /** When there were so many. */
  timeMs: f64;
}

const TOO_MANY: i32 = 429;

let groups: Groups = changetype<Groups>(0);
let tokensPerMs: f64 = 0;
let burst: f64 = 1;
let otherwise: Verdict = Verdict.Drop;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['messages', 'interval_ms', 'burst', 'otherwise', 'invalid'].concat(GROUP_KEYS));
  if (!(config.number('messages') > 0)) refuse('"messages" is missing: expected how many to let through, a number above 0');
  const messages = numberOf(config, 'messages', 1);
  tokensPerMs = messages / numberOf(config, 'interval_ms', 1000, 1);
  burst = numberOf(config, 'burst', max(1, messages), 1);
  groups = new Groups(config, offsetof<Bucket>());
  otherwise = policy(config, 'otherwise', Verdict.Drop);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

// What is done for every message holds no strings: see the SDK's README.
export function onMessage(message: Message): Verdict {
  if (!groups.find(message)) return answer(invalid, groups.problem());
  const bucket = changetype<Bucket>(groups.take());
  const now = message.timestamp;
  // Time may seem to go back, at a change of the clock: then there is nothing to add.
  if (groups.keys.isNew) bucket.tokens = burst;
  else bucket.tokens = min(burst, bucket.tokens + max(0, now - bucket.timeMs) * tokensPerMs);
  bucket.timeMs = now;
  // What divisions lose must not cost a message.
  if (bucket.tokens < 0.999999) return otherwise == Verdict.Drop ? Verdict.Drop : tell();
  bucket.tokens -= 1;
  return Verdict.Pass;
}

function tell(): Verdict {
  const text = 'too many messages: the next one can be sent in a while';
  return otherwise == Verdict.Reject ? reject(TOO_MANY, text) : answer(otherwise, text);
}

export function onSaveBytes(state: Buffer): void {
  groups.save(state);
}

export function onRestoreBytes(start: usize, bytes: usize): void {
  groups.restore(start, bytes);
}
