import { utf8 } from '../base/bytes.js';
import { filterMatches, isFilter } from './subject.js';

/** A token of a destination: makes its text of the subject's tokens. */
type Piece = (tokens: readonly string[], random: () => number) => string;

/** Why a transform cannot be made, in words that follow "…: ". */
export class TransformMistake extends Error {}

/**
 * Makes other subjects of subjects: `orders.*.>` to `sales.{{wildcard(1)}}.>`. What stands for a wildcard of the source:
 *
 * ```text
 * $1 {{wildcard(1)}}           the token           {{split(1,-)}}                at each delimiter a new token
 * {{partition(10,1,2)}}        0…9 by their hash   {{splitfromleft(1,3)}}        cut in two, from either end
 * {{random(10)}}               0…9                 {{slicefromleft(1,3)}}        cut in pieces of so many characters
 * {{left(1,3)}} {{right(1,3)}} its first or last characters
 * ```
 */
export class SubjectTransform {
  readonly source: string;
  readonly destination: string;
  private readonly pieces: Piece[];
  private readonly tail: boolean;
  private readonly fixed: number;
  private readonly random: () => number;

  /** An empty source is everything, an empty destination changes nothing. Throws a `TransformMistake`. */
  constructor(source: string, destination: string, random: () => number = Math.random) {
    this.source = source === '' ? '>' : source;
    this.destination = destination === '' ? '>' : destination;
    this.random = random;
    if (!isFilter(this.source)) throw new TransformMistake(`invalid subject ${source}`);
    if (destination === '') {
      this.pieces = [];
      this.tail = true;
      this.fixed = 0;
      return;
    }
    const tokens = splitTokens(destination);
    if (tokens.some((token) => token === '')) throw new TransformMistake(`invalid subject ${destination}`);
    const from = this.source.split('.');
    const wildcards = from.flatMap((token, index) => (token === '*' ? [index] : []));
    this.tail = tokens.at(-1) === '>';
    if (this.tail !== (from.at(-1) === '>')) throw new TransformMistake(`invalid mapping destination: ${destination}`);
    this.fixed = this.tail ? from.length - 1 : from.length;
    const heads = this.tail ? tokens.slice(0, -1) : tokens;
    let stars = 0;
    this.pieces = heads.map((token) =>
      token === '*' ? wildcardPiece(++stars, wildcards, token) : pieceOf(token, wildcards),
    );
  }

  /** The other subject, or null when the source does not match. */
  match(subject: string): string | null {
    return filterMatches(this.source, subject) ? this.apply(subject) : null;
  }

  /** The other subject of one that the source matches. */
  apply(subject: string): string {
    const tokens = subject.split('.');
    const made = this.pieces.map((piece) => piece(tokens, this.random));
    if (this.tail) made.push(...tokens.slice(this.fixed));
    return made.join('.');
  }
}

/** At the dots that are not within `{{…}}`. */
function splitTokens(destination: string): string[] {
  return destination.split(/\.(?![^{]*\}\})/);
}

function wildcardPiece(number: number, wildcards: number[], token: string): Piece {
  if (number < 1 || number > wildcards.length)
    throw new TransformMistake(`invalid mapping destination: wildcard index out of range in ${token}`);
  const at = wildcards[number - 1];
  return (tokens) => tokens[at];
}

function pieceOf(token: string, wildcards: number[]): Piece {
  const dollar = /^\$(\d+)$/.exec(token);
  if (dollar !== null)
    return Number(dollar[1]) === 0 ? () => token : wildcardPiece(Number(dollar[1]), wildcards, token);
  if (!token.startsWith('{{') || !token.endsWith('}}')) {
    if (token === '>') throw new TransformMistake(`invalid mapping destination: ${token} is not at the end`);
    return () => token;
  }
  const call = /^\{\{\s*(\w+)\s*\(([^)]*)\)\s*\}\}$/.exec(token);
  if (call === null) throw new TransformMistake(`invalid mapping destination: unknown function in ${token}`);
  const values = call[2].split(',').map((value) => value.trim());
  return functionPiece(call[1].toLowerCase(), values, { token, wildcards });
}

interface Place {
  token: string;
  wildcards: number[];
}

function functionPiece(name: string, values: string[], place: Place): Piece {
  const { token, wildcards } = place;
  if (name === 'wildcard') return wildcardPiece(numberOf(values, 0, token, 1), wildcards, token);
  if (name === 'random') {
    const count = numberOf(values, 0, token, 1);
    return (_tokens, random) => String(Math.floor(random() * count));
  }
  if (name === 'partition') return partitionPiece(values, place);
  const cut = CUTS[name];
  if (cut === undefined && name !== 'split')
    throw new TransformMistake(`invalid mapping destination: unknown function in ${token}`);
  const first = wildcardPiece(numberOf(values, 0, token, 2), wildcards, token);
  if (cut === undefined) {
    const delimiter = values[1];
    if (delimiter === '' || /[\s.]/.test(delimiter))
      throw new TransformMistake(`invalid mapping destination: bad delimiter in ${token}`);
    return (tokens, random) =>
      first(tokens, random)
        .split(delimiter)
        .filter((part) => part !== '')
        .join('.');
  }
  const size = numberOf(values, 1, token, 2);
  return (tokens, random) => cut(first(tokens, random), size);
}

const CUTS: Readonly<Record<string, (token: string, size: number) => string>> = {
  left: (token, size) => token.slice(0, size),
  right: (token, size) => (size >= token.length ? token : token.slice(token.length - size)),
  splitfromleft: (token, size) => (size > 0 && size < token.length ? joined(token, size) : token),
  splitfromright: (token, size) => (size > 0 && size < token.length ? joined(token, token.length - size) : token),
  slicefromleft: (token, size) => slices(token, size, 0),
  slicefromright: (token, size) => slices(token, size, token.length % Math.max(1, size)),
};

function joined(token: string, at: number): string {
  return `${token.slice(0, at)}.${token.slice(at)}`;
}

function slices(token: string, size: number, first: number): string {
  if (size <= 0 || size >= token.length) return token;
  const parts = first > 0 ? [token.slice(0, first)] : [];
  for (let at = first; at < token.length; at += size) parts.push(token.slice(at, at + size));
  return parts.join('.');
}

function partitionPiece(values: string[], { token, wildcards }: Place): Piece {
  const count = numberOf(values, 0, token);
  if (count < 1) throw new TransformMistake(`invalid mapping destination: not enough partitions in ${token}`);
  const parts = values.slice(1).map((_, i) => wildcardPiece(numberOf(values, i + 1, token), wildcards, token));
  return (tokens, random) => {
    const key = parts.length === 0 ? tokens.join('.') : parts.map((part) => part(tokens, random)).join('');
    return String(fnv1a(key) % count);
  };
}

function numberOf(values: string[], at: number, token: string, arity?: number): number {
  if (arity !== undefined && values.length !== arity)
    throw new TransformMistake(
      `invalid mapping destination: ${values.length > arity ? 'too many' : 'not enough'} arguments in ${token}`,
    );
  if (!/^\d{1,9}$/.test(values[at]))
    throw new TransformMistake(`invalid mapping destination: not a number in ${token}`);
  return Number(values[at]);
}

/** The 32-bit FNV-1a hash: which partition a key is in must be the same on every server. */
function fnv1a(key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of utf8(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
