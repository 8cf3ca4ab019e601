import fc from 'fast-check';
import { expect, it } from 'vitest';
import { paddedBytes, wordsOf } from '../../src/base/bytes.js';
import { ReplyQueue } from '../../src/stream/reply-queue.js';

interface Entry {
  subject: string;
  sequence: number;
  rest: string;
}

function push(queue: ReplyQueue, { subject, sequence, rest }: Entry): void {
  const source = Buffer.from(`..${subject}....`);
  queue.push(wordsOf(source), 2, 2 + subject.length, sequence, rest);
}

function take(queue: ReplyQueue): Entry {
  const { sequence, rest, firstBytes } = queue;
  const target = paddedBytes(firstBytes + 5);
  queue.takeFirst(wordsOf(target), 5);
  return { subject: Buffer.from(target.subarray(5, 5 + firstBytes)).toString(), sequence, rest };
}

it('gives back what it got, in order, however it is filled and emptied', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 900 })), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 300 }), (rounds, longest) => {
      const queue = new ReplyQueue();
      const expected: Entry[] = [];
      let sequence = 0;
      for (const [pushes, takes] of rounds) {
        for (let i = 0; i < pushes; i++) {
          const entry = {
            subject: `_INBOX.${'x'.repeat(++sequence % longest)}`,
            sequence,
            rest: sequence % 7 ? '' : ',1',
          };
          expected.push(entry);
          push(queue, entry);
        }
        for (let i = 0; i < takes && expected.length > 0; i++) expect(take(queue)).toEqual(expected.shift());
        expect(queue.length).toBe(expected.length);
      }
      while (expected.length > 0) expect(take(queue)).toEqual(expected.shift());
      expect(queue.length).toBe(0);
    }),
    { numRuns: 40 },
  );
});
