// Gives fields other names.
import { Json, Kind, Message, Path, refuse, Verdict } from 'weir/plugin';
import { allowKeys, answer, escapeKey, policy } from 'weir/policy';

const fields: Path[] = [];
const names: Path[] = [];
let conflict: Verdict = Verdict.Fail;
let missing: Verdict = Verdict.Pass;
let invalid: Verdict = Verdict.Fail;

export function onInit(config: Json): void {
  allowKeys(config, ['fields', 'conflict', 'missing', 'invalid']);
  const all = config.at('fields');
  if (all.kind != Kind.Object || all.length == 0) return refuse('"fields" is missing: expected an object of new names, such as {"temp": "temperature"}');
  for (let at = all.first; at.exists; at = at.following(all)) {
    if (at.kind != Kind.String || at.text == '') return refuse(`the new name of "${at.key}" is ${at.raw}: expected a text`);
    if (at.key == '') return refuse('"fields" holds a field without a name');
    fields.push(new Path(at.key));
    names.push(new Path(escapeKey(at.text)));
  }
  conflict = policy(config, 'conflict', Verdict.Fail);
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

export function onMessage(message: Message): Verdict {
  const json = message.json;
  if (!json.valid) return judgeInvalid(json);
  let verdict = Verdict.Pass;
  for (let i = 0; i < fields.length; i++) {
    const count = json.rename(unchecked(fields[i]), unchecked(names[i]));
    if (count > 0) verdict = Verdict.Replace;
    else if (count < 0) return judgeConflict(i);
    else if (missing != Verdict.Pass) return judgeMissing(i);
  }
  return verdict;
}

function judgeInvalid(json: Json): Verdict {
  return answer(invalid, `the payload is not JSON: ${json.problem}`);
}

function judgeConflict(i: i32): Verdict {
  return answer(conflict, `"${fields[i].text}" cannot become "${names[i].text}": there is one already`);
}

function judgeMissing(i: i32): Verdict {
  return answer(missing, `there is no "${fields[i].text}"`);
}
