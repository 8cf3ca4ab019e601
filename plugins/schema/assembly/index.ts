// Lets through what a JSON Schema describes.
import { Json, Kind, Message, refuse, Verdict } from 'weir/plugin';
import { allowKeys, answer, policy } from 'weir/policy';
import { check, mistake } from './check';
import { Node, readNode } from './node';

let schema: Node | null = null;
let otherwise: Verdict = Verdict.Reject;
let invalid: Verdict = Verdict.Reject;

export function onInit(config: Json): void {
  allowKeys(config, ['schema', 'otherwise', 'invalid']);
  const value = config.at('schema');
  if (value.kind != Kind.Object) return refuse('"schema" is missing: expected a JSON Schema, an object');
  schema = readNode(value, 'schema');
  otherwise = policy(config, 'otherwise', Verdict.Reject);
  invalid = policy(config, 'invalid', Verdict.Reject);
}

export function onMessage(message: Message): Verdict {
  const json = message.json;
  if (!json.valid) return judgeInvalid(json);
  return check(schema!, json.root) ? Verdict.Pass : judgeOther(json);
}

function judgeInvalid(json: Json): Verdict {
  return answer(invalid, `the payload is not JSON: ${json.problem}`);
}

/** What is wrong is looked for anew: what is right costs no texts. */
function judgeOther(json: Json): Verdict {
  return answer(otherwise, mistake(schema!, json.root, ''));
}
