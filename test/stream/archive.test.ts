import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArchiveMistake, ArchiveReader, archiveEntry, archiveHead } from '../../src/stream/archive.js';
import { S2Mistake, S2Reader, s2Chunks, s2Head } from '../../src/stream/s2.js';

/** Cuts bytes at the given places. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [
    0,
    ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((one, other) => one - other),
    bytes.length,
  ];
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

const byteArray = fc.uint8Array({ maxLength: 300 });
const cuts = fc.array(fc.nat(), { maxLength: 8 });

describe('S2 streams', () => {
  it('come out as they went in, however they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200_000 }), cuts, (bytes, places) => {
        const reader = new S2Reader();
        const stream = Buffer.concat([s2Head(), s2Chunks(bytes)]);
        const out = Buffer.concat(pieces(stream, places).flatMap((piece) => [...reader.push(piece)]));
        expect(out.equals(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('decodes blocks: literals, copies of all lengths, repeats', () => {
    // Length 14, literal "abc", copy 4 from 3 back, literal "x", copy 6 from 8 back in the longer form.
    const block = Buffer.from([14, 2 << 2, 0x61, 0x62, 0x63, 0x01, 3, 0 << 2, 0x78, (5 << 2) | 2, 8, 0]);
    const text = 'abcabcaxabcabc';
    const stored = s2Chunks(Buffer.from(text));
    const crc = stored.subarray(4, 8);
    const chunk = Buffer.concat([Buffer.from([0, block.length + 4, 0, 0]), crc, block]);
    expect(Buffer.concat([...new S2Reader().push(Buffer.concat([s2Head(), chunk]))]).toString()).toBe(text);
  });

  it('refuses what is none, and never does anything worse', () => {
    expect(() => [...new S2Reader().push(Buffer.from('nothing of the kind'))]).toThrow(S2Mistake);
    const good = Buffer.concat([s2Head(), s2Chunks(Buffer.from('hello, hello'))]);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bad = Buffer.from(good);
        bad[at] ^= flip;
        try {
          for (const part of new S2Reader().push(bad)) expect(part.length).toBeLessThan(100);
        } catch (error) {
          expect(error).toBeInstanceOf(S2Mistake);
        }
      }),
    );
  });
});

describe('archives', () => {
  const entry = fc.record({
    name: byteArray,
    timeMs: fc.nat({ max: 4e12 }),
    timeNs: fc.nat({ max: 999_999 }),
    sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    headers: byteArray,
    payload: byteArray,
  });

  it('come out as they went in, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), cuts, (entries, places) => {
        const reader = new ArchiveReader();
        const bytes = Buffer.concat([archiveHead(), ...entries.map(archiveEntry)]);
        const out = pieces(bytes, places).flatMap((piece) => [...reader.push(piece)].map(plain));
        expect(out).toEqual(entries.map(plain));
      }),
    );
  });

  it('keep nothing of a piece but what is not complete', () => {
    const reader = new ArchiveReader();
    const [first, second] = [1, 2].map((sequence) =>
      archiveEntry({
        name: Buffer.from('s'),
        timeMs: 1,
        timeNs: 0,
        sequence,
        headers: Buffer.alloc(0),
        payload: Buffer.alloc(5000),
      }),
    );
    const bytes = Buffer.concat([archiveHead(), first, second]);
    // The end of the second one's numbers has not come; what came before it was put together of two pieces.
    const cut = archiveHead().length + first.length + 2;
    expect([...reader.push(bytes.subarray(0, 3)), ...reader.push(bytes.subarray(3, cut))]).toHaveLength(1);
    const { rest } = reader as unknown as { rest: Uint8Array };
    expect([rest.length, rest.buffer.byteLength]).toEqual([2, 2]);
    expect([...reader.push(bytes.subarray(cut))]).toHaveLength(1);
  });

  it('refuses other formats', () => {
    expect(() => [...new ArchiveReader().push(Buffer.from('ustar tar tar tar'))]).toThrow(ArchiveMistake);
  });

  function plain<T extends object>(found: T): object {
    return Object.fromEntries(
      Object.entries(found).map(([key, value]) => [key, value instanceof Uint8Array ? [...value] : value]),
    );
  }
});
