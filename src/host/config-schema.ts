import { Failure } from '../base/failure.js';

type Schema = Record<string, unknown>;

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
const NESTING_MAX = 32;
const QUOTED_CHARACTERS_MAX = 80;

/** Keywords that are understood, and what each must be. The rest would be promises that nobody keeps. */
const KEYWORDS: Record<string, (value: unknown) => boolean> = {
  type: (value) => [value].flat().length > 0 && [value].flat().every((type) => TYPES.includes(type as string)),
  enum: (value) => Array.isArray(value) && value.length > 0,
  const: () => true,
  default: () => true,
  title: isText,
  description: isText,
  examples: Array.isArray,
  properties: isObject,
  required: (value) => Array.isArray(value) && value.every(isText),
  additionalProperties: (value) => typeof value === 'boolean' || isObject(value),
  items: isObject,
  minItems: isCount,
  maxItems: isCount,
  minLength: isCount,
  maxLength: isCount,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
};

/** Throws a `Failure` when the schema uses what this host does not know. */
export function checkSchema(schema: Schema, place: string, depth = 0): void {
  const refused = (why: string) =>
    new Failure('module-manifest', `the module's manifest cannot be used: ${place}${why}`);
  if (depth > NESTING_MAX) throw refused(` is nested deeper than ${NESTING_MAX}`);
  for (const [key, value] of Object.entries(schema)) {
    if (!Object.hasOwn(KEYWORDS, key)) {
      throw refused(`: the keyword ${quoted(key)} is not known; known are ${Object.keys(KEYWORDS).join(', ')}`);
    }
    if (!KEYWORDS[key](value)) throw refused(`.${key} is ${quoted(value)}, which does not fit the keyword`);
  }
  for (const [name, inner] of Object.entries((schema.properties ?? {}) as Schema)) {
    if (!isObject(inner)) throw refused(`.properties.${name} is ${quoted(inner)}; expected an object`);
    checkSchema(inner, `${place}.properties.${name}`, depth + 1);
  }
  for (const key of ['items', 'additionalProperties']) {
    if (isObject(schema[key])) checkSchema(schema[key], `${place}.${key}`, depth + 1);
  }
}

/**
 * The configuration with the schema's defaults where it says nothing. Throws a `Failure` that names the field, what was found and what
 * was expected; of several mistakes, the first.
 */
export function settleConfig(plugin: string, schema: Schema | null, config: unknown): unknown {
  if (schema === null) return config;
  const settled = withDefaults(schema, config);
  const problem = mistake(schema, settled, '');
  if (problem === null) return settled;
  throw new Failure('config-invalid', `the configuration of plugin ${JSON.stringify(plugin)}: ${problem}`);
}

function withDefaults(schema: Schema, value: unknown): unknown {
  if (value === undefined) return schema.default;
  if (Array.isArray(value)) {
    return isObject(schema.items) ? value.map((item) => withDefaults(schema.items as Schema, item)) : value;
  }
  if (!isObject(value)) return value;
  const settled: Schema = { ...value };
  for (const [name, inner] of Object.entries((schema.properties ?? {}) as Record<string, Schema>)) {
    const made = withDefaults(inner, settled[name]);
    if (made !== undefined) settled[name] = made;
  }
  return settled;
}

function mistake(schema: Schema, value: unknown, place: string): string | null {
  const where = place === '' ? 'it' : JSON.stringify(place);
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => isOfType(value, type as string))) {
    return `${where} is ${quoted(value)}; expected ${types.map((type) => ARTICLES[type as string]).join(' or ')}`;
  }
  if (Array.isArray(schema.enum) && !schema.enum.some((one) => same(one, value))) {
    return `${where} is ${quoted(value)}; expected ${schema.enum.map((one) => JSON.stringify(one)).join(', ')}`;
  }
  if (Object.hasOwn(schema, 'const') && !same(schema.const, value)) {
    return `${where} is ${quoted(value)}; expected ${JSON.stringify(schema.const)}`;
  }
  if (typeof value === 'number') return numberMistake(schema, value, where);
  if (typeof value === 'string') return lengthMistake(schema, [[...value].length, 'Length', 'characters'], where);
  if (Array.isArray(value)) return arrayMistake(schema, value, place);
  return isObject(value) ? objectMistake(schema, value, place) : null;
}

function numberMistake(schema: Schema, value: number, where: string): string | null {
  const expected = (what: string, limit: unknown) => `${where} is ${value}; expected ${what} ${limit}`;
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (isNumber(minimum) && value < minimum) return expected('at least', minimum);
  if (isNumber(maximum) && value > maximum) return expected('at most', maximum);
  if (isNumber(exclusiveMinimum) && value <= exclusiveMinimum) return expected('more than', exclusiveMinimum);
  if (isNumber(exclusiveMaximum) && value >= exclusiveMaximum) return expected('less than', exclusiveMaximum);
  return null;
}

function lengthMistake(schema: Schema, [length, kind, unit]: [number, string, string], where: string): string | null {
  const [min, max] = [schema[`min${kind}`], schema[`max${kind}`]];
  if (isNumber(min) && length < min) return `${where} has ${length} ${unit}; expected at least ${min}`;
  return isNumber(max) && length > max ? `${where} has ${length} ${unit}; expected at most ${max}` : null;
}

function arrayMistake(schema: Schema, value: readonly unknown[], place: string): string | null {
  const length = lengthMistake(schema, [value.length, 'Items', 'entries'], place === '' ? 'it' : JSON.stringify(place));
  if (length !== null || !isObject(schema.items)) return length;
  for (const [i, item] of value.entries()) {
    const found = mistake(schema.items, item, `${place}[${i}]`);
    if (found !== null) return found;
  }
  return null;
}

function objectMistake(schema: Schema, value: Schema, place: string): string | null {
  const inside = (name: string) => (place === '' ? name : `${place}.${name}`);
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  for (const name of (schema.required ?? []) as string[]) {
    if (!Object.hasOwn(value, name)) return `${JSON.stringify(inside(name))} is missing${about(properties[name])}`;
  }
  for (const [name, inner] of Object.entries(value)) {
    const known = Object.hasOwn(properties, name);
    if (!known && schema.additionalProperties === false) {
      return `${JSON.stringify(inside(name))} is not known; known are ${Object.keys(properties).join(', ')}`;
    }
    const own = known ? properties[name] : schema.additionalProperties;
    const found = isObject(own) ? mistake(own, inner, inside(name)) : null;
    if (found !== null) return found;
  }
  return null;
}

const ARTICLES: Record<string, string> = {
  ...{ object: 'an object', array: 'an array', string: 'a text', number: 'a number', integer: 'a whole number' },
  ...{ boolean: 'true or false', null: 'null' },
};

function about(schema: Schema | undefined): string {
  return isText(schema?.description) ? `: ${schema.description}` : '';
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  return type === 'object' ? isObject(value) : typeof value === type;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function quoted(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > QUOTED_CHARACTERS_MAX ? `${text.slice(0, QUOTED_CHARACTERS_MAX)}…` : text;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
