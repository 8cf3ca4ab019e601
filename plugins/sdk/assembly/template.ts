import { Buffer } from './memory';
import { Message } from './message';
import { Path } from './path';
import { Kind } from './tape';
import { Value } from './value';

/** What stands in a place of a template. */
enum PartKind {
  Literal,
  Field,
  /** A token of the subject that the message came on. */
  Token,
  /** All of that subject. */
  Subject,
  Key,
}

@unmanaged
class Part {
  next: Part | null = null;
  text: Buffer | null = null;
  path: Path | null = null;
  token: i32 = 0;

  constructor(readonly kind: PartKind) {}
}

/** Longer values are no tokens. */
const TOKEN_BYTES_MAX: usize = 256;
const TOKENS_MAX: i32 = 255;

/**
 * A subject with places in it: `{path}` is a value of the message, `{#1}` a token of the subject that it came on, counted from 0, `{#}` all of that subject, and `{#key}` the key
 * by which a plugin groups. What a value holds of dots, wildcards, spaces and control characters becomes `_`: no publisher chooses more than a token.
 */
export class SubjectTemplate {
  /** What is wrong with the text; null when nothing is. */
  problem: string | null = null;
  /** Whether it needs a message, and a key. */
  needsMessage: bool = false;
  needsKey: bool = false;
  private first: Part | null = null;
  private last: Part | null = null;

  constructor(text: string) {
    let at = 0;
    // What it looks like with something in each place.
    let filled = '';
    while (at < text.length && this.problem === null) {
      const open = text.indexOf('{', at);
      const end = open < 0 ? text.length : open;
      if (end > at) this.addLiteral(text.substring(at, end));
      filled += text.substring(at, end);
      if (open < 0) break;
      filled += 'x';
      const close = text.indexOf('}', open);
      if (close < 0) this.problem = `"${text}" has a "{" without a "}"`;
      else this.addPlace(text.substring(open + 1, close));
      at = close + 1;
    }
    if (this.problem === null) this.problem = problemOf(filled);
  }

  /** Writes the subject of a message, with its fields from `value`; false when a place has nothing to stand in it. */
  write(to: Buffer, message: Message, value: Value): bool {
    return this.writeAll(to, message, value, 0, 0);
  }

  /** The same of a key, without a message. */
  writeKey(to: Buffer, key: usize, keyBytes: usize): bool {
    return this.writeAll(to, changetype<Message>(0), changetype<Value>(0), key, keyBytes);
  }

  private writeAll(to: Buffer, message: Message, value: Value, key: usize, keyBytes: usize): bool {
    to.length = 0;
    for (let next = this.first; next !== null; next = next!.next) {
      const part = next!;
      if (part.kind == PartKind.Literal) to.append(part.text!.start, part.text!.length);
      else if (part.kind == PartKind.Subject) to.append(message.subjectStart, message.subjectBytes);
      else if (part.kind == PartKind.Key) {
        if (!appendToken(to, key, keyBytes)) return false;
      } else if (part.kind == PartKind.Token) {
        const start = message.tokenStart(part.token);
        if (start == 0) return false;
        to.append(start, message.tokenEnd(start) - start);
      } else if (!appendValue(to, value.atPath(part.path!))) return false;
    }
    return true;
  }

  private addLiteral(text: string): void {
    const literal = new Buffer();
    literal.appendText(text);
    this.add(PartKind.Literal).text = literal;
  }

  private addPlace(name: string): void {
    if (name == '#') this.add(PartKind.Subject);
    else if (name == '#key') this.add(PartKind.Key);
    else if (name.startsWith('#')) {
      const digits = name.substring(1);
      const index = parseInt(digits);
      // Also of what is written otherwise: `1.5`, `1st`.
      if (!(index >= 0 && index <= <f64>TOKENS_MAX) || (<i32>index).toString() != digits) this.problem = `"{${name}}" is no token: expected an index from 0 to ${TOKENS_MAX} behind the "#"`;
      else this.add(PartKind.Token).token = <i32>index;
    } else if (name == '') this.problem = '"{}" names no field';
    else this.add(PartKind.Field).path = new Path(name);
  }

  private add(kind: PartKind): Part {
    if (kind == PartKind.Key) this.needsKey = true;
    else if (kind != PartKind.Literal) this.needsMessage = true;
    const part = new Part(kind);
    if (this.last === null) this.first = part;
    else this.last!.next = part;
    this.last = part;
    return part;
  }
}

/** Why no message goes to a subject; null when it may. */
function problemOf(subject: string): string | null {
  if (subject == '') return 'it is empty';
  const tokens = subject.split('.');
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] == '') return 'it has an empty token';
    if (tokens[i] == '*' || tokens[i] == '>') return 'it has a wildcard';
  }
  for (let i = 0; i < subject.length; i++) if (subject.charCodeAt(i) <= 0x20) return 'it holds a space';
  return null;
}

function appendValue(to: Buffer, value: Value): bool {
  const kind = value.kind;
  if (kind != Kind.String && kind != Kind.Number && kind != Kind.Boolean) return false;
  const start = value.plain;
  return appendToken(to, start, value.plainBytes);
}

/** Appends bytes as a token; false when they are none or too many. */
function appendToken(to: Buffer, from: usize, bytes: usize): bool {
  if (bytes == 0 || bytes > TOKEN_BYTES_MAX) return false;
  const isFirst = to.length == 0;
  let at = to.room(bytes);
  for (let end = from + bytes; from < end; from++) {
    const byte = <u32>load<u8>(from);
    store<u8>(at++, isSpecial(byte) ? 0x5f : byte);
  }
  // Subjects that begin so are the server's.
  if (isFirst && load<u8>(to.start) == 0x24) store<u8>(to.start, 0x5f);
  to.length += bytes;
  return true;
}

/** Dots, wildcards, spaces and control characters. */
// @ts-ignore: decorator
@inline
function isSpecial(byte: u32): bool {
  return byte <= 0x20 || byte == 0x2e || byte == 0x2a || byte == 0x3e || byte == 0x7f;
}
