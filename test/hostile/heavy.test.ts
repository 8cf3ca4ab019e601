import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { body, custom, type RawParts, rawGuest, times } from './raw.js';
import { Stage } from './stage.js';

/** Compiling takes a processor for a second; on a machine with few and busy ones the event loop waits for its own. */
const BLOCKED_MS_MAX = 100;
const RSS_BYTES_MAX = 600 * 1024 * 1024;
const ADD_LOADS = [0x20, 0, 0x20, 0, 0x28, 2, 0, 0x6a, 0x21, 0];
const [I32, V128, UNARY, VECTOR] = [0x7f, 0x7b, 3, 4];
const TYPES = [
  [0x60, 1, I32, 1, I32],
  [0x60, 1, V128, 1, V128],
];

function manyFunctions(count: number, type: number, code: number[]): RawParts {
  const each = { type, body: body(code) };
  return { types: TYPES, functions: times(count, 0).map(() => each) };
}

/** Modules at the limits: allowed, and dear. */
const CASES: Record<string, RawParts> = {
  '9,990 functions': manyFunctions(9_990, UNARY, [...times(20, ...ADD_LOADS), 0x20, 0]),
  '50 functions of 64 KB': manyFunctions(50, UNARY, [...times(6_400, ...ADD_LOADS), 0x20, 0]),
  '50 functions of instructions that become many': manyFunctions(50, VECTOR, [0x20, 0, ...times(31_000, 0xfd, 0x62)]),
  '30 functions of nothing but loops': manyFunctions(30, UNARY, [...times(10_000, 0x03, 0x40, 0x0b), 0x20, 0]),
  '400 blocks in each other, and a table of branches out of all': {
    message: [
      ...times(400, 0x02, 0x40),
      0x20,
      0,
      0x0e,
      0x7f,
      ...times(128, 0).map((_, i) => i),
      ...times(400, 0x0b),
      0x41,
      0,
    ],
  },
  'a custom section of 3 MB': { appended: custom('filler', new Uint8Array(3_000_000).fill(0x41)) },
  'a custom section whose name has 3 MB': { appended: custom(Buffer.alloc(3_000_000, 'n'), new Uint8Array(0)) },
  '100,000 custom sections': { appended: Buffer.concat(times(100_000, 0).map(() => custom('', new Uint8Array(0)))) },
  'a name section that promises 4 G names': {
    appended: custom('name', Uint8Array.of(1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)),
  },
  'a name section of garbage': {
    appended: custom(
      'name',
      Uint8Array.from({ length: 5000 }, (_, i) => (i * 31) & 0xff),
    ),
  },
};

describe('modules that are dear to prepare', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it.each(Object.entries(CASES))('%s', { timeout: 60_000 }, async (_, parts) => {
    const wasm = rawGuest(parts);
    const rssBefore = process.memoryUsage.rss();
    const answer = await stage.contained(async () => {
      // The same bytes would not be prepared again.
      await stage.api('PLUGIN.DELETE.heavy');
      return stage.install('heavy', wasm);
    }, BLOCKED_MS_MAX);
    expect(answer.error?.description).toBeUndefined();
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(RSS_BYTES_MAX);
  });

  it('names with control characters do not reach logs and headers', async () => {
    const evil = 'evil\r\nWeir-Cause: none\u001b[2J';
    const name = Buffer.from(evil);
    const names = [1, name.length + 3, 1, 2, name.length, ...name];
    const wasm = rawGuest({ message: [0x00], appended: custom('name', Uint8Array.from(names)) });
    // weir_open of a raw guest answers 0: its text is a fault's, with the place of the trap after the first message.
    await stage.install('names', wasm);
    const refusal = await stage.attach('names', {});
    expect(refusal.error?.description).toMatch(/answered 0/);
    const trapping = rawGuest({
      message: [0x00],
      sections: { 8: Uint8Array.of(3) },
      types: [[0x60, 0, 0]],
      functions: [{ type: 3, body: body([0x00]) }],
      appended: custom('name', Uint8Array.from([1, name.length + 3, 1, 3, name.length, ...name])),
    });
    await stage.install('names', trapping);
    const { error } = await stage.attach('names', {});
    expect(error?.description).toContain('trapped: unreachable, in evil??Weir-Cause: none?[2J');
  });
});
