import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../../src/base/failure.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { ByteWriter } from '../../src/sandbox/byte-writer.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import {
  ANSWER_AT,
  answering,
  type ComponentParts,
  component,
  componentOf,
  componentText,
  coreText,
  ECHO,
  GIVE_BACK,
  Layout,
  type Outcome,
  open,
  WIT,
} from '../components/component.js';
import { assemble, words } from './guest.js';
import { Stage } from './stage.js';

const NONE = Buffer.alloc(0);
const FRAME = frameOf(Buffer.from('sensors.kitchen'), Buffer.from('_INBOX.7'), NONE, Buffer.from('{"value":23.5}'));
const NOW = { wallMs: 0 };
/** Far more than a call of these may take, on a machine with other work. */
const CALL_MS_MAX = 1_000;
const FULL = 0xffffffff;

interface Case {
  parts: ComponentParts;
  cause: string;
  text: RegExp;
}

/** An answer in which four bytes are others. */
function lying(outcome: Outcome, at: number, ...values: number[]): ComponentParts {
  const answer = Buffer.from(Layout.outcome(outcome));
  Buffer.from(words(...values)).copy(answer, at);
  return { answer };
}

const PAYLOAD: Outcome = { verdict: { replace: { payload: 'abc' } } };
const EMIT: Outcome = { verdict: 'pass', effects: [{ emit: { subject: 'out.a', payload: 'x' } }] };
const LOG: Outcome = { verdict: 'pass', effects: [{ log: { level: 1, text: 'x' } }] };
const METRIC: Outcome = { verdict: 'pass', effects: [{ metric: { kind: 0, name: 'x', value: 1 } }] };
/** Where the first effect lies. */
const EFFECT_AT = 64;
const OUTSIDE = /memory access out of bounds|unreachable/;
const BAD = /unreachable/;
const TOO_MUCH = /the outbox holds 4294967295 bytes; at most \d+ are allowed/;

const trap = (parts: ComponentParts, text: RegExp): Case => ({ parts, cause: 'trap', text });
const fuel = (parts: ComponentParts): Case => ({ parts, cause: 'fuel', text: /used up its fuel/ });
const output = (parts: ComponentParts, text: RegExp): Case => ({ parts, cause: 'output', text });
/** It writes a word into the host's boxes, which lie behind its memory. */
const scribble = (offset: number, value: number, answer: Outcome): ComponentParts => ({
  answer: Layout.outcome(answer),
  process: `(i32.store offset=${offset} (i32.shl (memory.size) (i32.const 16)) (i32.const ${value | 0})) i32.const ${ANSWER_AT}`,
});

const CALLS: Record<string, Case> = {
  'an endless loop': fuel({ process: '(loop (br 0)) unreachable' }),
  'an endless allocation': fuel({ realloc: '(loop (br 0)) unreachable' }),
  'giving back without end': fuel({ post: '(loop (br 0))' }),
  'endless recursion': trap(
    {
      process:
        '(call $process (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7) (local.get 8) (local.get 9))',
    },
    /stack overflow/,
  ),
  'an allocation that takes all memory and fails': trap(
    { realloc: '(loop (br_if 0 (i32.ne (memory.grow (i32.const 200)) (i32.const -1)))) unreachable' },
    BAD,
  ),
  'an allocation outside the memory': trap({ realloc: 'i32.const -16' }, OUTSIDE),
  'an allocation at the very end': trap(
    { realloc: '(i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const -196600))' },
    OUTSIDE,
  ),
  'an answer at an odd address': trap({ process: `i32.const ${ANSWER_AT + 1}` }, BAD),
  'an answer outside the memory': trap({ process: 'i32.const -64' }, OUTSIDE),
  'an answer at the last byte of all': trap({ process: 'i32.const -4' }, OUTSIDE),
  'a payload outside the memory': trap(lying(PAYLOAD, 48, 0xffff0000), OUTSIDE),
  'a payload of 4 GiB': output(lying(PAYLOAD, 52, FULL), TOO_MUCH),
  'a payload of 2 GiB': output(lying(PAYLOAD, 52, 0x80000000), /the outbox holds 2147483656 bytes/),
  'a payload that ends behind the memory': trap(lying(PAYLOAD, 48, 0x3ffff0, 60_000), OUTSIDE),
  'a result that is neither': trap(lying(PAYLOAD, 0, 2), BAD),
  'a fifth verdict': trap(lying(PAYLOAD, 4, 4), BAD),
  'verdict 255': trap(lying(PAYLOAD, 4, 255), BAD),
  'an option that is there twice': trap(lying(PAYLOAD, 44, 2), BAD),
  'a rejection of 4 GiB': output(lying({ verdict: { reject: { code: 400, text: 'no' } } }, 16, FULL), TOO_MUCH),
  'a failure of 4 GiB': output({ answer: Buffer.concat([words(1, 0, FULL), Buffer.alloc(52)]) }, TOO_MUCH),
  'a failure outside the memory': trap({ answer: Buffer.concat([words(1, FULL, 8), Buffer.alloc(52)]) }, OUTSIDE),
  'a rejection with the code 65535': {
    parts: { answer: Layout.outcome({ verdict: { reject: { code: 65535, text: 'no' } } }) },
    cause: 'guest-error',
    text: /rejected with the code 65535; 400 to 599 are allowed/,
  },
  'effects without end': trap(lying(METRIC, 60, FULL), BAD),
  'effects at an odd address': trap(lying(METRIC, 56, ANSWER_AT + 4, 1), BAD),
  'effects outside the memory': trap(lying(METRIC, 56, 0xfffffff0, 1000), OUTSIDE),
  'a fourth kind of effect': trap(lying(METRIC, EFFECT_AT, 3), BAD),
  'a level that is none': trap(lying(LOG, EFFECT_AT + 8, 4), BAD),
  'a line of 4 GiB': output(lying(LOG, EFFECT_AT + 16, FULL), TOO_MUCH),
  'a kind of metric that is none': trap(lying(METRIC, EFFECT_AT + 8, 3), BAD),
  'a name outside the memory': trap(lying(METRIC, EFFECT_AT + 12, 0xfffffff0), OUTSIDE),
  'a metric that is no number': output(
    { answer: Layout.outcome({ verdict: 'pass', effects: [{ metric: { kind: 0, name: 'x', value: Number.NaN } }] }) },
    /a metric record has the value NaN/,
  ),
  'an emit whose parts have 16 GiB': output(
    lying(EMIT, EFFECT_AT + 8, ANSWER_AT, FULL, 1, ANSWER_AT, FULL, ANSWER_AT, FULL, ANSWER_AT, FULL),
    TOO_MUCH,
  ),
  'an emit whose lengths come to 4 GiB and a little': output(
    lying(EMIT, EFFECT_AT + 8, ANSWER_AT, 0x80000000, 1, ANSWER_AT, 0x80000000, ANSWER_AT, 8, ANSWER_AT, 8),
    TOO_MUCH,
  ),
  'an emit outside the memory': trap(lying(EMIT, EFFECT_AT + 36, 0xfffffff0, 100), OUTSIDE),
  'an outbox that it moved out of the memory': trap(scribble(8, 0xfffffff0, PAYLOAD), OUTSIDE),
  'an outbox that it made endless': output(scribble(16, FULL, { verdict: 'pass' }), TOO_MUCH),
  'an outbox that begins in the middle': output(
    scribble(16, 2, PAYLOAD),
    /a record of kind 196608 has 196608 bytes and ends behind the outbox length/,
  ),
};

describe('a component that is up to something', () => {
  it.each(Object.entries(CALLS))('%s', async (_, { parts, cause, text }) => {
    const instance = open(await component(parts));
    const startedMs = performance.now();
    expect(instance.call(FRAME, NOW)).toBe(FAULT);
    expect(performance.now() - startedMs).toBeLessThan(CALL_MS_MAX);
    expect(instance.fault.text).toMatch(text);
    expect(instance.fault.cause).toBe(cause);
  });

  it('allocates what overlaps, and harms itself alone', async () => {
    const instance = open(await component({ process: ECHO, realloc: 'i32.const 0x7000' }));
    expect(instance.call(FRAME, NOW)).toBe(2);
    const { subject, payload, bytes } = instance.outbox;
    const text = (range: typeof subject) => Buffer.from(bytes.subarray(range!.start, range!.end)).toString();
    expect(text(payload)).toBe('{"value":23.5}');
    expect(text(subject)).toHaveLength('sensors.kitchen'.length);
  });

  it('allocates in the boxes of the host, and harms itself alone', async () => {
    const realloc = '(i32.add (i32.shl (memory.size) (i32.const 16)) (i32.const 4))';
    const instance = open(await component({ process: ECHO, realloc }));
    expect(instance.call(FRAME, NOW)).toBe(FAULT);
    expect(instance.fault).toMatchObject({ cause: 'trap', text: expect.stringMatching(OUTSIDE) });
  });

  it('grows its memory when it gives back: what it said is still there', async () => {
    const post = '(drop (memory.grow (i32.const 3)))';
    const instance = open(await answering({ verdict: { replace: { payload: 'kept' } } }, { post }));
    for (let i = 0; i < 20; i++) {
      expect(instance.call(FRAME, NOW)).toBe(2);
      const { start, end } = instance.outbox.payload!;
      expect(Buffer.from(instance.outbox.bytes.subarray(start, end)).toString()).toBe('kept');
    }
  });

  it('says what is not UTF-8: a text has replacement characters, a subject is refused where it is used', async () => {
    const wrong = Uint8Array.of(0x61, 0xff, 0xfe);
    const outcome: Outcome = {
      verdict: { replace: { subject: wrong } },
      effects: [{ log: { level: 0, text: wrong } }],
    };
    const instance = open(await answering(outcome));
    expect(instance.call(FRAME, NOW)).toBe(2);
    expect(instance.outbox.logs).toEqual([{ level: 0, text: 'a��' }]);
  });

  it('starts without end', async () => {
    const wasm = await component({ extra: '(func $start (loop (br 0))) (start $start)' });
    const made = Instance.create(prepareModule(wasm), { ...DEFAULT_BUDGET, fuelForInit: 1_000_000 }, '{}');
    expect(made).toMatchObject({ cause: 'fuel' });
  });
});

function section(id: number, content: Uint8Array): Uint8Array {
  return new ByteWriter(content.length + 8).byte(id).sized(content).bytes();
}

const HEADER = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);

function raw(...sections: Uint8Array[]): Uint8Array {
  return Buffer.concat([HEADER, ...sections]);
}

/** Each type is a pair of the one before: the last stands for 2^n of the first. */
function doublingTypes(count: number): Uint8Array {
  const types = new ByteWriter().u32(count).byte(0x73);
  for (let i = 1; i < count; i++)
    types
      .byte(0x6f)
      .u32(2)
      .raw(typeIndex(i - 1))
      .raw(typeIndex(i - 1));
  return section(7, types.bytes());
}

function typeIndex(index: number): Uint8Array {
  return new ByteWriter().i32(index).bytes();
}

const REFUSED: Record<string, [wasm: () => Uint8Array | Promise<Uint8Array>, refusal: RegExp]> = {
  'an import that is no part of WASI': [
    () => componentText('(component (import "acme:wasi/streams@0.2.3" (instance)))'),
    /the component imports "acme:wasi\/streams@0.2.3"; a plugin may import nothing \(but "wasi:…"\)/,
  ],
  'an import of a function': [
    () => componentText('(component (import "do-it" (func)))'),
    /the component imports "do-it"/,
  ],
  'a name of megabytes': [
    () => raw(section(10, new ByteWriter().u32(1).byte(0).name('x'.repeat(2_000_000)).raw([1, 0]).bytes())),
    /imports "x{90,100}…"/,
  ],
  'more sections than anyone needs': [
    () => raw(Buffer.concat(new Array(20_000).fill(Uint8Array.of(0, 1, 0)))),
    /too many sections; at most 10000/,
  ],
  'types that double': [() => raw(doublingTypes(10_000)), /does not export/],
  'a record of a million fields': [
    () =>
      raw(
        section(
          7,
          new ByteWriter()
            .u32(1)
            .byte(0x72)
            .u32(1_000_000)
            .raw(new Array(1_000_000).fill([1, 0x61, 0x73]).flat())
            .bytes(),
        ),
      ),
    /does not export/,
  ],
  'more bytes than are allowed': [
    () => raw(section(0, new Uint8Array(17 * 1024 * 1024))),
    /at most 16777216 are allowed/,
  ],
  'a section that promises 4 GiB': [() => raw(Uint8Array.of(7, 0xff, 0xff, 0xff, 0xff, 0x0f)), /promises 4294967295/],
  'no processor': [
    () => componentText('(component (core module (memory (export "memory") 1)))'),
    /does not export "weir:plugin\/processor@1.0.0"/,
  ],
  'a contract of its own': [
    async () =>
      Buffer.from(
        Buffer.from(await component())
          .toString('latin1')
          .replaceAll('timestamp-ms', 'timestamp-us'),
        'latin1',
      ),
    /the component's function "process" has the type func\(message:record\{.*timestamp-us:f64\}\).*, expected func/,
  ],
  'another version of the contract': [
    async () =>
      Buffer.from(
        Buffer.from(await component())
          .toString('latin1')
          .replaceAll('@1.0.0', '@1.0.1'),
        'latin1',
      ),
    /does not export "weir:plugin\/processor@1.0.0", .* it exports "weir:plugin\/processor@1.0.1"/,
  ],
  'a function beyond the contract': [
    () => {
      const wit = WIT.replace('interface configurable {', 'interface configurable {\n  forget: func();');
      const extra = `(func (export "weir:plugin/configurable@1.0.0#forget"))
        (func (export "weir:plugin/configurable@1.0.0#configure") (param i32 i32) (result i32) unreachable)`;
      return assemble(coreText({ extra })).then((core) => componentOf(core, 'configured-filter', wit));
    },
    /exports "forget" in "weir:plugin\/configurable@1.0.0", which is no function of the plugin contract/,
  ],
  'more types than anyone needs': [
    () => raw(section(7, new ByteWriter().u32(1_000_000).raw(new Uint8Array(1_000_000).fill(0x73)).bytes())),
    /too many types; at most 10000/,
  ],
  'more instances than anyone needs': [
    // Of no functions each.
    () =>
      raw(
        section(
          5,
          new ByteWriter()
            .u32(1_000_000)
            .raw(new Array(1_000_000).fill([1, 0]).flat())
            .bytes(),
        ),
      ),
    /too many entries; at most 10000/,
  ],
  'an atomic addition': [
    () => component({ process: '(i32.atomic.rmw.add (i32.const 0) (i32.const 1))' }),
    /instruction 0xfe \(threads and atomics\)/,
  ],
  'a function of the other contract': [
    () => component({ extra: '(func (export "weir_open") (param i32 i32) (result i32) i32.const 0)' }),
    /exports "weir_open"; names that begin with "weir_" or "\$weir" are reserved/,
  ],
  'a function of the host': [
    () => component({ extra: '(func (export "$weir:fuel") (result i32) i32.const 0)' }),
    /exports "\$weir:fuel"/,
  ],
  'memory of 0 pages': [
    () => component({ memory: '0' }),
    /a component's memory begins with 0 pages; at least one is expected/,
  ],
  'a second manifest': [
    async () =>
      Buffer.concat([
        await component(),
        ...[1, 2].map(() => section(0, new ByteWriter().name('weir.manifest').raw([0x7b, 0x7d]).bytes())),
      ]),
    /a second section "weir.manifest"/,
  ],
  'a body of 100 KiB': [
    () => component({ process: `${'(drop (i32.const 1)) '.repeat(40_000)} i32.const 0` }),
    /has a body of \d+ bytes; at most 65536/,
  ],
  'a global of the host': [
    // The core module is longer than the parts around it expect: it is checked as it was written.
    async () =>
      componentOf(await assemble(coreText({}))).then((wasm) => {
        const bytes = Buffer.from(wasm);
        const at = bytes.indexOf(Buffer.from([0x23, 0x00]));
        bytes[at + 1] = 1;
        return bytes;
      }),
    /not valid WebAssembly/,
  ],
};

describe('a component that is refused', () => {
  it.each(Object.entries(REFUSED))('%s', async (_, [wasm, refusal]) => {
    const bytes = await wasm();
    const startedMs = performance.now();
    expect(() => prepareModule(bytes)).toThrow(refusal);
    expect(performance.now() - startedMs).toBeLessThan(CALL_MS_MAX);
  });

  it('every truncation', async () => {
    const whole = await component();
    const taken: number[] = [];
    for (let length = 8; length < whole.length; length += 3) {
      try {
        prepareModule(whole.slice(0, length));
        taken.push(length);
      } catch (error) {
        expect(error, `of ${length} bytes`).toBeInstanceOf(Failure);
      }
    }
    // Nothing is missing without the last section, which says who made it.
    expect(taken.length, `those of ${taken} bytes`).toBeLessThanOrEqual(1);
  }, 60_000);
});

describe('a component that was damaged', () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    value: fc.integer({ min: 0, max: 255 }),
  });
  const budget = { ...DEFAULT_BUDGET, fuelPerMessage: 100_000, fuelForInit: 300_000 };
  let whole: Uint8Array;
  beforeAll(async () => {
    whole = await component({ process: ECHO, post: GIVE_BACK });
  });

  it('is refused with a reason, or fails with one', () => {
    const run = (changes: { at: number; value: number }[]) => {
      const bytes = Buffer.from(whole);
      for (const { at, value } of changes) bytes[8 + Math.floor(at * (bytes.length - 8))] = value;
      try {
        const made = Instance.create(prepareModule(bytes), budget, '{}');
        if (!(made instanceof Instance)) return;
        for (let i = 0; i < 3 && !made.poisoned; i++) made.call(FRAME, NOW);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
    };
    fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), run), { numRuns: 400 });
  }, 60_000);
});

describe('on a server', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it('an endless loop in a component stops nobody else', async () => {
    await stage.bring('loop', await component({ process: '(loop (br 0)) unreachable' }));
    const letter = await stage.contained(() => stage.deadLetterOf('loop', () => stage.villain.publish('loop.in', 'x')));
    expect(letter.cause).toBe('fuel');
  }, 60_000);

  it('and one that behaves does its work', async () => {
    await stage.bring('echo', await answering({ verdict: { replace: { payload: 'changed' } } }));
    const [message] = await stage.send('echo', 'as it was');
    expect(message.string()).toBe('changed');
  }, 60_000);
});
