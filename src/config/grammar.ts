import { Failure } from '../base/failure.js';

/** Where a value stands in its file. Lines and columns count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/** A value of the configuration with its place. Maps keep their keys' places. */
export type ConfigValue =
  | { kind: 'string' | 'number' | 'boolean' | 'date'; value: string | number | boolean; place: Place }
  | { kind: 'array'; items: ConfigValue[]; place: Place }
  | { kind: 'map'; entries: Map<string, { keyPlace: Place; value: ConfigValue }>; place: Place };

export type ConfigMap = Extract<ConfigValue, { kind: 'map' }>;

/** What the parser needs of the world. */
export interface GrammarInputs {
  readFile(path: string): string;
  /** Resolves an include against the file that names it. */
  resolve(from: string, path: string): string;
  env: Record<string, string | undefined>;
}

export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** An error with its place in front, as nats-server prints it. */
export function configError(place: Place, text: string): Failure {
  return new Failure('config-invalid', `${placeText(place)}: ${text}`);
}

/** Parses a file in nats-server's configuration format. Throws a `Failure` with the place of what is wrong. */
export function parseConfig(text: string, file: string, inputs: GrammarInputs): ConfigMap {
  return new Parser(text, file, inputs, [file], []).document();
}

const SUFFIXES: Record<string, number> = { k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15, e: 1e18 };
const ENDS_BARE = new Set([' ', '\t', '\r', '\n', ',', ';', '{', '}', '[', ']', '#', '(', ')']);
const NESTING_MAX = 100;
const VARIABLE_DEPTH_MAX = 32;

type Scope = Map<string, { keyPlace: Place; value: ConfigValue }>;

class Parser {
  private readonly text: string;
  private readonly file: string;
  private readonly inputs: GrammarInputs;
  private readonly files: readonly string[];
  private readonly scopes: Scope[];
  private at = 0;
  private line = 1;
  private lineStart = 0;

  constructor(text: string, file: string, inputs: GrammarInputs, files: readonly string[], scopes: Scope[]) {
    this.text = text;
    this.file = file;
    this.inputs = inputs;
    this.files = files;
    this.scopes = scopes;
  }

  document(): ConfigMap {
    const place = this.place();
    this.skip();
    // JSON documents put braces around everything.
    if (this.peek() === '{') {
      const value = this.map();
      this.skip();
      if (this.at < this.text.length)
        throw configError(this.place(), `unexpected ${this.quoteNext()} after the closing "}"`);
      return value;
    }
    const entries: Scope = new Map();
    this.entries(entries, '');
    return { kind: 'map', entries, place };
  }

  /** Reads `key value` pairs up to `end` (empty: the end of the file). */
  private entries(entries: Scope, end: string): void {
    this.scopes.push(entries);
    for (;;) {
      this.skip(true);
      if (this.at >= this.text.length) {
        if (end === '') break;
        throw configError(this.place(), `unexpected end of file, expected ${JSON.stringify(end)}`);
      }
      if (end !== '' && this.peek() === end) {
        this.at++;
        break;
      }
      this.entry(entries);
    }
    this.scopes.pop();
  }

  private entry(entries: Scope): void {
    const keyPlace = this.place();
    const quoted = this.peek() === '"' || this.peek() === "'";
    const key = quoted ? this.quoted() : this.bareKey();
    if (key === '') throw configError(keyPlace, `unexpected ${this.quoteNext()}, expected a key`);
    this.blanks();
    if (!quoted && key === 'include') {
      this.include(entries, keyPlace);
      return;
    }
    if (this.peek() === '=' || this.peek() === ':') {
      this.at++;
      this.skip();
    }
    const value = this.value(key);
    entries.set(key, { keyPlace, value });
  }

  private include(entries: Scope, place: Place): void {
    const path = this.peek() === '"' || this.peek() === "'" ? this.quoted() : this.bareText();
    const resolved = this.inputs.resolve(this.file, path);
    if (this.files.includes(resolved)) throw configError(place, `include of ${JSON.stringify(path)} goes in a circle`);
    let text: string;
    try {
      text = this.inputs.readFile(resolved);
    } catch (error) {
      throw configError(place, `cannot include ${JSON.stringify(path)}: ${(error as Error).message}`);
    }
    const included = new Parser(text, resolved, this.inputs, [...this.files, resolved], this.scopes).document();
    for (const [key, entry] of included.entries) entries.set(key, entry);
  }

  private value(key: string): ConfigValue {
    if (this.scopes.length > NESTING_MAX) throw configError(this.place(), `nested deeper than ${NESTING_MAX}`);
    const place = this.place();
    switch (this.peek()) {
      case '{':
        return this.map();
      case '[':
        return this.array();
      case '"':
      case "'":
        return { kind: 'string', value: this.quoted(), place };
      case '(':
        return { kind: 'string', value: this.block(), place };
      case '':
        throw configError(place, `unexpected end of file, expected a value for ${JSON.stringify(key)}`);
      default:
        return this.bare(key, place);
    }
  }

  private map(): ConfigMap {
    const place = this.place();
    this.at++;
    const entries: Scope = new Map();
    this.entries(entries, '}');
    return { kind: 'map', entries, place };
  }

  private array(): ConfigValue {
    const place = this.place();
    this.at++;
    const items: ConfigValue[] = [];
    const scope: Scope = new Map();
    this.scopes.push(scope);
    for (;;) {
      this.skip(true);
      if (this.at >= this.text.length) throw configError(place, 'this array has no closing "]"');
      if (this.peek() === ']') break;
      items.push(this.value('an array'));
    }
    this.scopes.pop();
    this.at++;
    return { kind: 'array', items, place };
  }

  private quoted(): string {
    const place = this.place();
    const quote = this.text[this.at++];
    let value = '';
    while (this.at < this.text.length && this.text[this.at] !== quote) {
      const letter = this.text[this.at++];
      if (letter === '\n') this.newLine();
      value += letter === '\\' && quote === '"' ? this.escape(place) : letter;
    }
    if (this.at >= this.text.length) throw configError(place, `this string has no closing ${quote}`);
    this.at++;
    return value;
  }

  private escape(place: Place): string {
    const letter = this.text[this.at++];
    const plain: Record<string, string> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', '/': '/', "'": "'" };
    if (plain[letter] !== undefined) return plain[letter];
    const digits = letter === 'x' ? 2 : letter === 'u' ? 4 : 0;
    const hex = this.text.slice(this.at, this.at + digits);
    if (digits > 0 && hex.length === digits && /^[0-9a-fA-F]+$/.test(hex)) {
      this.at += digits;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    throw configError(
      place,
      `invalid escape "\\${letter ?? ''}" in a string; allowed are \\xXX, \\t, \\n, \\r, \\", \\\\`,
    );
  }

  /** `( … )` over several lines, as it stands. */
  private block(): string {
    const place = this.place();
    const end = this.text.indexOf(')', this.at);
    if (end < 0) throw configError(place, 'this block has no closing ")"');
    const value = this.text.slice(this.at + 1, end);
    for (let i = this.at; i < end; i++) {
      if (this.text[i] === '\n') {
        this.line++;
        this.lineStart = i + 1;
      }
    }
    this.at = end + 1;
    return value.trim();
  }

  private bareKey(): string {
    const start = this.at;
    while (this.at < this.text.length && !ENDS_BARE.has(this.text[this.at]) && !'=:'.includes(this.text[this.at]))
      this.at++;
    return this.text.slice(start, this.at);
  }

  private bareText(): string {
    const start = this.at;
    while (this.at < this.text.length && !ENDS_BARE.has(this.text[this.at])) this.at++;
    return this.text.slice(start, this.at);
  }

  private bare(key: string, place: Place): ConfigValue {
    const text = this.bareText();
    if (text === '')
      throw configError(place, `unexpected ${this.quoteNext()}, expected a value for ${JSON.stringify(key)}`);
    if (text.startsWith('$') && !/^\$2[abxy]\$/.test(text)) return this.variable(text.slice(1), place, 0);
    return typed(text, place);
  }

  private variable(name: string, place: Place, depth: number): ConfigValue {
    if (depth > VARIABLE_DEPTH_MAX) throw configError(place, `variable reference for "${name}" goes in a circle`);
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const found = this.scopes[i].get(name);
      if (found !== undefined) return found.value;
    }
    const text = this.inputs.env[name];
    if (text === undefined) throw configError(place, `variable reference for "${name}" can not be found`);
    if (text.startsWith('$') && !/^\$2[abxy]\$/.test(text)) return this.variable(text.slice(1), place, depth + 1);
    return typed(text.trim().replace(/^(["'])([\s\S]*)\1$/, '$2'), place);
  }

  /** Skips blanks, line ends and comments; separators too when `separators`. */
  private skip(separators = false): void {
    while (this.at < this.text.length) {
      const letter = this.text[this.at];
      if (letter === '\n') {
        this.at++;
        this.newLine();
      } else if (
        letter === ' ' ||
        letter === '\t' ||
        letter === '\r' ||
        (separators && (letter === ',' || letter === ';'))
      )
        this.at++;
      else if (letter === '#' || (letter === '/' && this.text[this.at + 1] === '/')) {
        while (this.at < this.text.length && this.text[this.at] !== '\n') this.at++;
      } else return;
    }
  }

  private blanks(): void {
    while (this.peek() === ' ' || this.peek() === '\t') this.at++;
  }

  private peek(): string {
    return this.text[this.at] ?? '';
  }

  private quoteNext(): string {
    return this.at >= this.text.length ? 'end of file' : JSON.stringify(this.text[this.at]);
  }

  private newLine(): void {
    this.line++;
    this.lineStart = this.at;
  }

  private place(): Place {
    return { file: this.file, line: this.line, column: this.at - this.lineStart + 1 };
  }
}

/** A bare word as what it looks like: boolean, number with a size suffix, date, or text. */
function typed(text: string, place: Place): ConfigValue {
  const lower = text.toLowerCase();
  if (['true', 'yes', 'on'].includes(lower)) return { kind: 'boolean', value: true, place };
  if (['false', 'no', 'off'].includes(lower)) return { kind: 'boolean', value: false, place };
  const number = /^(-?\d+)(?:([kmgtpe])(b|ib|i)?)?$/i.exec(text);
  if (number !== null) return { kind: 'number', value: sized(number), place };
  if (/^-?\d+\.\d+$/.test(text)) return { kind: 'number', value: Number(text), place };
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return { kind: 'date', value: text, place };
  return { kind: 'string', value: text, place };
}

/** `k` is 1000; `kb`, `ki` and `kib` are 1024. */
function sized([, digits, suffix, binary]: RegExpExecArray): number {
  if (suffix === undefined) return Number(digits);
  const decimal = SUFFIXES[suffix.toLowerCase()];
  return (
    Number(digits) *
    (binary === undefined ? decimal : 1024 ** (Object.keys(SUFFIXES).indexOf(suffix.toLowerCase()) + 1))
  );
}
