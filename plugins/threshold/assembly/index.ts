// Lets through the messages whose number lies within limits.
import { Json, Kind, Message, Path, refuse, Verdict } from 'weir/plugin';
import { allowKeys, answer, policy } from 'weir/policy';

let field: Path = new Path('');
let above: f64 = -Infinity;
let below: f64 = Infinity;
let atLeast: f64 = -Infinity;
let atMost: f64 = Infinity;
let outside: bool = false;
let strict: bool = false;
let otherwise: Verdict = Verdict.Drop;
let missing: Verdict = Verdict.Drop;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['field', 'above', 'below', 'at_least', 'at_most', 'outside', 'strict', 'otherwise', 'missing', 'invalid']);
  if (config.text('field') == '') return refuse('"field" is missing: expected the path of a number, such as "wind" or "sensor.temperature"');
  field = new Path(config.text('field'));
  above = limit(config, 'above', -Infinity);
  below = limit(config, 'below', Infinity);
  atLeast = limit(config, 'at_least', -Infinity);
  atMost = limit(config, 'at_most', Infinity);
  if (!config.has('above') && !config.has('below') && !config.has('at_least') && !config.has('at_most')) {
    return refuse('there is no limit: expected at least one of "above", "below", "at_least", "at_most"');
  }
  outside = config.isTrue('outside');
  strict = config.isTrue('strict');
  otherwise = policy(config, 'otherwise', Verdict.Drop);
  missing = policy(config, 'missing', Verdict.Drop);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

// Texts are put together in functions of their own: one that holds strings prepares a stack for the collector whenever it is entered, and that costs
// as much as finding the number does.
export function onMessage(message: Message): Verdict {
  const value = strict ? message.json.atPath(field).number : message.json.peekNumber(field);
  if (isNaN(value)) return judgeOther(message);
  const inside = value > above && value < below && value >= atLeast && value <= atMost;
  if (inside != outside) return Verdict.Pass;
  return otherwise == Verdict.Drop ? Verdict.Drop : judgeBeyond(message);
}

function judgeOther(message: Message): Verdict {
  const json = message.json;
  const kind = json.peek(field).kind;
  if (!json.valid) return answer(invalid, `the payload is not JSON: ${json.problem}`);
  if (kind == Kind.Missing || kind == Kind.Null) return answer(missing, `there is no "${field.text}"`);
  return answer(invalid, `"${field.text}" is not a number`);
}

function judgeBeyond(message: Message): Verdict {
  return answer(otherwise, `"${field.text}" is ${message.json.peek(field).raw}, which is not within its limits`);
}

function limit(config: Json, key: string, otherwise: f64): f64 {
  const kind = config.kind(key);
  if (kind == Kind.Missing) return otherwise;
  if (kind != Kind.Number) refuse(`"${key}" is ${config.raw(key)}: expected a number`);
  return config.number(key);
}
