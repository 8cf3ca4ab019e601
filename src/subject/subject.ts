/**
 * Subjects and filters. A subject is tokens joined by `.`; in a filter a token `*` stands for any one token and a last token
 * `>` for one or more. `foo*` and `f>o` are literal tokens. Nothing here allocates when given bytes.
 */
export const DOT = 0x2e;
export const STAR = 0x2a;
export const GREATER = 0x3e;
/** Tokens that a filter may have: more than a control line of the default length can hold. */
export const TOKENS_MAX = 4096;

/** Whether `bytes[start, end)` is a subject one may publish to: no empty token, no white space, no wildcard token. */
export function isLiteralSubjectBytes(bytes: Uint8Array, start: number, end: number): boolean {
  let tokenStart = start;
  for (let i = start; i <= end; i++) {
    const byte = i === end ? DOT : bytes[i];
    if (byte === DOT) {
      if (i === tokenStart) return false;
      if (i - tokenStart === 1 && (bytes[tokenStart] === STAR || bytes[tokenStart] === GREATER)) return false;
      tokenStart = i + 1;
    } else if (isWhiteSpace(byte)) {
      return false;
    }
  }
  return end > start;
}

/** What ends an argument or a line. Every other byte may be part of a token, as in nats-server. */
function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** Whether `bytes[start, end)` is a valid filter: no empty token, no white space, `>` only as the last token, not too many tokens. */
export function isFilterBytes(bytes: Uint8Array, start: number, end: number): boolean {
  let tokenStart = start;
  let tokens = 0;
  let closed = false;
  for (let i = start; i <= end; i++) {
    const byte = i === end ? DOT : bytes[i];
    if (byte === DOT) {
      if (i === tokenStart || closed || ++tokens > TOKENS_MAX) return false;
      if (i - tokenStart === 1 && bytes[tokenStart] === GREATER) closed = true;
      tokenStart = i + 1;
    } else if (isWhiteSpace(byte)) {
      return false;
    }
  }
  return end > start;
}

/** Whether the text is a subject one may publish to. */
export function isLiteralSubject(text: string): boolean {
  return isFilter(text) && !hasWildcard(text);
}

/** Whether the text is a valid filter. */
export function isFilter(text: string): boolean {
  if (text === '' || /[ \t\r\n]/.test(text)) return false;
  const tokens = text.split('.');
  return (
    tokens.length <= TOKENS_MAX &&
    tokens.every((token, index) => token !== '' && (token !== '>' || index === tokens.length - 1))
  );
}

/** Whether a token of the filter is `*` or `>`. */
export function hasWildcard(filter: string): boolean {
  return filter.split('.').some((token) => token === '*' || token === '>');
}

/** Whether every subject that the filter `inner` matches is matched by the filter `outer`. */
export function filterCovers(outer: string, inner: string): boolean {
  if (areApart(outer, inner)) return false;
  const outerTokens = outer.split('.');
  const innerTokens = inner.split('.');
  for (let i = 0; i < outerTokens.length; i++) {
    const token = outerTokens[i];
    if (token === '>') return i < innerTokens.length;
    if (i >= innerTokens.length || innerTokens[i] === '>') return false;
    if (token !== '*' && token !== innerTokens[i]) return false;
  }
  return outerTokens.length === innerTokens.length;
}

/** Whether the filter matches a subject, every token of which stands for itself, `*` and `>` as well. */
export function filterMatches(filter: string, subject: string): boolean {
  const tokens = subject.split('.');
  if (tokens.includes('')) return false;
  const wanted = filter.split('.');
  for (let i = 0; i < wanted.length; i++) {
    if (i >= tokens.length) return false;
    if (wanted[i] === '>' && i === wanted.length - 1) return true;
    if (wanted[i] !== '*' && wanted[i] !== tokens[i]) return false;
  }
  return wanted.length === tokens.length;
}

/** Whether some subject is matched by both filters. */
export function filtersOverlap(one: string, other: string): boolean {
  if (areApart(one, other)) return false;
  const oneTokens = one.split('.');
  const otherTokens = other.split('.');
  const shared = Math.min(oneTokens.length, otherTokens.length);
  for (let i = 0; i < shared; i++) {
    const a = oneTokens[i];
    const b = otherTokens[i];
    if (a === '>' || b === '>') return true;
    if (a !== '*' && b !== '*' && a !== b) return false;
  }
  return oneTokens.length === otherTokens.length;
}

const WILDCARDS = [STAR, GREATER];

/** Whether two filters begin to differ in tokens that are no wildcards, seen without taking them apart: of thousands, each is compared with each. */
function areApart(one: string, other: string): boolean {
  const shorter = Math.min(one.length, other.length);
  let token = 0;
  for (let i = 0; i < shorter; i++) {
    const letter = one.charCodeAt(i);
    if (letter !== other.charCodeAt(i))
      return !WILDCARDS.includes(one.charCodeAt(token)) && !WILDCARDS.includes(other.charCodeAt(token));
    if (letter === DOT) token = i + 1;
  }
  return false;
}
