import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { textOf, utf8, wordsOf } from '../../src/base/bytes.js';
import { hashSubject } from '../../src/message/message.js';
import { BLOCK_BYTES, Block } from '../../src/storage/block.js';
import { BlockCache } from '../../src/storage/block-cache.js';
import { crc32 } from '../../src/storage/crc32.js';
import { FrameCodec } from '../../src/storage/frame-codec.js';
import { LogFilter } from '../../src/storage/log-filter.js';
import { StoredMessage } from '../../src/storage/message-log.js';
import {
  FLAG,
  isRecord,
  RECORD_BYTES_MIN,
  readMessage,
  recordBytesOf,
  seal,
  writeMessage,
} from '../../src/storage/record.js';
import { forEachRemoved, RemovedRanges } from '../../src/storage/removal-record.js';
import { Segment } from '../../src/storage/segment.js';
import { CIPHER, decodeHeader, encodeHeader, newHeader } from '../../src/storage/segment-header.js';
import { SubjectIndex } from '../../src/storage/subject-index.js';
import { filterMatches } from '../../src/subject/subject.js';
import { messageOf, readOut } from './random-operations.js';

const sequence = fc.integer({ min: 1, max: 2 ** 52 });
const token = fc.constantFrom('a', 'b', 'cd', '*', '>');
const subjectText = fc
  .array(fc.constantFrom('a', 'b', 'cd', '*'), { minLength: 1, maxLength: 4 })
  .map((tokens) => tokens.join('.'));
const filterText = fc
  .array(token, { minLength: 1, maxLength: 4 })
  .map((tokens) => tokens.map((each, i) => (each === '>' && i < tokens.length - 1 ? 'a' : each)).join('.'));

describe('a checksum', () => {
  test('is that of zlib, from any place, going on from any seed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 1500 }),
        fc.nat(8),
        fc.nat(2 ** 32 - 1),
        (bytes, skip, seed) => {
          const start = Math.min(skip, bytes.length - 1);
          expect(crc32(bytes, wordsOf(bytes), start, bytes.length, seed)).toBe(zlib.crc32(bytes.subarray(start), seed));
        },
      ),
    );
  });
});

describe('a record', () => {
  test('gives back what it was made of, and is none once a byte changed', () => {
    const text = fc.string({ maxLength: 100 });
    const time = fc.record({ timeMs: fc.nat(2 ** 40), timeNs: fc.nat(999_999) });
    fc.assert(
      fc.property(sequence, time, text, text, fc.nat(), (at, when, headers, payload, flip) => {
        const segment = new Segment(1, 1, 12345);
        const block = new Block(segment, 0);
        const message = messageOf('a.subject', payload, headers);
        const length = recordBytesOf(message);
        block.takes(length);
        writeMessage(block, length, message, at, when, FLAG.FIRST_AFTER_SYNC);
        expect(isRecord(block.bytes, block.view, 0, block.used, 12345)).toBe(true);
        expect(isRecord(block.bytes, block.view, 0, block.used, 12346)).toBe(false);
        expect(isRecord(block.bytes, block.view, 0, block.used - 1, 12345)).toBe(false);
        const into = new StoredMessage();
        readMessage(block, 0, into);
        expect(readOut(into)).toEqual({ sequence: at, subject: 'a.subject', headers, payload, ...when });
        block.bytes[flip % length]! ^= 1 << (flip % 8);
        expect(isRecord(block.bytes, block.view, 0, block.used, 12345)).toBe(false);
      }),
    );
  });

  test('of removals gives back the same sequences', () => {
    const ranges = fc.array(fc.tuple(sequence, fc.nat(5)), { minLength: 1, maxLength: 3000 });
    fc.assert(
      fc.property(ranges, (list) => {
        const removed = new RemovedRanges();
        const expected = new Set<number>();
        for (const [first, more] of list) {
          removed.add(first, first + more);
          for (let i = first; i <= first + more; i++) expected.add(i);
        }
        const found = new Set<number>();
        const block = new Block(new Segment(1, 1), 0);
        while (!removed.isEmpty) {
          const payload = removed.takePayload();
          const at = block.used;
          block.takes(RECORD_BYTES_MIN + payload.length);
          block.bytes.set(payload, at + RECORD_BYTES_MIN);
          seal(block, RECORD_BYTES_MIN + payload.length, 1, { timeMs: 0, timeNs: 0 }, FLAG.REMOVALS);
          forEachRemoved(block.view, at, (first, last) => {
            for (let i = first; i <= last; i++) found.add(i);
          });
          block.used = 0;
        }
        expect(found).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a header', () => {
  test('survives damage of either copy', () => {
    const header = newHeader({ id: 7, base: 2 ** 40 + 3, seed: 2 ** 32 - 1, cipher: CIPHER.NONE, framed: true });
    const bytes = encodeHeader(header);
    expect(decodeHeader(bytes)).toEqual(header);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x80;
      expect(decodeHeader(damaged)).toEqual(header);
    }
    expect(decodeHeader(bytes.slice(0, 100))).toBe('damaged');
    expect(decodeHeader(new Uint8Array(bytes.length))).toBe('damaged');
  });
});

describe('a frame', () => {
  const ciphers = fc.constantFrom(CIPHER.NONE, CIPHER.AES_256_GCM, CIPHER.CHACHA20_POLY1305);
  const codecOf = (cipher: number) =>
    new FrameCodec(
      newHeader({ id: 1, base: 1, seed: 1, cipher, framed: true }),
      cipher === CIPHER.NONE ? null : new Uint8Array(32),
    );

  test('gives back its records, at its own place only, and none of them once a byte changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        ciphers,
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(),
        fc.boolean(),
        async (cipher, records, flip, small) => {
          const codec = codecOf(cipher);
          const frame = small ? await codec.encodeSmall(records, () => 500) : codec.encode(records, 500);
          expect(Buffer.from(codec.decode(frame, 0, 500)!)).toEqual(Buffer.from(records));
          if (cipher !== CIPHER.NONE) expect(codec.decode(frame, 0, 501)).toBeNull();
          frame[flip % frame.length]! ^= 1 << (flip % 8);
          expect(codec.decode(frame, 0, 500)).toBeNull();
        },
      ),
    );
  });
});

describe('a filter', () => {
  test('matches what `filterMatches` says', () => {
    fc.assert(
      fc.property(fc.array(filterText, { minLength: 1, maxLength: 3 }), subjectText, (filters, subject) => {
        const bytes = utf8(`..${subject}..`);
        const expected = filters.some((filter) => filterMatches(filter, subject));
        const filter = LogFilter.of(filters);
        expect(filter.matches(bytes, 2, bytes.length - 2)).toBe(expected);
        const index = new SubjectIndex();
        const number = index.findOrAdd(bytes, 2, bytes.length - 2, 5);
        for (let i = 0; i < 2; i++) expect(filter.matchesNumber(index, number)).toBe(expected);
      }),
    );
  });

  test('does not take a new subject for an old one of the same number', () => {
    const index = new SubjectIndex();
    const filter = LogFilter.of(['old.*']);
    const add = (subject: string) => {
      const bytes = utf8(subject);
      const number = index.findOrAdd(bytes, 0, bytes.length, hashSubject(bytes, 0, bytes.length));
      index.noteLast(number, 1);
      return number;
    };
    for (let i = 0; i < 5000; i++) {
      const number = add(`old.${i}`);
      expect(filter.matchesNumber(index, number)).toBe(true);
      index.takeAway(number, 1);
      index.forget(number);
      const other = add(`new.${i}`);
      expect(filter.matchesNumber(index, other)).toBe(false);
      index.takeAway(other, 1);
      index.forget(other);
    }
    // Numbers are used again.
    expect(index.numbers).toBeLessThan(5000);
  });
});

describe('a subject index', () => {
  test('knows the same as a map, before and after it was written down', () => {
    const operation = fc.tuple(fc.nat(400), fc.boolean());
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 2000 }), (operations) => {
        let index = new SubjectIndex();
        const map = new Map<string, number[]>();
        let last = 0;
        operations.forEach(([which, isNew], step) => {
          const subject = `${'long.'.repeat(which % 5)}${which}`;
          const bytes = utf8(subject);
          const hash = hashSubject(bytes, 0, bytes.length);
          const list = map.get(subject);
          if (isNew) {
            index.noteLast(index.findOrAdd(bytes, 0, bytes.length, hash), ++last);
            map.set(subject, [...(list ?? []), last]);
          } else if (list !== undefined) {
            const number = index.find(bytes, 0, bytes.length, hash);
            index.takeAway(number, list.shift()!);
            if (list.length === 0) {
              index.forget(number);
              map.delete(subject);
            }
          }
          if (step === 700) {
            const content = structuredClone(index.content());
            // What is written to from now on is a copy.
            index.noteLast(index.findOrAdd(utf8('spoiler'), 0, 7, 1), 1);
            index = SubjectIndex.from(content);
          }
        });
        expect(index.size).toBe(map.size);
        for (const [subject, list] of map) {
          const bytes = utf8(subject);
          const number = index.find(bytes, 0, bytes.length, hashSubject(bytes, 0, bytes.length));
          expect(textOf(index.name(number))).toBe(subject);
          expect(index.count(number)).toBe(list.length);
          expect(index.lastNoted(number)).toBe(list.at(-1));
          if (!index.isFirstOpen(number)) expect(index.firstNoted(number)).toBe(list[0]);
          else expect(index.firstNoted(number)).toBeLessThan(list[0]!);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a segment', () => {
  test('finds and counts what is there, as a list does', () => {
    const removals = fc.array(fc.tuple(fc.nat(300), fc.nat(80)), { maxLength: 8 });
    fc.assert(
      fc.property(removals, fc.nat(320), fc.nat(320), (gone, one, other) => {
        const segment = new Segment(1, 1000);
        segment.last = 1299;
        const there = new Set(Array.from({ length: 300 }, (_, i) => 1000 + i));
        for (const [from, length] of gone) {
          const end = Math.min(1299, 1000 + from + length);
          segment.markRangeAbsent(1000 + from, end);
          for (let i = 1000 + from; i <= end; i++) there.delete(i);
        }
        segment.messages = there.size;
        const list = [...there];
        const [from, to] = [990 + Math.min(one, other), 990 + Math.max(one, other)];
        expect(segment.nextLive(from)).toBe(list.find((each) => each >= from) ?? -1);
        expect(segment.previousLive(to)).toBe(list.findLast((each) => each <= to) ?? -1);
        expect(segment.countBetween(from, to)).toBe(list.filter((each) => each >= from && each <= to).length);
      }),
    );
  });
});

describe('a cache of blocks', () => {
  test('drops what was not read for the longest time', () => {
    const segment = new Segment(1, 1);
    const cache = new BlockCache(1000);
    const add = (index: number) => {
      const block = new Block(segment, index, new Uint8Array(300));
      segment.loaded[index] = block;
      cache.add(block);
      return block;
    };
    const first = add(0);
    add(1);
    add(2);
    first.wasRead = true;
    add(3);
    expect(segment.loaded.map((block) => block !== null)).toEqual([true, false, true, true]);
    cache.remove(first);
    add(4);
    expect(segment.loaded.map((block) => block !== null)).toEqual([true, false, true, true, true]);
    expect(cache.bytes).toBe(900);
  });

  test('uses what a dropped block lay in again, but not in the same turn of the event loop', async () => {
    const segment = new Segment(1, 1);
    const cache = new BlockCache(1);
    const bytes = [0, 1].map((index) => {
      const block = new Block(segment, index, cache.newBytes(BLOCK_BYTES));
      segment.addBlock(index + 1, block);
      cache.add(block);
      return block.bytes;
    });
    expect(segment.loaded[0]).toBeNull();
    // Messages that were read from it in this turn are still looked at.
    expect(cache.newBytes(BLOCK_BYTES).buffer).not.toBe(bytes[0].buffer);
    await new Promise((resolve) => setImmediate(resolve));
    const again = cache.newBytes(BLOCK_BYTES - 100);
    expect(again.buffer).toBe(bytes[0].buffer);
    expect(again.length).toBe(BLOCK_BYTES - 100);
    expect(cache.newBytes(BLOCK_BYTES).buffer).not.toBe(bytes[1].buffer);
  });
});
