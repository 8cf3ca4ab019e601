import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ByteWriter } from '../../src/sandbox/byte-writer.js';
import { assemble, type GuestParts, guestText } from './guest.js';
import { body, custom, type RawParts, rawGuest, times } from './raw.js';
import { Stage } from './stage.js';

const V128 = 0x7b;
const I32 = 0x7f;

/** Modules that are refused when they are installed, and the words that name what they use. */
const TEXTS: Record<string, [parts: GuestParts, refusal: RegExp]> = {
  'shared memory': [{ memory: '4 8 shared' }, /the memory has the flags 3 \(shared\)/],
  'an atomic addition': [
    { message: '(i32.atomic.rmw.add (i32.const 0) (i32.const 1))', memory: '4' },
    /instruction 0xfe \(threads and atomics\)/,
  ],
  'a wait that would stop the event loop': [
    { message: '(memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))' },
    /instruction 0xfe \(threads and atomics\)/,
  ],
  'an exception handler around an endless loop': [
    { message: '(try (result i32) (do (loop (br 0)) i32.const 0) (catch_all i32.const 0))' },
    /instruction 0x06 \(exceptions\)/,
  ],
  'a memory with 64-bit addresses': [{ memory: 'i64 4' }, /the memory has the flags 4 \(64-bit\)/],
  'two memories': [{ extra: '(memory 1)' }, /the module has 2 memories; exactly one is expected/],
};

const IMPORTS: [text: string, refusal: RegExp][] = [
  [
    '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))',
    /imports "wasi_snapshot_preview1.fd_write"/,
  ],
  ['(import "env" "memory" (memory 1))', /imports "env.memory"/],
  ['(import "env" "table" (table 1 funcref))', /imports "env.table"/],
  ['(import "env" "abort" (global i32))', /imports "env.abort"/],
  ['(import "env" "seed" (func (result f64)))', /imports "env.seed"/],
  ['(import "$weir" "memory" (func))', /imports "\$weir.memory"/],
  [`(import "env" "${'x'.repeat(5000)}" (func))`, /imports "env.x{90,100}…"/],
];

const RAW: Record<string, [parts: RawParts, refusal: RegExp]> = {
  'relaxed SIMD': [
    { message: [...times(2, 0xfd, 12, ...times(16, 0)), 0xfd, 0x80, 0x02, 0x1a, 0x41, 0] },
    /instruction 0xfd 256 \(relaxed SIMD\)/,
  ],
  'a structure type': [{ types: [[0x5f, 0]] }, /type 3 has the form 0x5f; only functions/],
  'an array type': [{ types: [[0x5e, I32, 1]] }, /type 3 has the form 0x5e; only functions/],
  'a group of recursive types': [{ types: [[0x4e, 1, 0x60, 0, 0]] }, /type 3 has the form 0x4e/],
  'a local that is a reference to a structure': [{ locals: [[1, 0x64]] }, /function 2 uses the type 0x64/],
  'a block whose type is a reference': [{ message: [0x02, 0x64, 0x00, 0x0b] }, /function 2 uses the type 0x64/],
  'struct.new': [{ message: [0xfb, 0x00, 0x00, 0x1a, 0x41, 0] }, /instruction 0xfb \(garbage collection\)/],
  call_ref: [{ message: [0xd0, 0x70, 0x14, 0] }, /instruction 0x14/],
  'an exception tag': [{ sections: { 13: Uint8Array.of(1, 0, 0) } }, /a section with id 13; sections 0 to 12/],
  throw: [{ message: [0x08, 0] }, /instruction 0x08 \(exceptions\)/],
  try_table: [{ message: [0x1f, 0x40, 0, 0x0b, 0x41, 0] }, /instruction 0x1f \(exceptions\)/],
  'an instruction that is none': [{ message: [0xff] }, /instruction 0xff/],
  'an instruction behind 0xfc that is none': [{ message: [0xfc, 0x12] }, /instruction 0xfc 18/],
  'a load from a second memory': [{ message: [0x41, 0, 0x28, 0x42, 0, 0] }, /with a memory index/],
  'memory.size of a second memory': [{ message: [0x3f, 1] }, /with a memory index/],
  'a global made by an addition': [
    { sections: { 6: Uint8Array.of(1, I32, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b) } },
    /global 0 is computed by the instruction 0x6a/,
  ],
  'a table of another type': [{ sections: { 4: Uint8Array.of(1, 0x40, 0, 0x70, 0, 1) } }, /table 0 uses the type 0x40/],
  'a 64-bit table': [{ sections: { 4: Uint8Array.of(1, 0x70, 4, 1) } }, /table 0 has the flags 4 \(64-bit\)/],
  // The metered module has one more global, which counts the fuel, and three more functions.
  'the global behind its last one': [
    { message: [0x41, 0xff, 0xff, 0xff, 0x07, 0x24, 0, 0x41, 0] },
    /not valid WebAssembly: .*global/i,
  ],
  'a read of the global behind its last one': [{ message: [0x23, 0] }, /not valid WebAssembly: .*global/i],
  'a call of the function behind its last one': [
    { message: [0x41, 0xff, 0xff, 0xff, 0x07, 0x10, 4, 0x41, 0] },
    /not valid WebAssembly: .*function/i,
  ],
  'a reference to the function behind its last one': [
    { message: [0xd2, 3, 0x1a, 0x41, 0] },
    /not valid WebAssembly: .*function/i,
  ],
  'a table entry with the function behind its last one': [
    { sections: { 4: Uint8Array.of(1, 0x70, 0, 1), 9: Uint8Array.of(1, 0, 0x41, 0, 0x0b, 1, 3) } },
    /not valid WebAssembly/,
  ],
  'the type behind its last one': [{ message: [0x02, 3, 0x0b, 0x41, 0] }, /not valid WebAssembly/],
  'a local behind its last one': [{ message: [0x20, 10] }, /not valid WebAssembly: .*local/i],
  'an export of the function behind its last one': [{ exports: [['spare', 0, 3]] }, /not valid WebAssembly/],
  'a start function behind its last one': [{ sections: { 8: Uint8Array.of(3) } }, /not valid WebAssembly/],
  'an export named like the host calls it': [
    { exports: [['$weir:message', 0, 2]] },
    /exports "\$weir:message"; names that begin/,
  ],
  'an export named like the counter of fuel': [
    { exports: [['$weir:fuel', 3, 0]] },
    /exports "\$weir:fuel"; names that begin/,
  ],
  'an export of the contract to come': [
    { exports: [['weir_another', 0, 0]] },
    /exports "weir_another"; names that begin/,
  ],
  'a contract function that is a memory': [
    { exports: [['weir_init', 2, 0]] },
    /the export "weir_init" is not a function/,
  ],
  'a weir_init of another type': [
    { exports: [['weir_init', 0, 1]] },
    /"weir_init" has the type \(i32, i32\) -> \(i32\), expected \(i32\) -> \(i32\)/,
  ],
  'a table of 10,001 entries': [
    { sections: { 4: new ByteWriter().raw([1, 0x70, 0]).u32(10_001).bytes() } },
    /10001 table entries; at most 10000/,
  ],
  'two tables of 6,000 entries': [
    { sections: { 4: new ByteWriter().raw([2, 0x70, 0]).u32(6000).raw([0x70, 0]).u32(6000).bytes() } },
    /12000 table entries; at most 10000/,
  ],
  'a table of 4 G entries': [
    { sections: { 4: new ByteWriter().raw([1, 0x70, 0]).u32(0xffffffff).bytes() } },
    /4294967295 table entries/,
  ],
  '17 tables': [{ sections: { 4: Uint8Array.of(17, ...times(17, 0x70, 0, 0)) } }, /17 tables; at most 16/],
  'memory of 4 GiB to begin with': [
    { sections: { 5: new ByteWriter().raw([1, 0]).u32(65536).bytes() } },
    /asks for 65536 pages of memory at once/,
  ],
  'no memory': [{ sections: { 5: Uint8Array.of(0) } }, /the module has 0 memories; exactly one/],
};

/** Modules that would take minutes and gigabytes to compile, most of them of a few hundred kilobytes. */
const BOMBS: Record<string, [parts: RawParts, refusal: RegExp]> = {
  '50,000 locals': [{ locals: [[50_000, I32]] }, /function 2 has more than 2000 locals/],
  '4 G locals': [{ locals: [[0xffffffff, I32]] }, /function 2 has more than 2000 locals/],
  '3,000 locals in groups of one': [{ locals: times(3000, 0).map(() => [1, V128] as const) }, /more than 2000 locals/],
  'a function of 100 KB': [
    { message: [...times(50_000, 0x41, 0, 0x1a).slice(0, 99_999), 0x41, 0] },
    /has a body of 1000\d\d bytes; at most 65536/,
  ],
  'blocks in 600 blocks': [
    { message: [...times(600, 0x02, 0x40), ...times(600, 0x0b), 0x41, 0] },
    /nests blocks deeper than 500/,
  ],
  'a function with 1,000 results': [
    { types: [[0x60, 0, 0xe8, 0x07, ...times(1000, I32)]] },
    /1000 results of type 3; at most 16/,
  ],
  'a loop that carries 900 values': [
    {
      types: [[0x60, 0x84, 0x07, ...times(900, I32), 0]],
      message: [...times(900, 0x41, 1), 0x03, 3, 0x41, 1, 0x0c, 0, 0x0b, 0x41, 0],
    },
    /a block with 900 parameters; at most 16/,
  ],
  '10,000 branches above 10,000 values on the stack': [
    {
      message: [
        ...times(10_000, 0x20, 0),
        ...times(10_000, 0x20, 0, 0x04, 0x40, 0x0b).slice(0, 40_000),
        ...times(10_000, 0x1a),
        0x41,
        0,
      ].slice(0, 65_000),
    },
    /would take too long to compile/,
  ],
  '2,500 branches over 1,900 locals': [
    {
      locals: [[1900, I32]],
      message: [...times(2500, 0x20, 0, 0x04, 0x40, 0x41, 1, 0x21, 20, 0x05, 0x41, 1, 0x21, 30, 0x0b), 0x41, 0],
    },
    /would take too long to compile/,
  ],
  'tables of branches out of 450 blocks, again and again': [
    {
      message: [
        ...times(450, 0x02, 0x40),
        ...times(
          60,
          0x02,
          0x40,
          0x20,
          0,
          0x0e,
          0xc2,
          0x03,
          ...Array.from({ length: 451 }, (_, i) => (i < 128 ? [i] : [(i & 0x7f) | 0x80, i >> 7])).flat(),
          0x0b,
        ),
        ...times(450, 0x0b),
        0x41,
        0,
      ],
      locals: [[1000, I32]],
    },
    /would take too long to compile/,
  ],
  'calls that move 900 arguments each': [
    {
      types: [[0x60, 0x84, 0x07, ...times(900, I32), 0]],
      functions: [
        { type: 3, body: body([0x00]) },
        ...times(40, 0).map(() => ({ type: 3, body: body([0x00, ...times(20_000, 0x10, 3)]) })),
      ],
    },
    /would take too long to compile/,
  ],
  '10,001 functions': [
    { functions: times(9_998, 0).map(() => ({ type: 0, body: body([0x41, 0]) })) },
    /has 10001 functions; at most 10000/,
  ],
  '1,001 globals': [
    {
      sections: {
        6: new ByteWriter(5000)
          .u32(1001)
          .raw(times(1001, I32, 0, 0x41, 0, 0x0b))
          .bytes(),
      },
    },
    /1001 globals; at most 1000/,
  ],
  '10,001 types': [{ types: times(9_998, 0).map(() => [0x60, 0, 0]) }, /10001 types; at most 10000/],
  '10,001 entries for a table': [
    {
      sections: {
        4: Uint8Array.of(1, 0x70, 0, 1),
        9: new ByteWriter(20_000).raw([1, 0, 0x41, 0, 0x0b]).u32(10_001).raw(times(10_001, 0)).bytes(),
      },
    },
    /10001 element entries; at most 10000/,
  ],
  'a module of 5 MB': [
    { appended: custom('filler', new Uint8Array(5_000_000)) },
    /the module has 50\d{5} bytes; at most 4194304/,
  ],
};

describe('modules that are refused', () => {
  let stage: Stage;
  let number = 0;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  async function refuses(wasm: Uint8Array, refusal: RegExp): Promise<void> {
    const name = `refused${number++}`;
    const answer = await stage.contained(() => stage.install(name, wasm));
    expect(answer.error?.description).toMatch(refusal);
    expect(answer.error).toMatchObject({ code: 400, err_code: 20010 });
    expect(stage.server.host.registry.names()).not.toContain(name);
  }

  it.each(Object.entries(TEXTS))('%s', async (_, [parts, refusal]) => {
    await refuses(await assemble(guestText(parts)), refusal);
  });

  it.each(IMPORTS)('an import: %s', async (text, refusal) => {
    const guest = guestText({}).replace('(module', `(module ${text}`);
    await refuses(
      await assemble(text.includes('(memory') ? guest.replace(/\(memory \(export "memory"\) 4\)/, '') : guest),
      refusal,
    );
  });

  it.each(Object.entries(RAW))('%s', (_, [parts, refusal]) => refuses(rawGuest(parts), refusal));

  it.each(Object.entries(BOMBS))('a bomb: %s', async (_, [parts, refusal]) => {
    const wasm = rawGuest(parts);
    const rssBefore = process.memoryUsage.rss();
    await refuses(wasm, refusal);
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(200 * 1024 * 1024);
  });

  it.each([
    ['nothing', new Uint8Array(0), /does not begin with/],
    ['text', Buffer.from('(module)'), /does not begin with/],
    ['half of the magic number', Uint8Array.of(0, 0x61), /does not begin with/],
    ['another version', Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), /version bytes 2 0 0 0, expected 1 0 0 0/],
    [
      'an empty component',
      Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0),
      /does not export "weir:plugin\/processor@1.0.0"/,
    ],
    ['an empty module', Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), /no memory; exactly one is expected/],
    [
      'a section that promises 4 GiB',
      Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f),
      /promises 4294967295 bytes/,
    ],
    [
      'a length that never ends',
      Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, ...times(20, 0x80)),
      /a number longer than 32 bits/,
    ],
    ['two code sections', Buffer.concat([rawGuest(), Uint8Array.of(10, 1, 0)]), /not valid WebAssembly/],
    ['sections in the wrong order', Buffer.concat([rawGuest(), Uint8Array.of(1, 1, 0)]), /not valid WebAssembly/],
  ])('%s', (_, wasm, refusal) => refuses(wasm, refusal));

  it('every truncation of a module', async () => {
    const whole = rawGuest({
      sections: { 4: Uint8Array.of(1, 0x70, 0, 1), 6: Uint8Array.of(1, I32, 1, 0x41, 1, 0x0b) },
    });
    for (let length = 0; length < whole.length; length++) {
      const answer = await stage.install('cut', whole.slice(0, length));
      expect(answer.error?.err_code, `of ${length} bytes`).toBe(20010);
    }
    expect((await stage.install('cut', whole)).error).toBeUndefined();
  });
});
