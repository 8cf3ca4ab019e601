import { Buffer, Kind, NO_ROW, Value } from 'weir/plugin';
import { INTEGER, Node } from './node';

/** Addresses of members by their numbers, of all objects that are being checked, one behind the other. */
const FOUND: Buffer = new Buffer();
const ADDRESS_BYTES: usize = sizeof<usize>();

/** Whether a value is what a schema describes. */
export function check(node: Node, value: Value): bool {
  if (!isOfKind(node, value) || (node.hasValues && !isListed(node, value))) return false;
  const kind = value.kind;
  if (kind == Kind.Number && !isWithin(node, value.number)) return false;
  if (kind == Kind.String && (node.lengthMin > 0 || node.lengthMax < Infinity) && !fits(characters(value), node.lengthMin, node.lengthMax)) return false;
  if (kind == Kind.Array && !checkItems(node, value)) return false;
  if (kind == Kind.Object && !checkMembers(node, value)) return false;
  return checkOthers(node, value);
}

export function isOfKind(node: Node, value: Value): bool {
  if ((node.kinds & (1 << value.kind)) != 0) return true;
  if (value.kind != Kind.Number || (node.kinds & INTEGER) == 0) return false;
  const number = value.number;
  return number == trunc(number) && isFinite(number);
}

function isListed(node: Node, value: Value): bool {
  const kind = value.kind;
  if (kind == Kind.String) return node.texts.findValue(value) != NO_ROW;
  if (kind == Kind.Number) return node.numbers.includes(value.number);
  if (kind == Kind.Boolean) return value.isTrue ? node.isTrueAllowed : node.isFalseAllowed;
  return kind == Kind.Null && node.isNullAllowed;
}

function isWithin(node: Node, number: f64): bool {
  return number >= node.least && number <= node.most && number > node.above && number < node.below;
}

function fits(count: i32, least: f64, most: f64): bool {
  return <f64>count >= least && <f64>count <= most;
}

/** Of a text; a pair of surrogates is one. */
export function characters(value: Value): i32 {
  let at = value.plain;
  let count = 0;
  for (const end = at + value.plainBytes; at < end; at++) if ((load<u8>(at) & 0xc0) != 0x80) count++;
  return count;
}

function checkItems(node: Node, value: Value): bool {
  const items = node.items;
  let count = 0;
  for (let at = value.first; at.exists; at = at.following(value)) {
    if (items !== null && !check(items, at)) return false;
    count++;
  }
  return fits(count, node.itemsMin, node.itemsMax);
}

function checkMembers(node: Node, value: Value): bool {
  const isCounted = node.membersMin > 0 || node.membersMax < Infinity;
  const isOpen = node.allowsOthers && node.others === null;
  // Of members with the same key the last one counts.
  if (!isOpen || isCounted) value.markLast();
  const found = gather(node, value);
  let count = 0;
  let isFine = true;
  if (!isOpen || isCounted) {
    for (let at = value.first; at.exists && isFine; at = at.following(value)) {
      if (!at.isLast) continue;
      count++;
      if (isListedKey(node, at)) continue;
      isFine = node.allowsOthers && (node.others === null || check(node.others!, at));
    }
  }
  isFine = isFine && (!isCounted || fits(count, node.membersMin, node.membersMax));
  for (let i = 0; i < node.properties.length && isFine; i++) {
    const member = memberOf(found, i);
    if (member.exists) isFine = check(unchecked(node.properties[i]), member);
  }
  for (let i = 0; i < node.required.length && isFine; i++) isFine = memberOf(found, unchecked(node.required[i])).exists;
  FOUND.length = found;
  return isFine;
}

/** Whether it is among the `properties` of the schema. */
export function isListedKey(node: Node, member: Value): bool {
  const number = node.keys.findKey(member);
  return number != NO_ROW && node.listed.has(number);
}

/** Notes where the members lie that the schema knows. Answers where in FOUND. */
function gather(node: Node, value: Value): usize {
  const found = FOUND.length;
  const bytes = <usize>node.properties.length * ADDRESS_BYTES;
  memory.fill(FOUND.room(bytes), 0, bytes);
  FOUND.length += bytes;
  if (bytes == 0) return found;
  for (let at = value.first; at.exists; at = at.following(value)) {
    const number = node.keys.findKey(at);
    if (number != NO_ROW) store<usize>(FOUND.start + found + <usize>number * ADDRESS_BYTES, changetype<usize>(at));
  }
  return found;
}

function memberOf(found: usize, number: i32): Value {
  const address = load<usize>(FOUND.start + found + <usize>number * ADDRESS_BYTES);
  return address == 0 ? Value.none : changetype<Value>(address);
}

function checkOthers(node: Node, value: Value): bool {
  for (let i = 0; i < node.all.length; i++) if (!check(unchecked(node.all[i]), value)) return false;
  if (node.any.length > 0 && countOf(node.any, value, 1) == 0) return false;
  if (node.one.length > 0 && countOf(node.one, value, 2) != 1) return false;
  return node.not === null || !check(node.not!, value);
}

/** How many of them describe the value; no more than `most` are counted. */
function countOf(nodes: Node[], value: Value, most: i32): i32 {
  let count = 0;
  for (let i = 0; i < nodes.length && count < most; i++) if (check(unchecked(nodes[i]), value)) count++;
  return count;
}

/** What is wrong with a value that a schema does not describe, for people. */
export function mistake(node: Node, value: Value, path: string): string {
  const name = path == '' ? 'the payload' : `"${path}"`;
  if (!isOfKind(node, value)) return `${name} is ${shortOf(value)}, which is not of the right type`;
  if (node.hasValues && !isListed(node, value)) return `${name} is ${shortOf(value)}, which is none of the values that it may be`;
  if (value.kind == Kind.Number && !isWithin(node, value.number)) return `${name} is ${shortOf(value)}, which is not within its limits`;
  if (value.kind == Kind.String && !fits(characters(value), node.lengthMin, node.lengthMax)) return `${name} has ${characters(value)} characters`;
  if (value.kind == Kind.Array) {
    let i = 0;
    for (let at = value.first; at.exists; at = at.following(value)) {
      if (node.items !== null && !check(node.items!, at)) return mistake(node.items!, at, within(path, i.toString()));
      i++;
    }
    if (!fits(i, node.itemsMin, node.itemsMax)) return `${name} has ${i} elements`;
  }
  if (value.kind == Kind.Object && !checkMembers(node, value)) return mistakeOfMember(node, value, path, name);
  return `${name} does not fit together`;
}

function mistakeOfMember(node: Node, value: Value, path: string, name: string): string {
  for (let i = 0; i < node.required.length; i++) {
    const key = node.names[node.required[i]];
    if (!value.keys.includes(key)) return `"${within(path, key)}" is missing`;
  }
  value.markLast();
  for (let at = value.first; at.exists; at = at.following(value)) {
    if (!at.isLast) continue;
    const number = node.keys.findKey(at);
    if (number != NO_ROW && !check(node.properties[number], at)) return mistake(node.properties[number], at, within(path, at.key));
    if (isListedKey(node, at)) continue;
    if (!node.allowsOthers) return `"${within(path, at.key)}" is not known`;
    if (node.others !== null && !check(node.others!, at)) return mistake(node.others!, at, within(path, at.key));
  }
  return `${name} has ${value.keys.length} members`;
}

function within(path: string, key: string): string {
  return path == '' ? key : `${path}.${key}`;
}

const SHOWN_MAX: i32 = 60;

function shortOf(value: Value): string {
  const raw = value.raw;
  return raw.length > SHOWN_MAX ? `${raw.substring(0, SHOWN_MAX)}…` : raw;
}
