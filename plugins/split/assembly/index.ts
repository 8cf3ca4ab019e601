// Makes a message of each element of a list.
import { appendJsonText, Buffer, emitBytes, Json, Kind, Message, Path, SubjectTemplate, Value, Verdict } from 'weir/plugin';
import { allowKeys, answer, fieldOf, policy, readPaths, subjectOf, wholeOf } from 'weir/policy';

const ELEMENTS: i32 = 64;
const ELEMENTS_MAX: i32 = 1_000;

let field: Path | null = null;
let to: SubjectTemplate = new SubjectTemplate('-');
const shared: Path[] = [];
/** `"key":` of each of those. */
const keys: Buffer[] = [];
let elementsMax: i32 = ELEMENTS;
let original: Verdict = Verdict.Drop;
let missing: Verdict = Verdict.Fail;
let invalid: Verdict = Verdict.Fail;
const subject: Buffer = new Buffer();
const payload: Buffer = new Buffer();

export function onInit(config: Json): void {
  allowKeys(config, ['field', 'to', 'with', 'elements_max', 'original', 'missing', 'invalid']);
  if (config.has('field')) field = fieldOf(config, 'field');
  to = subjectOf(config, 'to');
  readPaths(config, 'with', shared);
  for (let i = 0; i < shared.length; i++) {
    const key = new Buffer();
    appendJsonText(key, shared[i].lastKey);
    key.appendByte(0x3a);
    keys.push(key);
  }
  elementsMax = wholeOf(config, 'elements_max', ELEMENTS, 1, ELEMENTS_MAX);
  original = policy(config, 'original', Verdict.Drop);
  missing = policy(config, 'missing', Verdict.Fail);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

export function onMessage(message: Message): Verdict {
  const json = message.json;
  const list = field === null ? json.root : json.atPath(field!);
  if (list.kind != Kind.Array) return judgeOther(json, list);
  if (list.length > elementsMax) return judgeTooLong(list.length);
  // Nothing is sent of a list in which one element has no subject.
  for (let at = list.first; at.exists; at = at.following(list)) if (!to.write(subject, message, at)) return judgeNoPlace(at);
  for (let at = list.first; at.exists; at = at.following(list)) {
    to.write(subject, message, at);
    write(json, at);
    emitBytes(subject, payload);
  }
  return original;
}

function write(json: Json, element: Value): void {
  payload.length = 0;
  payload.append(element.start, element.end - element.start);
  if (element.kind != Kind.Object) return;
  let isEmpty = !element.first.exists;
  for (let i = 0; i < shared.length; i++) {
    const key = unchecked(shared[i]);
    const value = json.atPath(key);
    if (!value.exists || element.atKeyOf(key).exists) continue;
    // In the place of the bracket.
    payload.length--;
    if (!isEmpty) payload.appendByte(0x2c);
    isEmpty = false;
    payload.append(keys[i].start, keys[i].length);
    payload.append(value.start, value.end - value.start);
    payload.appendByte(0x7d);
  }
}

function judgeOther(json: Json, list: Value): Verdict {
  if (!json.valid) return answer(invalid, `the payload is not JSON: ${json.problem}`);
  const place = field === null ? 'the payload' : `"${field!.text}"`;
  return list.kind <= Kind.Null ? answer(missing, `${place} is not there`) : answer(invalid, `${place} is no list`);
}

function judgeTooLong(length: i32): Verdict {
  return answer(invalid, `the list has ${length} elements; at most ${elementsMax} are allowed`);
}

function judgeNoPlace(element: Value): Verdict {
  return answer(invalid, `the element ${element.raw} lacks what its subject is made of`);
}
