// Keeps some fields of a JSON payload, or leaves some out.
import { Json, Kind, Message, Path, refuse, Verdict } from 'weir/plugin';
import { allowKeys, answer, policy, readPaths } from 'weir/policy';

const keep: Path[] = [];
const remove: Path[] = [];
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['fields', 'remove', 'invalid']);
  readPaths(config, 'fields', keep);
  readPaths(config, 'remove', remove);
  if (keep.length == 0 && remove.length == 0) refuse('there is nothing to do: expected "fields" to keep or to "remove", lists of paths');
  invalid = policy(config, 'invalid', Verdict.Fail);
}

export function onMessage(message: Message): Verdict {
  const json = message.json;
  const kind = json.root.kind;
  if (kind != Kind.Object && kind != Kind.Array) {
    return answer(invalid, json.valid ? 'the payload is neither an object nor an array' : `the payload is not JSON: ${json.problem}`);
  }
  const isKept = keep.length > 0 && json.keep(keep);
  const isRemoved = remove.length > 0 && json.remove(remove);
  return isKept || isRemoved ? Verdict.Replace : Verdict.Pass;
}
