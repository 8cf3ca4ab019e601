import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BOX_BYTES,
  CONTROL_AT,
  type GuestParts,
  guest,
  hex,
  INBOX_AT,
  Kind,
  OUTBOX_AT,
  record,
  repeat,
} from './guest.js';
import { Stage } from './stage.js';

const LOOP = '(loop (br 0))';
const FOUR_GIB_LESS = 0xfffffff0;

interface Case {
  guest: GuestParts;
  refusal: RegExp;
  definition?: object;
}

const refusedByRecord = record(Kind.error, 'no\r\nsuch "city"');

/** Guests that misbehave before their first message: the attachment is refused. */
const CASES: Record<string, Case> = {
  'a start function that never ends': {
    guest: { extra: `(func $s ${LOOP}) (start $s)` },
    refusal: /the start function used up its fuel/,
  },
  'a start function that calls itself': {
    guest: { extra: '(func $s (call $s)) (start $s)' },
    refusal: /the start function trapped: stack overflow/,
  },
  'a start function that fills all memory again and again': {
    guest: {
      extra:
        '(func $s (drop (memory.grow (i32.const 252))) (loop (memory.fill (i32.const 65536) (i32.const 1) (i32.const 0xf00000)) (br 0))) (start $s)',
    },
    refusal: /the start function used up its fuel/,
  },
  'a start function that traps': {
    guest: { extra: '(func $s unreachable) (start $s)' },
    refusal: /the start function trapped: unreachable/,
  },
  'a weir_abi that never ends': { guest: { abi: `${LOOP} i32.const 1` }, refusal: /weir_abi used up its fuel/ },
  'another version of the contract': {
    guest: { abi: 'i32.const 2' },
    refusal: /weir_abi answered 2; this host speaks version 1/,
  },
  'a weir_open that never ends': { guest: { open: `${LOOP} i32.const 16` }, refusal: /weir_open used up its fuel/ },
  'a weir_open that traps': { guest: { open: 'unreachable' }, refusal: /weir_open trapped: unreachable/ },
  'a weir_open that answers 0': { guest: { open: 'i32.const 0' }, refusal: /answered 0: the guest has no room/ },
  'a weir_open that answers 0 without a page of memory': {
    guest: { open: 'i32.const 0', memory: '0', control: undefined, extra: '' },
    refusal: /cannot instantiate|no room/,
  },
  'a control block behind the memory': {
    guest: { open: 'i32.const 262144' },
    refusal: /address 262144, which is not aligned or outside/,
  },
  'a control block that begins inside and ends outside': {
    guest: { open: 'i32.const 262116' },
    refusal: /address 262116, which is not aligned or outside/,
  },
  'a control block at the end of what 32 bits address': {
    guest: { open: 'i32.const -16' },
    refusal: /address 4294967280, which is not aligned or outside/,
  },
  'a control block at an odd address': { guest: { open: 'i32.const 18' }, refusal: /address 18, which is not aligned/ },
  'an inbox behind the memory': {
    guest: { control: [0x40000, BOX_BYTES, OUTBOX_AT, BOX_BYTES] },
    refusal: /the inbox \(262144, 65536 bytes\) lies outside/,
  },
  'an inbox that ends beyond 32 bits': {
    guest: { control: [FOUR_GIB_LESS, BOX_BYTES, OUTBOX_AT, BOX_BYTES] },
    refusal: /the inbox \(4294967280, 65536 bytes\) lies outside/,
  },
  'an inbox of 4 GiB': {
    guest: { control: [INBOX_AT, 0xffffffff, OUTBOX_AT, BOX_BYTES] },
    refusal: /the inbox .* lies outside/,
  },
  'an outbox that ends one byte outside': {
    guest: { control: [INBOX_AT, BOX_BYTES, 0x30004, BOX_BYTES] },
    refusal: /the outbox .* lies outside/,
  },
  'an outbox at an odd address': {
    guest: { control: [INBOX_AT, BOX_BYTES, OUTBOX_AT + 2, BOX_BYTES] },
    refusal: /not a multiple of 4/,
  },
  'capacities smaller than asked for': {
    guest: { control: [INBOX_AT, BOX_BYTES - 1, OUTBOX_AT, BOX_BYTES] },
    refusal: /less than asked for/,
  },
  'capacities that look negative': {
    guest: { control: [INBOX_AT, BOX_BYTES, OUTBOX_AT, 0x80000000] },
    refusal: /lies outside/,
  },
  'a weir_init that never ends': { guest: { init: `${LOOP} i32.const 0` }, refusal: /weir_init used up its fuel/ },
  'a weir_init that recurses for ever': {
    guest: { extra: '(func $f (call $f))', init: '(call $f) i32.const 0' },
    refusal: /weir_init trapped: stack overflow/,
  },
  'fuel that start, open and init share': {
    guest: {
      extra:
        '(func $spin (local i32) (local.set 0 (i32.const 500000)) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))) (start $spin)',
      open: `(call $spin) i32.const ${CONTROL_AT}`,
      init: '(call $spin) i32.const 0',
    },
    definition: { budget: { fuel_for_init: 2_000_000 } },
    refusal: /used up its fuel/,
  },
  'a refused configuration with line ends in its text': {
    guest: {
      extra: `(data (i32.const ${OUTBOX_AT}) "${hex(refusedByRecord)}")`,
      init: `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const ${refusedByRecord.length})) i32.const 7`,
    },
    refusal: /the configuration was refused: no\r\nsuch "city"/,
  },
  'a refused configuration with an outbox length of 4 GiB': {
    guest: { init: `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const -4)) i32.const 7` },
    refusal: /the outbox holds 4294967292 bytes/,
  },
  'more memory to begin with than its budget': {
    guest: { memory: '300' },
    refusal: /asks for 19660800 bytes of memory at once; its budget is 16777216/,
  },
  'more memory to begin with than a small budget': {
    guest: { memory: '4' },
    definition: { budget: { memory_bytes: 65536 } },
    refusal: /asks for 262144 bytes of memory at once; its budget is 65536/,
  },
  'data outside of its memory': {
    guest: { extra: '(data (i32.const 262140) "too long")' },
    refusal: /cannot instantiate: .*data segment/,
  },
  'table entries outside of its table': {
    guest: { extra: '(table 1 funcref) (func $f) (elem (i32.const 1) func $f)' },
    refusal: /cannot instantiate: .*table/,
  },
};

describe('guests that misbehave before their first message', () => {
  let stage: Stage;
  let number = 0;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it.each(Object.entries(CASES))('%s', async (_, { guest: parts, refusal, definition = {} }) => {
    const name = `opening${number++}`;
    const wasm = await guest(parts);
    expect((await stage.install(name, wasm)).error?.description).toBeUndefined();
    const answer = await stage.contained(() => stage.attach(name, definition));
    expect(answer.error?.description).toMatch(refusal);
    expect(answer.error).toMatchObject({ code: 400, err_code: 20033 });
    expect(stage.server.host.attachments.get(name)).toBeUndefined();
  });

  it('a start of half a second is welcome, in a worker thread', async () => {
    const spin = `(local i32) (local.set 1 (i32.const 20000000)) (loop (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))`;
    await stage.install('slow', await guest({ init: `${spin} i32.const 0` }));
    expect(
      (await stage.contained(() => stage.attach('slow', { replace: true, order: number++ }))).error,
    ).toBeUndefined();
    expect(await stage.send('slow')).toHaveLength(1);
  });

  it('but not of a module whose tables would have to be filled again on the event loop', async () => {
    const spin = `(local i32) (local.set 1 (i32.const 1000000)) (loop (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))`;
    const extra = '(table 10 funcref) (elem declare func $f) (func $f)';
    const init = `${spin} (table.set (i32.const 1) (ref.func $f)) i32.const 0`;
    await stage.install('tables', await guest({ extra, init }));
    const answer = await stage.contained(() => stage.attach('tables', {}));
    expect(answer.error?.description).toMatch(/starting uses \d+ fuel; for a module that changes its tables/);
  });

  it('a guest that trapped begins again where its start had left it, configuration and all', async () => {
    // Adds the payload's first byte to a sum that began as the length of the configuration; traps on "!"; answers the sum's low byte as payload.
    const message = `(global.set $sum (i32.add (global.get $sum) (i32.load8_u (local.get 6))))
      (i32.store (i32.const 300) (i32.add (i32.load (i32.const 300)) (i32.const 1)))
      (if (i32.eq (i32.load8_u (local.get 6)) (i32.const 33)) (then unreachable))
      (i32.store (i32.const ${OUTBOX_AT}) (i32.const 3)) (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const 2))
      (i32.store8 (i32.const ${OUTBOX_AT + 8}) (global.get $sum)) (i32.store8 (i32.const ${OUTBOX_AT + 9}) (i32.load (i32.const 300)))
      (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 12)) i32.const 2`;
    const init = '(global.set $sum (local.get 0)) (i32.store (i32.const 300) (i32.const 7)) i32.const 0';
    const extra = '(global $sum (mut i32) (i32.const 0)) (data (i32.const 300) "\\05")';
    await stage.bring('phoenix', await guest({ extra, init, message }), { config: { abc: 1 } });
    const answers = async (payload: string) => (await stage.send('phoenix', payload)).map(({ data }) => [...data]);
    const configBytes = '{"abc":1}'.length;
    expect(await answers('\u0001')).toEqual([[configBytes + 1, 8]]);
    expect(await answers('\u0001')).toEqual([[configBytes + 2, 9]]);
    expect((await stage.deadLetterOf('phoenix', () => stage.villain.publish('phoenix.in', '!'))).cause).toBe('trap');
    expect(await answers('\u0001')).toEqual([[configBytes + 1, 8]]);
  });

  it('what a legitimate guest does is enough: a configuration of 60 KiB, looked at byte by byte', async () => {
    const look = `(loop (local.set $sum (i32.add (local.get $sum) (i32.load8_u (i32.add (i32.const ${INBOX_AT}) (local.get $at)))))
      (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get 0))))`;
    const wasm = await guest({
      init: `(local $at i32) (local $sum i32) ${look} i32.const 0`.replace(
        '(local $at i32) (local $sum i32)',
        '(local $at i32) (local $sum i32)',
      ),
    });
    await stage.install('careful', wasm);
    const answer = await stage.contained(() =>
      stage.attach('careful', { config: { text: repeat('x', 30_000) }, replace: true, order: number++ }),
    );
    expect(answer.error).toBeUndefined();
  });
});
