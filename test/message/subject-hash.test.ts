import fc from 'fast-check';
import { expect, test } from 'vitest';
import { wordsOf } from '../../src/base/bytes.js';
import { hashSubject, hashWords } from '../../src/message/message.js';

test('a subject has the same hash by bytes and by words, wherever it stands and whatever is behind it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), fc.nat(40), (bytes, one, other) => {
      const [start, end] = [one, other].map((at) => Math.min(at, bytes.length)).sort((a, b) => a - b) as [
        number,
        number,
      ];
      const alone = bytes.slice(start, end);
      const hash = hashSubject(bytes, start, end);
      expect(hashWords(wordsOf(bytes), start, end)).toBe(hash);
      expect(hashWords(wordsOf(alone), 0, alone.length)).toBe(hash);
    }),
  );
});
