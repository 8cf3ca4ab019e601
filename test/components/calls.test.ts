import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { openComponent } from '../../src/sandbox/component.js';
import { FUNCTION_NAMES, interfaceOf } from '../../src/sandbox/component-contract.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import type { Range } from '../../src/sandbox/outbox.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { outcomeOf } from '../../src/sandbox/self-test.js';
import { assemble } from '../hostile/guest.js';
import {
  answering,
  component,
  componentOf,
  coreText,
  ECHO,
  GIVE_BACK,
  Layout,
  type Outcome,
  open,
  WIT,
} from './component.js';

const NOW = { wallMs: 1_700_000_000_123 };
const SUBJECT = 'plant.hall7.press';
const MESSAGE = { subject: SUBJECT, reply: '_INBOX.1', headers: 'NATS/1.0\r\nA: b\r\n\r\n', payload: '{"temp":21}' };

/** As `call` of a message that is dealt with. */
function called(instance: Instance, message: Partial<typeof MESSAGE> & { subject: string }): number {
  const verdict = call(instance, message);
  if (verdict === FAULT) throw new Error(instance.fault.text);
  return verdict;
}

function call(instance: Instance, message: Partial<typeof MESSAGE> & { subject: string }): number {
  const { subject, reply = '', headers = '', payload = '' } = message;
  const parts = [subject, reply, headers, payload].map((part) => Buffer.from(part));
  return instance.call(frameOf(parts[0], parts[1], parts[2], parts[3]), NOW);
}

function textOf({ outbox }: Instance, range: Range | null): string | null {
  return range === null ? null : Buffer.from(outbox.bytes.subarray(range.start, range.end)).toString();
}

const VERDICTS: Record<string, [Outcome, object]> = {
  'passes on': [{ verdict: 'pass' }, { verdict: 'pass' }],
  drops: [{ verdict: 'drop' }, { verdict: 'drop' }],
  'replaces nothing': [{ verdict: { replace: {} } }, { verdict: 'replace' }],
  'replaces the payload': [{ verdict: { replace: { payload: 'new' } } }, { verdict: 'replace', payload: 'new' }],
  'replaces all there is, some of it by nothing': [
    { verdict: { replace: { subject: 'a.b', reply: '', headers: '', payload: '' } } },
    { verdict: 'replace', subject: 'a.b', reply: '', headers: '', payload: '' },
  ],
  rejects: [
    { verdict: { reject: { code: 422, text: 'too hot' } } },
    { verdict: 'reject', code: 422, error: 'too hot' },
  ],
  'rejects without a word': [
    { verdict: { reject: { code: 0, text: '' } } },
    { verdict: 'reject', code: 400, error: '' },
  ],
};

describe('a component', () => {
  it.each(Object.entries(VERDICTS))('%s', async (_, [outcome, expected]) => {
    const prepared = prepareModule(await answering(outcome));
    expect(outcomeOf(prepared, DEFAULT_BUDGET, { name: '', message: MESSAGE })).toEqual(expected);
  });

  it('gets every part of a message, and the time', async () => {
    const instance = open(await component({ process: ECHO }));
    expect(call(instance, MESSAGE)).toBe(2);
    const { outbox } = instance;
    expect(textOf(instance, outbox.subject)).toBe(MESSAGE.subject);
    expect(textOf(instance, outbox.reply)).toBe(MESSAGE.reply);
    expect(textOf(instance, outbox.headers)).toBe(MESSAGE.headers);
    expect(textOf(instance, outbox.payload)).toBe(MESSAGE.payload);
    expect(outbox.metrics).toEqual([{ type: 1, name: MESSAGE.subject, value: NOW.wallMs }]);
  });

  it('gets parts of any length as they are', async () => {
    const instance = open(await component({ process: ECHO, post: GIVE_BACK }));
    for (let bytes = 0; bytes < 400; bytes += bytes < 40 ? 1 : 37) {
      const payload = Array.from({ length: bytes }, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
      const subject = `s${'x'.repeat(bytes % 61)}`;
      expect(call(instance, { subject, payload })).toBe(2);
      expect(textOf(instance, instance.outbox.subject)).toBe(subject);
      expect(textOf(instance, instance.outbox.payload)).toBe(payload);
      expect(instance.outbox.reply).toBeNull();
    }
  });

  it('says effects: emits, lines and metrics', async () => {
    const instance = open(
      await answering({
        verdict: 'drop',
        effects: [
          { emit: { subject: 'out.a', reply: 'r', headers: 'NATS/1.0\r\n\r\n', payload: 'p' } },
          { emit: { subject: 'out.b' } },
          { log: { level: 2, text: 'warm' } },
          { metric: { kind: 2, name: 'latency', value: -1.5 } },
        ],
      }),
    );
    expect(call(instance, MESSAGE)).toBe(1);
    const { emits, logs, metrics } = instance.outbox;
    const parts = emits.map(({ subject, reply, headers, payload }) =>
      [subject, reply, headers, payload].map((range) => textOf(instance, range)),
    );
    expect(parts).toEqual([
      ['out.a', 'r', 'NATS/1.0\r\n\r\n', 'p'],
      ['out.b', '', '', ''],
    ]);
    expect(logs).toEqual([{ level: 2, text: 'warm' }]);
    expect(metrics).toEqual([{ type: 2, name: 'latency', value: -1.5 }]);
  });

  it('emits without a reply, whatever lies where that would be', async () => {
    const answer = Buffer.from(
      Layout.outcome({ verdict: 'pass', effects: [{ emit: { subject: 'out', payload: 'p' } }] }),
    );
    // The first effect is at 64, its emission 8 behind that, and the address and length of the reply that is none 12 behind that.
    answer.fill(0xff, 64 + 8 + 12, 64 + 8 + 20);
    const instance = open(await component({ answer }));
    expect(called(instance, MESSAGE)).toBe(0);
    const [{ subject, reply, headers, payload }] = instance.outbox.emits;
    expect([subject, reply, headers, payload].map((range) => textOf(instance, range))).toEqual(['out', '', '', 'p']);
  });

  it('fails in its own words, and goes on', async () => {
    const instance = open(await component({ answer: Layout.failure('no such sensor') }));
    expect(call(instance, MESSAGE)).toBe(FAULT);
    expect(instance.fault).toEqual({ cause: 'guest-error', text: 'weir_message answered -1: no such sensor' });
    expect(instance.poisoned).toBe(false);
  });

  it('is not given a subject or a reply that is not UTF-8', async () => {
    const instance = open(await component({ process: ECHO, post: GIVE_BACK }));
    const wrong = ['ff', '80', 'c0af', 'c3', 'eda080', 'f4908080', 'e0809f', 'f8888080', '61c3'].map((text) =>
      Buffer.from(text, 'hex'),
    );
    const none = Buffer.alloc(0);
    for (const bytes of wrong) {
      for (const padded of [bytes, Buffer.concat([Buffer.from('sensors.a.b.c.'), bytes])]) {
        expect(instance.call(frameOf(padded, none, none, none), NOW)).toBe(FAULT);
        expect(instance.fault).toEqual({
          cause: 'guest-error',
          text: 'weir_message answered -1: the subject is not UTF-8',
        });
        expect(instance.call(frameOf(Buffer.from('ok'), padded, none, none), NOW)).toBe(FAULT);
        expect(instance.fault.text).toMatch(/the reply is not UTF-8/);
      }
    }
    for (const subject of ['a', 'größe.ß', '温度.工場', '𝔘.𝔫.i', `${'x'.repeat(31)}é`, `é${'x'.repeat(31)}`]) {
      expect(call(instance, { subject })).toBe(2);
      expect(textOf(instance, instance.outbox.subject)).toBe(subject);
    }
  });

  it('takes messages larger than the inbox, and its memory grows under the boxes', async () => {
    const wasm = await component({ process: ECHO });
    const instance = open(wasm);
    const payload = 'abcdefgh'.repeat(40_000);
    for (let i = 0; i < 5; i++) {
      expect(called(instance, { subject: 's', payload: payload.slice(i) })).toBe(2);
      expect(textOf(instance, instance.outbox.payload)).toBe(payload.slice(i));
    }
    expect(instance.memoryBytes).toBeGreaterThan(5 * payload.length);
  });

  it('has memory that is zero where it grows, of the size that it counts', async () => {
    const word = (value: string) => `(i32.store (i32.const ${0x4000}) ${value})`;
    const process = `${word('(memory.size)')} (i32.store (i32.const 0x4004) (memory.grow (i32.const 2)))
      (i32.store (i32.const 0x4008) (memory.size)) (i32.store (i32.const 0x400c) (memory.grow (i32.const 0)))
      (local.set 10 (i32.const 65536))
      (loop (local.set 11 (i32.or (local.get 11) (i32.load (local.get 10))))
        (br_if 0 (i32.lt_u (local.tee 10 (i32.add (local.get 10) (i32.const 4))) (i32.const 196608))))
      (i32.store (i32.const 0x4010) (local.get 11)) (i32.store (i32.const 0x4014) (memory.grow (i32.const 2000)))
      unreachable`;
    const instance = open(await component({ process, locals: '(local i32 i32)' }), {}, { fuelPerMessage: 10_000_000 });
    // The boxes hold something before they move.
    expect(call(instance, { subject: 's', payload: 'x'.repeat(20_000) })).toBe(FAULT);
    expect(instance.fault.text).toMatch(/unreachable/);
    const memory = (instance as unknown as { exports: { memory: WebAssembly.Memory } }).exports.memory;
    expect([...new Int32Array(memory.buffer, 0x4000, 6)]).toEqual([1, 1, 3, 3, 0, -1]);
  });

  it('goes on from an image of itself', async () => {
    const prepared = prepareModule(await component({ process: ECHO }));
    const instance = Instance.create(prepared, DEFAULT_BUDGET, '{}') as Instance;
    call(instance, { subject: 's', payload: 'x'.repeat(200_000) });
    const copy = Instance.restore(prepared, DEFAULT_BUDGET, instance.image()!) as Instance;
    expect(called(copy, MESSAGE)).toBe(2);
    expect(textOf(copy, copy.outbox.payload)).toBe(MESSAGE.payload);
    call(instance, MESSAGE);
    expect(copy.fuelUsed).toBe(instance.fuelUsed);
  });

  it('is metered, and held to its memory', async () => {
    const endless = open(await component({ process: '(loop (br 0)) unreachable' }));
    expect(call(endless, MESSAGE)).toBe(FAULT);
    expect(endless.fault.cause).toBe('fuel');
    const greedy = open(
      await component({ process: '(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable' }),
      {},
      { memoryBytesMax: 4 * 1024 * 1024, fuelPerMessage: 1_000_000_000 },
    );
    expect(call(greedy, MESSAGE)).toBe(FAULT);
    expect(greedy.memoryBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  });
});

describe('a component with everything', () => {
  let wasm: Uint8Array;
  beforeAll(async () => {
    wasm = await everything();
  });

  /** It remembers what it was told, and says so. */
  async function everything(): Promise<Uint8Array> {
    const text = coreText({ world: 'plugin' });
    const answers = `(func $keep (param i32 i32) (result i32)
        (global.set $at (local.get 0)) (global.set $bytes (local.get 1)) (i32.store8 (i32.const 0x6000) (i32.const 0))
        (if (i32.eq (local.get 1) (i32.const 5)) (then (i32.store8 (i32.const 0x6000) (i32.const 1))
          (i32.store (i32.const 0x6004) (local.get 0)) (i32.store (i32.const 0x6008) (local.get 1))))
        i32.const 0x6000)
      (global $at (mut i32) (i32.const 0)) (global $bytes (mut i32) (i32.const 0))
      (func (export "weir:plugin/configurable@1.0.0#configure") (param i32 i32) (result i32) (call $keep (local.get 0) (local.get 1)))
      (func (export "weir:plugin/stateful@1.0.0#restore") (param i32 i32) (result i32) (call $keep (local.get 0) (local.get 1)))
      (func (export "weir:plugin/stateful@1.0.0#save") (result i32) (i32.store (i32.const 0x6000) (i32.const 0))
        (i32.store (i32.const 0x6004) (global.get $at)) (i32.store (i32.const 0x6008) (global.get $bytes)) i32.const 0x6000)
      (func (export "weir:plugin/tabular@1.0.0#entry") (param i32 i32 i32 i32 i32) (result i32)
        (if (result i32) (local.get 2) (then (call $keep (local.get 3) (local.get 4))) (else (call $keep (local.get 0) (local.get 1)))))
      (func (export "weir:plugin/timed@1.0.0#tick") (param f64) (result i32)
        (i32.store (i32.const 0x6000) (i32.const 0)) (i32.store (i32.const 0x6004) (i32.const 0x6100)) (i32.store (i32.const 0x6008) (i32.const 1))
        (i32.store (i32.const 0x6100) (i32.const 2)) (i32.store (i32.const 0x6108) (i32.const 0)) (i32.store (i32.const 0x610c) (global.get $at))
        (i32.store (i32.const 0x6110) (global.get $bytes)) (f64.store (i32.const 0x6118) (local.get 0)) i32.const 0x6000)
      (func (export "weir:plugin/timed@1.0.0#drain") (result i32)
        (i32.store8 (i32.const 0x6000) (i32.const 1)) (i32.store (i32.const 0x6004) (global.get $at)) (i32.store (i32.const 0x6008) (global.get $bytes))
        i32.const 0x6000)`;
    return componentOf(await assemble(text.replace(/\)$/, `${answers})`)), 'plugin');
  }

  it('is called by each function of the contract, and has no other', () => {
    const declared: string[] = [];
    let interfaceName = '';
    for (const [, opened, name] of WIT.matchAll(/^interface ([\w-]+) \{|^ {2}([\w-]+): func\(/gm)) {
      if (opened !== undefined) interfaceName = opened;
      else declared.push(`weir:plugin/${interfaceName}@1.0.0#${name}`);
    }
    expect(FUNCTION_NAMES.map((name) => `${interfaceOf(name)}#${name}`).sort()).toEqual(declared.sort());
    expect([...openComponent(wasm)!.lifts.keys()].sort()).toEqual([...FUNCTION_NAMES].sort());
  });

  it('is configured, ticks, and drains', () => {
    const instance = open(wasm, { a: 1, b: 2 });
    expect(instance.tick(5)).toBe(true);
    expect(instance.outbox.metrics).toEqual([{ type: 0, name: '{"a":1,"b":2}', value: 5 }]);
    expect(instance.drain()).toBe(false);
    expect(instance.fault.text).toBe('weir_drain answered -1: {"a":1,"b":2}');
  });

  it('refuses a configuration', () => {
    // Five bytes are too many.
    expect(() => open(wasm, 11234)).toThrow('the configuration was refused: 11234');
  });

  it('saves a state of any size, and takes it on', () => {
    const instance = open(wasm);
    for (const bytes of [0, 1, 4, 70_000, 1_000_000]) {
      const state = Buffer.alloc(bytes, 0x61);
      expect(instance.restoreState(state)).toBe(true);
      const saved = instance.save();
      if (saved === null) throw new Error(instance.fault.text);
      expect(Buffer.from(saved).equals(state)).toBe(true);
    }
    expect(instance.restoreState(Buffer.from('wrong'))).toBe(false);
    expect(instance.fault.text).toBe('weir_restore answered -1: wrong');
  });

  it('takes entries of a table', () => {
    const instance = open(wasm);
    const fuel = 100_000;
    expect(instance.takeEntry(Buffer.from('key'), Buffer.from('value!'), fuel)).toBe(true);
    expect(Buffer.from(instance.save()!).toString()).toBe('value!');
    expect(instance.takeEntry(Buffer.from('gone'), null, fuel)).toBe(true);
    expect(Buffer.from(instance.save()!).toString()).toBe('gone');
    expect(instance.takeEntry(Buffer.from('k'), Buffer.from('wrong'), fuel)).toBe(false);
    expect(instance.fault.text).toMatch(/wrong/);
    expect(instance.takeEntry(Buffer.from([0xff]), null, fuel)).toBe(false);
    expect(instance.fault.text).toMatch(/the key is not UTF-8/);
  });
});
