import fc from 'fast-check';

/** Few letters, so that filters and subjects meet often. */
const token = fc.constantFrom('a', 'b', 'c');

/** Subjects to publish to. */
export const subjects = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'));

/** Filters, with and without wildcards. */
export const filters = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { maxLength: 3 }), fc.constantFrom('a', 'b', '*', '>'))
  .map(([tokens, last]) => [...tokens, last].join('.'));

/** What a filter means, written down in another way than in the code under test: as a regular expression. */
export function matchesByExpression(filter: string, subject: string): boolean {
  const parts = filter.split('.').map((part, i, all) => {
    if (part === '*') return '[^.]+';
    return part === '>' && i === all.length - 1 ? '.+' : part.replace(/[^a-z]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('\\.')}$`).test(subject) && !/^\.|\.\.|\.$/.test(subject);
}

/** Every subject of up to four tokens of the alphabet: a small world to try statements about all subjects in. */
export const everySubject: string[] = (() => {
  const found: string[] = [];
  const extend = (prefix: string, depth: number): void => {
    for (const letter of ['a', 'b', 'c']) {
      const subject = prefix === '' ? letter : `${prefix}.${letter}`;
      found.push(subject);
      if (depth < 4) extend(subject, depth + 1);
    }
  };
  extend('', 1);
  return found;
})();
