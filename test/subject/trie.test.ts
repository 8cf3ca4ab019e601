import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  filterCovers,
  isFilter,
  isFilterBytes,
  isLiteralSubject,
  isLiteralSubjectBytes,
} from '../../src/subject/subject.js';
import { SubjectTrie } from '../../src/subject/trie.js';

class Entry {
  trieSlot = 0;
  readonly filter: string;
  constructor(filter: string) {
    this.filter = filter;
  }
}

const token = fc.constantFrom('a', 'b', 'foo', 'x1');
const subject = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join('.'));
const filter = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([tokens, open]) => [...tokens, ...(open ? ['>'] : [])].join('.'));

describe('subject trie', () => {
  it('agrees with matching filter by filter, also after removals (property)', () => {
    fc.assert(
      fc.property(
        fc.array(filter, { maxLength: 40 }),
        fc.array(subject, { maxLength: 20 }),
        fc.nat(),
        (filters, subjects, seed) => {
          const trie = new SubjectTrie<Entry>();
          const entries = filters.map((text) => new Entry(text));
          for (const entry of entries) trie.insert(Buffer.from(entry.filter), entry);
          const kept = entries.filter((entry, i) => {
            if ((seed + i) % 3 !== 0) return true;
            expect(trie.remove(Buffer.from(entry.filter), entry)).toBe(true);
            return false;
          });
          expect(trie.size).toBe(kept.length);
          for (const text of subjects) {
            const found: Entry[] = [];
            trie.match(Buffer.from(text), 0, text.length, found);
            const expected = kept.filter((entry) => filterCovers(entry.filter, text)).map((entry) => entry.filter);
            expect(found.map((entry) => entry.filter).sort()).toEqual(expected.sort());
          }
          const all: string[] = [];
          trie.forEach((entry) => void all.push(entry.filter));
          expect(all.sort()).toEqual(kept.map((entry) => entry.filter).sort());
        },
      ),
    );
  });

  it('holds nothing back once everything was removed', () => {
    const trie = new SubjectTrie<Entry>();
    const entry = new Entry('a.*.b.>');
    trie.insert(Buffer.from(entry.filter), entry);
    expect(trie.remove(Buffer.from(entry.filter), entry)).toBe(true);
    expect(trie.remove(Buffer.from(entry.filter), entry)).toBe(false);
    expect(trie.size).toBe(0);
  });
});

describe('validity', () => {
  it.each([
    ['a.b', true, true],
    ['a.*', true, false],
    ['a.>', true, false],
    ['a.>.b', false, false],
    ['a..b', false, false],
    ['.a', false, false],
    ['', false, false],
    ['a b', false, false],
    ['foo*', true, true],
    ['f>o', true, true],
  ])('%j', (text, validFilter, literal) => {
    const bytes = Buffer.from(text);
    expect(isFilter(text)).toBe(validFilter);
    expect(isFilterBytes(bytes, 0, bytes.length)).toBe(validFilter);
    expect(isLiteralSubject(text)).toBe(literal);
    expect(isLiteralSubjectBytes(bytes, 0, bytes.length)).toBe(literal);
  });
});
