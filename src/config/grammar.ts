import { describe } from '../base/failure.js';
import { configError, type Place } from './place.js';
import { type ConfigScalar, scalarOf } from './scalar.js';
import { Scanner } from './scanner.js';

/** A value of the configuration with its place. */
export type ConfigValue = ConfigScalar | ConfigArray | ConfigMap;

export interface ConfigArray {
  kind: 'array';
  items: ConfigValue[];
  place: Place;
}

export interface ConfigMap {
  kind: 'map';
  entries: Map<string, ConfigEntry>;
  place: Place;
}

/** A key with its value. A key that a `$variable` referred to need not be one that the server knows. */
export interface ConfigEntry {
  keyPlace: Place;
  value: ConfigValue;
  usedAsVariable: boolean;
}

/** What the parser needs of the world. */
export interface GrammarInputs {
  readFile(path: string): string;
  /** Resolves an include against the file that names it. */
  resolve(from: string, path: string): string;
  env: Record<string, string | undefined>;
}

/** Parses a file in nats-server's configuration format. Throws a `Failure` with the place of what is wrong. */
export function parseConfig(text: string, file: string, inputs: GrammarInputs): ConfigMap {
  return new Parser(text, { file, inputs, files: [file], variables: [] }).document();
}

const NESTING_MAX = 100;
const INCLUDES_MAX = 32;
/** A bcrypt hash begins like a variable and is none. */
const BCRYPT = /^\$2[abxy]\$/;

type Scope = Map<string, ConfigEntry>;

interface Source {
  file: string;
  inputs: GrammarInputs;
  /** This file and the ones that include it. */
  files: readonly string[];
  /** Environment variables whose text is being parsed. */
  variables: readonly string[];
}

/**
 * ```text
 * file  = { entries }            braces around everything, as JSON has them, may be left out
 * entry = key [=|:] value        ends at a line end, "," or ";"
 *       | include path
 * value = { entries } | [ values ] | "text" | 'text' | ( lines ) | $variable | word
 * ```
 */
class Parser {
  private readonly source: Source;
  private readonly scanner: Scanner;
  private readonly scopes: Scope[] = [];
  private depth = 0;

  constructor(text: string, source: Source) {
    this.source = source;
    this.scanner = new Scanner(text, source.file);
  }

  document(): ConfigMap {
    const { scanner } = this;
    const place = scanner.place();
    scanner.skipLines();
    if (scanner.peek() !== '{') return { kind: 'map', entries: this.entries(''), place };
    const document = this.map();
    scanner.skipLines();
    if (!scanner.atEnd) throw configError(scanner.place(), `unexpected ${scanner.found()} after the closing "}"`);
    return document;
  }

  /** The value of an environment variable, written as in a file. */
  variableText(): ConfigValue {
    const { scanner } = this;
    scanner.skipBlanks();
    const value = this.value('the variable');
    scanner.skipLines();
    if (!scanner.atEnd) throw configError(scanner.place(), `unexpected ${scanner.found()} after the value`);
    return value;
  }

  /** Reads `key value` pairs up to `end` (empty: the end of the file) and over it. */
  private entries(end: string): Scope {
    const { scanner } = this;
    const entries: Scope = new Map();
    this.scopes.push(entries);
    for (;;) {
      scanner.skipLines();
      if (scanner.take(',') || scanner.take(';')) continue;
      if (end !== '' && scanner.take(end)) break;
      if (scanner.atEnd) {
        if (end === '') break;
        throw configError(scanner.place(), `unexpected end of the file, expected ${JSON.stringify(end)}`);
      }
      this.entry(entries);
      this.endOfEntry(end);
    }
    this.scopes.pop();
    return entries;
  }

  private entry(entries: Scope): void {
    const { scanner } = this;
    const keyPlace = scanner.place();
    const { quoted } = scanner;
    const key = quoted ? scanner.string(false) : scanner.key();
    if (key === '' && !quoted) throw configError(keyPlace, `unexpected ${scanner.found()}, expected a key`);
    if (key === 'include' && !quoted && /[ \t]/.test(scanner.peek())) {
      this.include(entries, keyPlace);
      return;
    }
    // Between a key and its value nothing is a comment: `//` and `#` may begin a text.
    scanner.skipSpace(true);
    // Outside of braces a value stands on the line of its `=`.
    if (scanner.take('=') || scanner.take(':')) scanner.skipSpace(this.scopes.length > 1);
    entries.set(key, { keyPlace, value: this.value(JSON.stringify(key)), usedAsVariable: false });
  }

  /** Two values on one line without a separator are a mistake: most often a text with blanks that lacks its quotes. */
  private endOfEntry(end: string): void {
    const { scanner } = this;
    const sameLine = !scanner.skipLines();
    const next = scanner.peek();
    if (!sameLine || scanner.atEnd || next === ',' || next === ';' || (end !== '' && next === end)) return;
    throw configError(scanner.place(), `unexpected ${scanner.found()} after a value, expected "," or a new line`);
  }

  private include(entries: Scope, place: Place): void {
    const { scanner, source } = this;
    scanner.skipBlanks();
    const path = scanner.quoted ? scanner.string(false) : scanner.path();
    if (path === '') throw configError(place, `unexpected ${scanner.found()}, expected the name of a file to include`);
    const file = source.inputs.resolve(source.file, path);
    if (source.files.includes(file)) throw configError(place, `include of ${JSON.stringify(path)} goes in a circle`);
    if (source.files.length > INCLUDES_MAX) throw configError(place, `includes are nested deeper than ${INCLUDES_MAX}`);
    let text: string;
    try {
      text = source.inputs.readFile(file);
    } catch (error) {
      throw configError(place, `cannot include ${JSON.stringify(path)}: ${describe(error)}`);
    }
    const included = new Parser(text, { ...source, file, files: [...source.files, file] }).document();
    for (const [key, entry] of included.entries) entries.set(key, entry);
  }

  private value(of: string): ConfigValue {
    const { scanner } = this;
    const place = scanner.place();
    switch (scanner.peek()) {
      case '{':
        return this.map();
      case '[':
        return this.array();
      case '"':
      case "'":
        return { kind: 'string', value: scanner.string(), place };
      case '(':
        return { kind: 'string', value: scanner.block(), place };
      default:
        return this.word(of, place);
    }
  }

  private map(): ConfigMap {
    const place = this.scanner.place();
    this.enter(place);
    this.scanner.next();
    const entries = this.entries('}');
    this.depth--;
    return { kind: 'map', entries, place };
  }

  private array(): ConfigArray {
    const { scanner } = this;
    const place = scanner.place();
    this.enter(place);
    scanner.next();
    const items: ConfigValue[] = [];
    for (let separated = true; ; separated = false) {
      separated = scanner.skipLines() || separated;
      if (scanner.take(']')) break;
      if (scanner.atEnd) throw configError(place, 'this array has no closing "]"');
      if (items.length > 0 && scanner.take(',')) separated = true;
      scanner.skipLines();
      if (scanner.take(']')) break;
      if (!separated) throw configError(scanner.place(), `unexpected ${scanner.found()}, expected "," or "]"`);
      items.push(this.value('an element of this array'));
    }
    this.depth--;
    return { kind: 'array', items, place };
  }

  private enter(place: Place): void {
    if (++this.depth > NESTING_MAX) throw configError(place, `values are nested deeper than ${NESTING_MAX}`);
  }

  private word(of: string, place: Place): ConfigValue {
    const { scanner } = this;
    const { text, escaped } = scanner.word();
    if (escaped) return { kind: 'string', value: text, place };
    if (text === '') throw configError(place, `unexpected ${scanner.found()}, expected a value for ${of}`);
    if (text.startsWith('$') && !BCRYPT.test(text)) return this.variable(text.slice(1), place);
    return scalarOf(text, place);
  }

  /** A variable is a key of this block or of one around it, or else one of the environment. Its value gets the place of its use. */
  private variable(name: string, place: Place): ConfigValue {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const found = this.scopes[i].get(name);
      if (found === undefined) continue;
      found.usedAsVariable = true;
      return { ...found.value, place };
    }
    const { source } = this;
    const text = source.inputs.env[name];
    if (text === undefined) throw configError(place, `variable reference for ${JSON.stringify(name)} can not be found`);
    if (source.variables.includes(name))
      throw configError(place, `variable reference cycle for ${JSON.stringify(name)}`);
    const variables = [...source.variables, name];
    return { ...new Parser(text, { ...source, file: `$${name}`, variables }).variableText(), place };
  }
}
