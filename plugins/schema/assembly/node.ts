import { Kind, refuse, Table, Value } from 'weir/plugin';

/** Bits by kind, as in `Kind`; an integer is a number besides. */
export const INTEGER: i32 = 1 << 16;
const ANY: i32 = -1;
const DEPTH_MAX: i32 = 32;

/** A schema as it is checked: what it does not say is what everything fits. */
export class Node {
  /** Bits of the kinds that are allowed. */
  kinds: i32 = ANY;
  /** The values that are allowed, when there are such: texts, numbers, and kinds for the others. */
  hasValues: bool = false;
  readonly texts: Table = new Table();
  readonly numbers: f64[] = [];
  isTrueAllowed: bool = false;
  isFalseAllowed: bool = false;
  isNullAllowed: bool = false;
  /** Schemas of members by their numbers. */
  readonly keys: Table = new Table();
  readonly properties: Node[] = [];
  readonly names: string[] = [];
  /** Numbers of those among `properties` that have a schema, and are not only required. */
  readonly listed: Set<i32> = new Set();
  /** Numbers of the members that must be there. */
  readonly required: i32[] = [];
  /** Of members that are not among them; null is anything. */
  others: Node | null = null;
  allowsOthers: bool = true;
  items: Node | null = null;
  least: f64 = -Infinity;
  most: f64 = Infinity;
  above: f64 = -Infinity;
  below: f64 = Infinity;
  lengthMin: f64 = 0;
  lengthMax: f64 = Infinity;
  itemsMin: f64 = 0;
  itemsMax: f64 = Infinity;
  membersMin: f64 = 0;
  membersMax: f64 = Infinity;
  all: Node[] = [];
  any: Node[] = [];
  one: Node[] = [];
  not: Node | null = null;

  /** The number of a member; one that is only required fits everything. */
  numberOf(key: string): i32 {
    const number = this.keys.add(key);
    if (number == this.properties.length) {
      this.properties.push(new Node());
      this.names.push(key);
    }
    return number;
  }
}

/** Reads a schema; refuses one that says what is not understood. */
export function readNode(schema: Value, place: string, depth: i32 = 0): Node {
  const node = new Node();
  if (depth > DEPTH_MAX) {
    refuse(`the schema is nested deeper than ${DEPTH_MAX}`);
    return node;
  }
  if (schema.kind == Kind.Boolean) {
    if (!schema.isTrue) node.kinds = 0;
    return node;
  }
  if (schema.kind != Kind.Object) {
    refuse(`"${place}" is ${schema.raw}: expected a schema`);
    return node;
  }
  for (let at = schema.first; at.exists; at = at.following(schema)) readKeyword(node, at, `${place}.${at.key}`, depth);
  return node;
}

function readKeyword(node: Node, value: Value, place: string, depth: i32): void {
  const keyword = value.key;
  if (isAnnotation(keyword)) return;
  if (keyword == 'type') readType(node, value, place);
  else if (keyword == 'enum') readEnum(node, value, place);
  else if (keyword == 'const') readValue(node, value, place);
  else if (keyword == 'properties') readProperties(node, value, place, depth);
  else if (keyword == 'required') readRequired(node, value, place);
  else if (keyword == 'additionalProperties') {
    if (value.kind == Kind.Boolean) node.allowsOthers = value.isTrue;
    else node.others = readNode(value, place, depth + 1);
  } else if (keyword == 'items') node.items = readNode(value, place, depth + 1);
  else if (keyword == 'not') node.not = readNode(value, place, depth + 1);
  else if (keyword == 'allOf') readList(node.all, value, place, depth);
  else if (keyword == 'anyOf') readList(node.any, value, place, depth);
  else if (keyword == 'oneOf') readList(node.one, value, place, depth);
  else readLimit(node, keyword, value, place);
}

/** For people and other programs. */
function isAnnotation(keyword: string): bool {
  return ['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'format'].includes(keyword);
}

function readLimit(node: Node, keyword: string, value: Value, place: string): void {
  const limit = value.number;
  if (isNaN(limit)) return refuse(isLimit(keyword) ? `"${place}" is ${value.raw}: expected a number` : `"${place}" is not understood`);
  if (keyword == 'minimum') node.least = limit;
  else if (keyword == 'maximum') node.most = limit;
  else if (keyword == 'exclusiveMinimum') node.above = limit;
  else if (keyword == 'exclusiveMaximum') node.below = limit;
  else if (keyword == 'minLength') node.lengthMin = limit;
  else if (keyword == 'maxLength') node.lengthMax = limit;
  else if (keyword == 'minItems') node.itemsMin = limit;
  else if (keyword == 'maxItems') node.itemsMax = limit;
  else if (keyword == 'minProperties') node.membersMin = limit;
  else if (keyword == 'maxProperties') node.membersMax = limit;
  else refuse(`"${place}" is not understood`);
}

function isLimit(keyword: string): bool {
  return keyword.startsWith('min') || keyword.startsWith('max') || keyword.startsWith('exclusiveM');
}

function readType(node: Node, value: Value, place: string): void {
  node.kinds = 0;
  if (value.kind != Kind.Array) {
    node.kinds = kindsOf(value, place);
    return;
  }
  for (let at = value.first; at.exists; at = at.following(value)) node.kinds |= kindsOf(at, place);
}

function kindsOf(value: Value, place: string): i32 {
  const name = value.text;
  if (name == 'object') return 1 << Kind.Object;
  if (name == 'array') return 1 << Kind.Array;
  if (name == 'string') return 1 << Kind.String;
  if (name == 'number') return (1 << Kind.Number) | INTEGER;
  if (name == 'integer') return INTEGER;
  if (name == 'boolean') return 1 << Kind.Boolean;
  if (name == 'null') return 1 << Kind.Null;
  refuse(`"${place}" holds ${value.raw}: expected "object", "array", "string", "number", "integer", "boolean" or "null"`);
  return 0;
}

function readEnum(node: Node, value: Value, place: string): void {
  if (value.kind != Kind.Array || value.length == 0) return refuse(`"${place}" is ${value.raw}: expected a list of values`);
  for (let at = value.first; at.exists; at = at.following(value)) readValue(node, at, place);
}

function readValue(node: Node, value: Value, place: string): void {
  node.hasValues = true;
  if (value.kind == Kind.String) node.texts.add(value.text);
  else if (value.kind == Kind.Number) node.numbers.push(value.number);
  else if (value.kind == Kind.Null) node.isNullAllowed = true;
  else if (value.kind != Kind.Boolean) refuse(`"${place}" holds ${value.raw}: objects and lists cannot be compared`);
  else if (value.isTrue) node.isTrueAllowed = true;
  else node.isFalseAllowed = true;
}

function readProperties(node: Node, value: Value, place: string, depth: i32): void {
  if (value.kind != Kind.Object) return refuse(`"${place}" is ${value.raw}: expected an object of schemas`);
  for (let at = value.first; at.exists; at = at.following(value)) {
    const number = node.numberOf(at.key);
    node.properties[number] = readNode(at, `${place}.${at.key}`, depth + 1);
    node.listed.add(number);
  }
}

function readRequired(node: Node, value: Value, place: string): void {
  if (value.kind != Kind.Array) return refuse(`"${place}" is ${value.raw}: expected a list of keys`);
  for (let at = value.first; at.exists; at = at.following(value)) {
    if (at.kind != Kind.String) return refuse(`"${place}" holds ${at.raw}: expected a key`);
    const number = node.numberOf(at.text);
    if (!node.required.includes(number)) node.required.push(number);
  }
}

function readList(into: Node[], value: Value, place: string, depth: i32): void {
  if (value.kind != Kind.Array || value.length == 0) return refuse(`"${place}" is ${value.raw}: expected a list of schemas`);
  for (let at = value.first; at.exists; at = at.following(value)) into.push(readNode(at, place, depth + 1));
}
