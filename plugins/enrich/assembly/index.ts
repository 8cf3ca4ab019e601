// Adds fields from a table to a JSON payload.
import { appendJsonText, Buffer, Json, Kind, Message, NO_ROW, Path, refuse, Table, Value, Verdict } from 'weir/plugin';
import { allowKeys, answer, escapeKey, policy } from 'weir/policy';

const TOKEN_MAX: f64 = 255;

/** One field that a row adds. */
@unmanaged
class Field {
  next: Field | null = null;
  /** Its value as JSON. */
  readonly value: Buffer = new Buffer();
  /** `"key":value`. */
  readonly member: Buffer = new Buffer();

  constructor(readonly path: Path) {}
}

/** The fields that a name in the table adds. */
@unmanaged
class Row {
  first: Field | null = null;
  /** All members, for a message that has none of them. */
  readonly members: Buffer = new Buffer();
}

/** Rows by their numbers in the table: their addresses. */
const rows: Buffer = new Buffer();
const table: Table = new Table();
let fallback: Row | null = null;
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
    setRow(number, row);
  }
  if (config.has('default')) fallback = readRow(config.at('default'), 'default', target);
  overwrite = config.isTrue('overwrite');
  strict = config.isTrue('strict');
  missing = policy(config, 'missing', Verdict.Pass);
  invalid = policy(config, 'invalid', Verdict.Fail);
}

function setRow(number: i32, row: Row): void {
  const offset = <usize>number * sizeof<usize>();
  if (offset == rows.length) {
    rows.room(sizeof<usize>());
    rows.length += sizeof<usize>();
  }
  store<usize>(rows.start + offset, changetype<usize>(row));
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
  if (number != NO_ROW) return add(json, changetype<Row>(load<usize>(rows.start + <usize>number * sizeof<usize>())));
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
function add(json: Json, row: Row): Verdict {
  for (let next = row.first; next !== null; next = next!.next) {
    if (json.peek(next!.path).exists) return addSome(json, row);
  }
  if (row.members.length == 0) return Verdict.Pass;
  return json.addMembers(row.members) ? Verdict.Replace : judgeInvalid(json);
}

/** The same when the message has some of the fields. */
function addSome(json: Json, row: Row): Verdict {
  let verdict = Verdict.Pass;
  members.length = 0;
  for (let next = row.first; next !== null; next = next!.next) {
    const field = next!;
    if (!json.peek(field.path).exists) appendMember(members, field);
    else if (overwrite) {
      if (!json.valid) return judgeInvalid(json);
      if (json.setBytesAt(field.path, field.value)) verdict = Verdict.Replace;
    }
  }
  if (members.length == 0) return verdict;
  return json.addMembers(members) ? Verdict.Replace : judgeInvalid(json);
}

/** The fields of a row; all of it as one field when there is a `target`. */
function readRow(value: Value, at: string, target: string): Row {
  const row = new Row();
  if (value.kind != Kind.Object) {
    refuse(`the row at "${at}" is ${value.raw}: expected an object`);
    return row;
  }
  if (target != '') {
    row.first = fieldOf(target, value.raw);
    appendMember(row.members, row.first!);
    return row;
  }
  const keys = value.keys;
  // The first of them is put in front last.
  for (let i = keys.length - 1; i >= 0; i--) {
    const field = fieldOf(keys[i], value.at(escapeKey(keys[i])).raw);
    field.next = row.first;
    row.first = field;
  }
  for (let next = row.first; next !== null; next = next!.next) appendMember(row.members, next!);
  return row;
}

function appendMember(to: Buffer, field: Field): void {
  if (to.length > 0) to.appendByte(0x2c);
  to.append(field.member.start, field.member.length);
}

function fieldOf(name: string, value: string): Field {
  const field = new Field(new Path(escapeKey(name)));
  field.value.appendText(value);
  appendJsonText(field.member, name);
  field.member.appendByte(0x3a);
  field.member.append(field.value.start, field.value.length);
  return field;
}
