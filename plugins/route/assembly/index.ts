// Sends messages to subjects by what is in them.
import { Buffer, Json, Kind, Message, NO_ROW, Path, refuse, SubjectTemplate, Table, Value, Verdict } from 'weir/plugin';
import { allowKeys, answer, fieldOf, policy, subjectOf } from 'weir/policy';

let field: Path | null = null;
const routes: Table = new Table();
/** Subjects by their numbers in the table. */
const subjects: SubjectTemplate[] = [];
let fallback: SubjectTemplate | null = null;
let missing: Verdict = Verdict.Pass;
let invalid: Verdict = Verdict.Fail;
const subject: Buffer = new Buffer();

export function onInit(config: Json): void {
  allowKeys(config, ['field', 'routes', 'to', 'missing', 'invalid']);
  if (config.has('field') != config.has('routes')) return refuse('expected "field" and "routes" together');
  if (!config.has('routes') && !config.has('to')) return refuse('there is nowhere to go: expected "field" and "routes", or "to", or all of them');
  if (config.has('field')) {
    field = fieldOf(config, 'field');
    readRoutes(config.at('routes'));
  }
  if (config.has('to')) fallback = subjectOf(config, 'to');
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

function readRoutes(all: Value): void {
  if (all.kind != Kind.Object) return refuse(`"routes" is ${all.raw}: expected an object of subjects`);
  for (let at = all.first; at.exists; at = at.following(all)) {
    const number = routes.add(at.key);
    const template = new SubjectTemplate(at.text);
    if (template.problem !== null) return refuse(`the route of "${at.key}" is ${at.raw}: ${template.problem!}`);
    if (template.needsKey) return refuse(`the route of "${at.key}" is ${at.raw}: there is no "{#key}" here`);
    // Of routes with the same key the last one counts.
    if (number < subjects.length) subjects[number] = template;
    else subjects.push(template);
  }
}

export function onMessage(message: Message): Verdict {
  const json = message.json;
  if (!json.valid) return judgeInvalid(json);
  const number = field !== null ? numberOf(json.atPath(field!)) : NO_ROW;
  if (number == NO_ROW && fallback === null) return judgeMissing(json);
  const template = number == NO_ROW ? fallback! : unchecked(subjects[number]);
  if (!template.write(subject, message, json.root)) return judgeNoPlace();
  message.subject = String.UTF8.decodeUnsafe(subject.start, subject.length);
  return Verdict.Replace;
}

function numberOf(value: Value): i32 {
  return value.exists ? routes.findValue(value) : NO_ROW;
}

function judgeInvalid(json: Json): Verdict {
  return answer(invalid, `the payload is not JSON: ${json.problem}`);
}

function judgeMissing(json: Json): Verdict {
  const found = json.atPath(field!);
  return answer(missing, found.exists ? `there is no route for ${found.raw}` : `there is no "${field!.text}"`);
}

function judgeNoPlace(): Verdict {
  return answer(invalid, 'the message lacks what its new subject is made of');
}
