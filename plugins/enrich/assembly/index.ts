// Adds fields from a table to a JSON payload.
import { appendJsonText, Buffer, Json, Kind, Message, NO_ROW, Path, refuse, Table, Value, Verdict } from 'weir/plugin';
import { allowKeys, answer, escapeKey, policy } from 'weir/policy';

const TOKEN_MAX: f64 = 255;

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

/** The fields of each row by its number in the table. */
const rows: Field[][] = [];
const table: Table = new Table();
let fallback: Field[] | null = null;
let key: Path | null = null;
let token: i32 = -1;
let overwrite: bool = false;
let strict: bool = false;
let missing: Verdict = Verdict.Pass;
let invalid: Verdict = Verdict.Fail;
const members: Buffer = new Buffer();

export function onInit(config: Json): void {
  allowKeys(config, ['key', 'token', 'table', 'default', 'target', 'overwrite', 'strict', 'missing', 'invalid']);
  readKey(config);
  const all = config.at('table');
  if (all.kind != Kind.Object) return refuse('"table" is missing: expected an object of rows, such as {"kitchen": {"floor": 1}}');
  const target = config.text('target');
  for (let at = all.first; at.exists; at = at.following(all)) {
    const number = table.add(at.key);
    const row = readRow(at, `table.${at.key}`, target);
    // Of rows with the same key the last one counts.
    if (number < rows.length) rows[number] = row;
    else rows.push(row);
  }
  if (config.has('default')) fallback = readRow(config.at('default'), 'default', target);
  overwrite = config.isTrue('overwrite');
  strict = config.isTrue('strict');
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

function readKey(config: Json): void {
  if (config.has('key') == config.has('token')) return refuse('expected either "key", the path of a field, or "token", the index of a token of the subject');
  if (config.has('key')) {
    if (config.text('key') == '') return refuse(`"key" is ${config.raw('key')}: expected the path of a field`);
    key = new Path(config.text('key'));
  } else {
    const index = config.number('token');
    if (!(index >= 0 && index <= TOKEN_MAX && index == Math.trunc(index))) return refuse(`"token" is ${config.raw('token')}: expected an index from 0 to ${TOKEN_MAX}`);
    token = <i32>index;
  }
}

// What is done for every message holds no strings: see the SDK's README.
export function onMessage(message: Message): Verdict {
  const json = message.json;
  if (strict && json.root.kind != Kind.Object) return judgeInvalid(json);
  const number = rowOf(message, json);
  if (number != NO_ROW) return add(json, unchecked(rows[number]));
  return other(message, json);
}

/** What becomes of a message without a row of its own. */
function other(message: Message, json: Json): Verdict {
  if (json.root.kind != Kind.Object) return judgeInvalid(json);
  if (fallback !== null) return add(json, fallback!);
  return missing == Verdict.Pass ? Verdict.Pass : answer(missing, `the table has no row "${nameOf(message, json)}"`);
}

function judgeInvalid(json: Json): Verdict {
  return answer(invalid, json.valid ? 'the payload is not an object' : `the payload is not JSON: ${json.problem}`);
}

function rowOf(message: Message, json: Json): i32 {
  if (key !== null) {
    const value = json.peek(key!);
    return value.exists ? table.findValue(value) : NO_ROW;
  }
  const start = message.tokenStart(token);
  return start == 0 ? NO_ROW : table.find(start, message.tokenEnd(start) - start);
}

/** What was looked for, for people. */
function nameOf(message: Message, json: Json): string {
  if (key === null) return message.subjectToken(token);
  const value = json.atPath(key!);
  return value.kind == Kind.String ? value.text : value.raw;
}

/** Adds what the message does not have, and changes what it has if that is wanted. */
function add(json: Json, row: Field[]): Verdict {
  let verdict = Verdict.Pass;
  members.length = 0;
  for (let i = 0; i < row.length; i++) {
    const field = unchecked(row[i]);
    if (!json.peek(field.path).exists) {
      if (members.length > 0) members.appendByte(0x2c);
      members.append(field.member.start, field.member.length);
    } else if (overwrite) {
      if (!json.valid) return judgeInvalid(json);
      if (json.setRawAt(field.path, field.value)) verdict = Verdict.Replace;
    }
  }
  if (members.length == 0) return verdict;
  return json.addMembers(members) ? Verdict.Replace : judgeInvalid(json);
}

/** The fields of a row; all of it as one field when there is a `target`. */
function readRow(value: Value, at: string, target: string): Field[] {
  const row: Field[] = [];
  if (value.kind != Kind.Object) {
    refuse(`the row at "${at}" is ${value.raw}: expected an object`);
    return row;
  }
  if (target != '') {
    row.push(fieldOf(target, value.raw));
    return row;
  }
  const keys = value.keys;
  for (let i = 0; i < keys.length; i++) row.push(fieldOf(keys[i], value.at(escapeKey(keys[i])).raw));
  return row;
}

function fieldOf(name: string, value: string): Field {
  const member = new Buffer();
  appendJsonText(member, name);
  member.appendByte(0x3a);
  member.appendText(value);
  return new Field(new Path(escapeKey(name)), value, member);
}
