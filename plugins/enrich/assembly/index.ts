// Adds fields from a table to a JSON payload.
import { appendJsonText, Buffer, Json, Kind, Message, Path, refuse, Verdict } from 'weir/plugin';
import { allowKeys, answer, escapeKey, policy } from 'weir/policy';

/** One field that a row adds. */
class Field {
  constructor(
    readonly path: Path,
    /** Its value as JSON. */
    readonly value: string,
    /** `"key":value`. */
    readonly member: Buffer,
  ) {}
}

const rows: Map<string, Field[]> = new Map();
let fallback: Field[] | null = null;
let key: Path | null = null;
let token: i32 = -1;
let overwrite: bool = false;
let missing: Verdict = Verdict.Pass;
let invalid: Verdict = Verdict.Fail;
const members: Buffer = new Buffer();

export function onInit(config: Json): void {
  allowKeys(config, ['key', 'token', 'table', 'default', 'target', 'overwrite', 'missing', 'invalid']);
  if (config.has('key') == config.has('token')) return refuse('expected either "key", the path of a field, or "token", the index of a token of the subject');
  if (config.has('key')) {
    if (config.text('key') == '') return refuse(`"key" is ${config.raw('key')}: expected the path of a field`);
    key = new Path(config.text('key'));
  } else {
    const index = config.number('token');
    if (!(index >= 0 && index <= 255 && index == Math.trunc(index))) return refuse(`"token" is ${config.raw('token')}: expected an index from 0 to 255`);
    token = <i32>index;
  }
  if (config.kind('table') != Kind.Object) return refuse('"table" is missing: expected an object of rows, such as {"kitchen": {"floor": 1}}');
  const keys = config.keys('table');
  const target = config.text('target');
  for (let i = 0; i < keys.length; i++) rows.set(keys[i], readRow(config, `table.${escapeKey(keys[i])}`, target));
  if (config.has('default')) fallback = readRow(config, 'default', target);
  overwrite = config.isTrue('overwrite');
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

export function onMessage(message: Message): Verdict {
  const json = message.json;
  if (json.rootKind != Kind.Object) {
    return answer(invalid, json.valid ? 'the payload is not an object' : `the payload is not JSON: ${json.problem}`);
  }
  const name = key === null ? message.subjectToken(token) : keyOf(json, key!);
  const row = rows.has(name) ? rows.get(name) : fallback;
  if (row === null) return answer(missing, `the table has no row "${name}"`);
  return add(json, row) ? Verdict.Replace : Verdict.Pass;
}

/** Adds what the message does not have; answers whether that is anything. */
function add(json: Json, row: Field[]): bool {
  let changed = false;
  members.length = 0;
  for (let i = 0; i < row.length; i++) {
    const field = row[i];
    if (json.kindAt(field.path) == Kind.Missing) {
      if (members.length > 0) members.appendByte(0x2c);
      members.append(field.member.start, field.member.length);
    } else if (overwrite) changed = true;
  }
  if (members.length > 0) json.addMembers(members);
  if (!changed) return members.length > 0;
  for (let i = 0; i < row.length; i++) json.setRawAt(row[i].path, row[i].value);
  return true;
}

/** The key's value: a string as it is, anything else as its JSON text. */
function keyOf(json: Json, path: Path): string {
  return json.kindAt(path) == Kind.String ? json.textAt(path) : json.rawAt(path);
}

/** The fields of a row; all of it as one field when there is a `target`. */
function readRow(config: Json, at: string, target: string): Field[] {
  const row: Field[] = [];
  if (config.kind(at) != Kind.Object) {
    refuse(`the row at "${at}" is ${config.raw(at)}: expected an object`);
    return row;
  }
  if (target != '') {
    row.push(fieldOf(target, config.raw(at)));
    return row;
  }
  const keys = config.keys(at);
  for (let i = 0; i < keys.length; i++) row.push(fieldOf(keys[i], config.raw(`${at}.${escapeKey(keys[i])}`)));
  return row;
}

function fieldOf(name: string, value: string): Field {
  const member = new Buffer();
  appendJsonText(member, name);
  member.appendByte(0x3a);
  member.appendText(value);
  return new Field(new Path(escapeKey(name)), value, member);
}
