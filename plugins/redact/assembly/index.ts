// Puts a mask in the place of what nobody should see.
import { Buffer, Json, Kind, Message, Path, refuse, Verdict } from 'weir/plugin';
import { allowKeys, answer, policy, readPaths, wholeOf } from 'weir/policy';

const KEEP_MAX: i32 = 64;

const fields: Path[] = [];
const mask: Buffer = new Buffer();
let keepLast: i32 = 0;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['fields', 'mask', 'keep_last', 'invalid']);
  readPaths(config, 'fields', fields);
  if (fields.length == 0) refuse('"fields" is missing: expected a list of paths');
  if (config.has('mask') && config.kind('mask') != Kind.String) refuse(`"mask" is ${config.raw('mask')}: expected a text`);
  mask.appendText(config.has('mask') ? config.text('mask') : '***');
  keepLast = wholeOf(config, 'keep_last', 0, 0, KEEP_MAX);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

export function onMessage(message: Message): Verdict {
  const json = message.json;
  if (json.mask(fields, mask, keepLast)) return Verdict.Replace;
  // What cannot be read may hold anything.
  return json.valid ? Verdict.Pass : judgeInvalid(json);
}

function judgeInvalid(json: Json): Verdict {
  return answer(invalid, `the payload is not JSON: ${json.problem}`);
}
