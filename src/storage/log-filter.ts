import { rangesEqual, utf8 } from '../base/bytes.js';
import { DOT, GREATER, hasWildcard, STAR } from '../subject/subject.js';
import type { SubjectIndex } from './subject-index.js';

const NO = 1;
const YES = 2;

/** One or several subject filters: matches a subject that any of them matches. */
export class LogFilter {
  /** The subject, when this is one filter without wildcards. */
  readonly literal: Uint8Array | null;
  private readonly patterns: readonly Uint8Array[];
  /** By the number of a subject: 0 is unknown, else NO or YES. Made for wildcards, of one index and epoch at a time. */
  private verdicts = new Uint8Array(0);
  private index: SubjectIndex | null = null;
  private epoch = 0;

  private constructor(patterns: readonly Uint8Array[], literal: Uint8Array | null) {
    this.patterns = patterns;
    this.literal = literal;
  }

  /** Filters must be valid (`isFilter`); at least one. */
  static of(filters: readonly string[]): LogFilter {
    const patterns = filters.map(utf8);
    return new LogFilter(patterns, filters.length === 1 && !hasWildcard(filters[0]) ? patterns[0] : null);
  }

  /** Matches exactly the subject of these bytes, which are kept. */
  static literal(subject: Uint8Array): LogFilter {
    return new LogFilter([subject], subject);
  }

  /** Whether the subject of this number is matched. */
  matchesNumber(index: SubjectIndex, number: number): boolean {
    if (this.index !== index || this.epoch !== index.epoch || number >= this.verdicts.length) this.prepare(index);
    const known = this.verdicts[number];
    if (known !== 0) return known === YES;
    const start = index.nameStart(number);
    const matched = this.matches(index.nameBytes(number), start, start + index.nameLength(number));
    this.verdicts[number] = matched ? YES : NO;
    return matched;
  }

  /** Whether `bytes[start, end)`, a literal subject, is matched. */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const { literal, patterns } = this;
    if (literal !== null) return literal.length === end - start && rangesEqual(literal, 0, bytes, start, end - start);
    for (let i = 0; i < patterns.length; i++) if (patternMatches(patterns[i], bytes, start, end)) return true;
    return false;
  }

  private prepare(index: SubjectIndex): void {
    if (this.index === index && this.epoch === index.epoch) {
      const verdicts = new Uint8Array(Math.max(64, Math.ceil(index.numbers * 1.5)));
      verdicts.set(this.verdicts);
      this.verdicts = verdicts;
    } else if (this.verdicts.length >= index.numbers) {
      this.verdicts.fill(0);
    } else {
      this.verdicts = new Uint8Array(Math.max(64, Math.ceil(index.numbers * 1.5)));
    }
    this.index = index;
    this.epoch = index.epoch;
  }
}

/** Walks filter and subject together, byte by byte; both are valid. */
function patternMatches(pattern: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const last = pattern.length - 1;
  let at = start;
  for (let i = 0; i <= last; i++) {
    const byte = pattern[i];
    const tokenStart = i === 0 || pattern[i - 1] === DOT;
    if (tokenStart && byte === GREATER && i === last) return at < end;
    if (tokenStart && byte === STAR && (i === last || pattern[i + 1] === DOT)) {
      if (at >= end) return false;
      while (at < end && bytes[at] !== DOT) at++;
    } else if (at >= end || bytes[at++] !== byte) {
      return false;
    }
  }
  return at === end;
}
