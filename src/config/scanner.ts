import { configError, type Place } from './place.js';

/** Ends a bare word: blanks, line ends, and what separates or closes. `#` does not, so that passwords may contain it. */
const ENDS_WORD = /[\s,;\]}]/;
const PLAIN_ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\' };
const ESCAPES = '\\xXX, \\t, \\n, \\r, \\" and \\\\';

/** A text with a position in it: words, strings and comments of the configuration format. */
export class Scanner {
  private readonly text: string;
  private readonly file: string;
  private at = 0;
  private line = 1;
  private lineStart = 0;

  constructor(text: string, file: string) {
    this.text = text.startsWith('\uFEFF') ? text.slice(1) : text;
    this.file = file;
  }

  get atEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** The next letter; empty at the end. */
  peek(): string {
    return this.text[this.at] ?? '';
  }

  place(): Place {
    return { file: this.file, line: this.line, column: this.at - this.lineStart + 1 };
  }

  /** What comes next, for error texts. */
  found(): string {
    if (this.atEnd) return 'end of the file';
    return this.peek() === '\n' ? 'end of the line' : JSON.stringify(this.peek());
  }

  /** Moves over one letter. */
  next(): string {
    const letter = this.text[this.at++] ?? '';
    if (letter === '\n') {
      this.line++;
      this.lineStart = this.at;
    }
    return letter;
  }

  /** Moves over the letter if it is the next one. */
  take(letter: string): boolean {
    if (this.peek() !== letter) return false;
    this.next();
    return true;
  }

  /** Skips blanks, and line ends if asked to, but no comments. */
  skipSpace(lineEnds: boolean): void {
    while (/[ \t\r]/.test(this.peek()) || (lineEnds && this.peek() === '\n')) this.next();
  }

  /** Skips blanks and comments of this line. */
  skipBlanks(): void {
    for (;;) {
      const letter = this.peek();
      if (letter === ' ' || letter === '\t' || letter === '\r') this.at++;
      else if (letter === '#' || (letter === '/' && this.text[this.at + 1] === '/')) this.skipLine();
      else return;
    }
  }

  /** Skips blanks, comments and line ends. Returns whether there was a line end. */
  skipLines(): boolean {
    const { line } = this;
    this.skipBlanks();
    while (this.take('\n')) this.skipBlanks();
    return this.line > line;
  }

  private skipLine(): void {
    const end = this.text.indexOf('\n', this.at);
    this.at = end < 0 ? this.text.length : end;
  }

  /** A key without quotes: up to a blank, `=`, `:` or an opening brace. */
  key(): string {
    return this.letters(/[\s=:{}]/);
  }

  /** A word without quotes, escapes resolved. `escaped` says whether there were any: such a word is always a text. */
  word(): { text: string; escaped: boolean } {
    let text = this.letters(/[\s,;\]}\\]/);
    let escaped = false;
    while (this.peek() === '\\') {
      const place = this.place();
      this.next();
      escaped = true;
      text += this.escape(place) + this.letters(/[\s,;\]}\\]/);
    }
    return { text, escaped };
  }

  /** A file name without quotes. */
  path(): string {
    return this.letters(ENDS_WORD);
  }

  private letters(end: RegExp): string {
    const start = this.at;
    while (this.at < this.text.length && !end.test(this.text[this.at])) this.at++;
    return this.text.slice(start, this.at);
  }

  /** Whether a quoted string comes next. */
  get quoted(): boolean {
    return this.peek() === '"' || this.peek() === "'";
  }

  /** A quoted string. Only double quotes have escapes, and none in a key. */
  string(withEscapes = true): string {
    const place = this.place();
    const quote = this.next();
    const escapes = withEscapes && quote === '"';
    let value = '';
    let start = this.at;
    while (this.peek() !== quote) {
      if (this.atEnd) throw configError(place, `this string has no closing ${quote}`);
      if (!escapes || this.peek() !== '\\') {
        this.next();
        continue;
      }
      value += this.text.slice(start, this.at);
      const at = this.place();
      this.next();
      value += this.escape(at);
      start = this.at;
    }
    value += this.text.slice(start, this.at);
    this.next();
    return value;
  }

  private escape(place: Place): string {
    const letter = this.next();
    const plain = Object.hasOwn(PLAIN_ESCAPES, letter) ? PLAIN_ESCAPES[letter] : undefined;
    if (plain !== undefined) return plain;
    const hex = this.text.slice(this.at, this.at + 2);
    if (letter !== 'x' || !/^[0-9a-fA-F]{2}$/.test(hex)) {
      throw configError(place, `invalid escape ${JSON.stringify(`\\${letter}`)}, expected one of ${ESCAPES}`);
    }
    this.at += 2;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  /** `( … )` over several lines, as it stands; it ends at a `)` alone at the beginning of a line. */
  block(): string {
    const place = this.place();
    this.next();
    let value = '';
    while (!this.atEnd) {
      const atLineStart = this.at === this.lineStart;
      if (atLineStart && /^\)\r?(?:\n|$)/.test(this.text.slice(this.at, this.at + 3))) {
        this.next();
        return value;
      }
      value += this.next();
    }
    throw configError(place, 'this block has no ")" on a line of its own');
  }
}
