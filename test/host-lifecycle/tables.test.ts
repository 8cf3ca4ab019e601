import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { Msg } from '@nats-io/transport-node';
import { afterEach, describe, expect, test } from 'vitest';
import type { Options } from '../../src/config/options.js';
import type { TableSnapshot } from '../../src/host/snapshot.js';
import { type GuestParts, guest } from '../hostile/guest.js';
import { optionsOf } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually, until } from '../kit/wait.js';
import { Stage } from './stage.js';

const INBOX = 0x10000;
/** Where the guest below keeps entries: 64 slots of 256 bytes by the first letter of the key, each with a length, 0 for none, and a value. */
const SLOTS = 0x31000;
const slot =
  '(i32.add (i32.const 0x31000) (i32.shl (i32.and (i32.load8_u (i32.const 0x10000)) (i32.const 63)) (i32.const 8)))';

/**
 * Remembers the value of each key by its first letter, and replaces a payload, of which the first letter is a key, by the value; drops what it does not
 * know. Refuses values that begin with "!", and traps at "?".
 */
const LOOK_UP: GuestParts = {
  memory: '6',
  extra: `(func (export "weir_table") (param $key i32) (param $value i32) (result i32) (local $slot i32) (local $first i32)
    (local.set $slot ${slot})
    (if (i32.lt_s (local.get $value) (i32.const 0)) (then (i32.store (local.get $slot) (i32.const 0)) (return (i32.const 0))))
    (local.set $first (i32.load8_u (i32.add (i32.const ${INBOX}) (local.get $key))))
    (if (i32.eq (local.get $first) (i32.const 33)) (then (return (i32.const -1))))
    (if (i32.eq (local.get $first) (i32.const 63)) (then unreachable))
    (i32.store (local.get $slot) (local.get $value))
    (memory.copy (i32.add (local.get $slot) (i32.const 4)) (i32.add (i32.const ${INBOX}) (local.get $key)) (local.get $value))
    i32.const 0)`,
  locals: '(local $slot i32) (local $bytes i32)',
  message: `(local.set $slot (i32.add (i32.const ${SLOTS}) (i32.shl (i32.and (i32.load8_u (local.get 6)) (i32.const 63)) (i32.const 8))))
    (if (i32.eq (i32.load8_u (local.get 6)) (i32.const 42)) (then unreachable))
    (local.set $bytes (i32.load (local.get $slot)))
    (if (i32.eqz (local.get $bytes)) (then (return (i32.const 1))))
    (i32.store (i32.const 0x20000) (i32.const 3))
    (i32.store (i32.const 0x20004) (local.get $bytes))
    (memory.copy (i32.const 0x20008) (i32.add (local.get $slot) (i32.const 4)) (local.get $bytes))
    (i32.store (i32.const 32) (i32.add (i32.const 8) (local.get $bytes)))
    i32.const 2`,
};

/** Does nothing but this with an entry. */
const entry = (body: string): GuestParts => ({
  extra: `(func (export "weir_table") (param i32 i32) (result i32) ${body})`,
});

const GRANTED = { grants: { table: true } };
let open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.reverse()) await close();
  open = [];
});

function folder(): string {
  const { path, remove } = tempFolder();
  open.push(async () => remove());
  return path;
}

async function stageWith(options: Partial<Options> = {}): Promise<Stage> {
  const stage = await Stage.open(options);
  open.push(() => stage.close());
  return stage;
}

const streams = (storeDir = folder()): Partial<Options> => ({ jetstream: true, storeDir });

async function bucketOf(stage: Stage, name = 'devices', options: object = {}) {
  return new Kvm(jetstream(stage.client)).create(name, options);
}

/** What comes of a payload on `<name>.in`; null when it is dropped. */
async function ask(stage: Stage, name: string, payload: string): Promise<string | null> {
  const arrived: Msg[] = [];
  const subscription = stage.client.subscribe(`${name}.in`, { callback: (_, message) => void arrived.push(message) });
  stage.client.publish(`${name}.in`, payload);
  await stage.client.flush();
  subscription.unsubscribe();
  return arrived.length === 0 ? null : arrived[0].string();
}

async function tableOf(stage: Stage, name: string): Promise<TableSnapshot> {
  const { attachment } = await stage.done(`ATTACHMENT.INFO.${name}`);
  return (attachment as { table: TableSnapshot }).table;
}

async function becomes(stage: Stage, [name, payload]: [string, string], expected: string | null): Promise<void> {
  const what = `${JSON.stringify(payload)} to become ${JSON.stringify(expected)}`;
  await eventually(async () => (await ask(stage, name, payload)) === expected, what, 15_000);
}

describe('a table of a definition', () => {
  test('is there before the first message, and after a trap', async () => {
    const stage = await stageWith();
    await stage.bring('look', await guest(LOOK_UP), { ...GRANTED, table: { entries: { a: { floor: 1 }, b: 'two' } } });
    expect(await ask(stage, 'look', 'a')).toBe('{"floor":1}');
    expect(await ask(stage, 'look', 'b')).toBe('"two"');
    expect(await ask(stage, 'look', 'c')).toBeNull();
    expect(await ask(stage, 'look', '*')).toBeNull();
    expect(await ask(stage, 'look', 'a')).toBe('{"floor":1}');
    expect(await tableOf(stage, 'look')).toMatchObject({ entries: 2, bytes: 18, refused: 0, bucket: null });
  });

  test('goes with a version that takes over, and survives a restart', async () => {
    const storeDir = folder();
    const stage = await Stage.open({ storeDir });
    await stage.bring('look', await guest(LOOK_UP), { ...GRANTED, table: { entries: { a: 1 } } });
    await stage.done('PLUGIN.INSTALL.look', await guest({ ...LOOK_UP, init: 'i32.const 0' }));
    await stage.done('ATTACHMENT.SWAP.look');
    expect(await ask(stage, 'look', 'a')).toBe('1');
    await stage.close();
    const again = await stageWith({ storeDir });
    expect(await ask(again, 'look', 'a')).toBe('1');
  });

  test.each([
    ['without a grant', { table: { entries: {} } }, 20032, 'needs the grant table'],
    [
      'from a file of the server',
      { ...GRANTED, table: { file: '/etc/passwd' } },
      20001,
      'is for the configuration file',
    ],
    ['that is no object', { ...GRANTED, table: { entries: [1] } }, 20001, 'expected an object'],
    ['with an empty key', { ...GRANTED, table: { entries: { '': 1 } } }, 20001, 'keys that are not empty'],
    [
      'with more than the budget allows',
      { ...GRANTED, budget: { table_entries: 1 }, table: { entries: { a: 1, b: 2 } } },
      20032,
      'more than 1 entries',
    ],
    [
      'with larger entries than the budget allows',
      { ...GRANTED, budget: { table_bytes: 9 }, table: { entries: { a: 'x'.repeat(8) } } },
      20032,
      'more than 9 bytes',
    ],
    ['of a bucket without streams', { ...GRANTED, table: { bucket: 'devices' } }, 20032, 'the account has no streams'],
    ['of a filter without a bucket', { ...GRANTED, table: { keys: 'a.*' } }, 20032, 'is for a "table.bucket"'],
  ])('is refused %s', async (_, definition, code, text) => {
    const stage = await stageWith();
    await stage.done('PLUGIN.INSTALL.look', await guest(LOOK_UP));
    const { error } = await stage.api('ATTACHMENT.CREATE.look', { plugin: 'look', subject: 'look.in', ...definition });
    expect(error).toMatchObject({ err_code: code, description: expect.stringContaining(text) });
  });

  test('is refused when the plugin takes none, or not this entry', async () => {
    const stage = await stageWith();
    await stage.done('PLUGIN.INSTALL.plain', await guest());
    await stage.done('PLUGIN.INSTALL.look', await guest(LOOK_UP));
    await stage.done('PLUGIN.INSTALL.choosy', await guest(entry('i32.const -1')));
    const create = async (plugin: string) => {
      const definition = { plugin, subject: 'x', ...GRANTED, table: { entries: { a: 1, b: 'x' } } };
      return (await stage.api('ATTACHMENT.CREATE.x', definition)).error?.description;
    };
    expect(await create('plain')).toContain('it has no export "weir_table"');
    expect(await create('choosy')).toContain('weir_table answered -1');
    expect(await create('look')).toBeUndefined();
  });

  test('comes from a file that the configuration names, and changes with it at a reload', async () => {
    const path = folder();
    writeFileSync(join(path, 'look.wasm'), await guest(LOOK_UP));
    writeFileSync(join(path, 'devices.json'), '{"a": 1}');
    const options = await optionsOf(`plugins {
      modules { look: ${JSON.stringify(join(path, 'look.wasm'))} }
      attachments { look { plugin: look, subject: look.in, grants { table: true }, table { file: ${JSON.stringify(join(path, 'devices.json'))}, entries { b: 2 } } } }
    }`);
    const stage = await stageWith(options);
    expect([await ask(stage, 'look', 'a'), await ask(stage, 'look', 'b')]).toEqual(['1', '2']);
    writeFileSync(join(path, 'devices.json'), '{"a": 3}');
    await stage.server.reload({ ...stage.server.options });
    expect([await ask(stage, 'look', 'a'), await ask(stage, 'look', 'b')]).toEqual(['3', '2']);
    writeFileSync(join(path, 'devices.json'), '[]');
    await expect(stage.server.reload({ ...stage.server.options })).rejects.toThrow('it is no JSON object');
    expect(await ask(stage, 'look', 'a')).toBe('3');
  });
});

describe('a table of a bucket', () => {
  test('holds what is there, and follows what becomes of it', async () => {
    const stage = await stageWith(streams());
    const bucket = await bucketOf(stage, 'devices', { history: 3 });
    await bucket.put('a', 'one');
    await bucket.put('a', 'first');
    await bucket.put('b.x', 'two');
    await bucket.put('c', 'gone');
    await bucket.delete('c');
    const table = { bucket: 'devices', entries: { a: 0, d: 4 } };
    await stage.bring('look', await guest(LOOK_UP), { ...GRANTED, table });
    expect([await ask(stage, 'look', 'a'), await ask(stage, 'look', 'b')]).toEqual(['first', 'two']);
    expect([await ask(stage, 'look', 'c'), await ask(stage, 'look', 'd')]).toEqual([null, '4']);
    await bucket.put('c', 'three');
    await becomes(stage, ['look', 'c'], 'three');
    await bucket.delete('b.x');
    await becomes(stage, ['look', 'b'], null);
    await bucket.purge('a');
    await becomes(stage, ['look', 'a'], '0');
    await ask(stage, 'look', '*');
    expect([await ask(stage, 'look', 'a'), await ask(stage, 'look', 'c')]).toEqual(['0', 'three']);
    expect(await tableOf(stage, 'look')).toMatchObject({ entries: 3, bucket: 'devices', following: true });
  });

  test('has the keys that were asked for', async () => {
    const stage = await stageWith(streams());
    const bucket = await bucketOf(stage);
    await bucket.put('a.1', 'yes');
    await bucket.put('b.1', 'no');
    await stage.bring('look', await guest(LOOK_UP), { ...GRANTED, table: { bucket: 'devices', keys: 'a.*' } });
    expect([await ask(stage, 'look', 'a'), await ask(stage, 'look', 'b')]).toEqual(['yes', null]);
  });

  test('loses what the bucket loses by age', async () => {
    const stage = await stageWith(streams());
    const bucket = await bucketOf(stage, 'devices', { ttl: 1_500 });
    await bucket.put('a', 'short');
    await stage.bring('look', await guest(LOOK_UP), { ...GRANTED, table: { bucket: 'devices' } });
    expect(await ask(stage, 'look', 'a')).toBe('short');
    await becomes(stage, ['look', 'a'], null);
  });

  test('is what another bucket of that name has, when the first was deleted', async () => {
    const stage = await stageWith(streams());
    const bucket = await bucketOf(stage);
    await bucket.put('a', 'old');
    await bucket.put('b', 'old');
    await stage.bring('look', await guest(LOOK_UP), { ...GRANTED, table: { bucket: 'devices' } });
    await bucket.destroy();
    expect(await ask(stage, 'look', 'a')).toBe('old');
    await (await bucketOf(stage)).put('b', 'new');
    await becomes(stage, ['look', 'b'], 'new');
    await becomes(stage, ['look', 'a'], null);
  });

  test('is full again after a restart, before the first message', async () => {
    const storeDir = folder();
    const stage = await Stage.open(streams(storeDir));
    await (await bucketOf(stage)).put('a', 'kept');
    await stage.bring('look', await guest(LOOK_UP), { ...GRANTED, table: { bucket: 'devices' } });
    await stage.close();
    const again = await stageWith(streams(storeDir));
    expect(await ask(again, 'look', 'a')).toBe('kept');
  });

  test('leaves out what the plugin refuses or falls over, and what is beyond the budget', async () => {
    const stage = await stageWith(streams());
    const bucket = await bucketOf(stage);
    for (const [key, value] of Object.entries({ a: '1', b: '!', c: '?', d: '4' })) await bucket.put(key, value);
    const events = await stage.listen('$WEIR.EVENT.entry-refused.look');
    const definition = { ...GRANTED, budget: { table_entries: 3 }, table: { bucket: 'devices' } };
    await stage.bring('look', await guest(LOOK_UP), definition);
    expect(await tableOf(stage, 'look')).toMatchObject({ entries: 1, refused: 3, last_refusal: { key: 'c' } });
    await bucket.put('a', '?');
    await until(() => events.length > 0, 'an event', 15_000);
    expect(events.at(-1)?.json()).toMatchObject({ key: expect.any(String), text: expect.any(String) });
    await bucket.put('e', 'five');
    await becomes(stage, ['look', 'e'], 'five');
    expect(await ask(stage, 'look', 'a')).toBe('1');
    const { attachment } = await stage.done('ATTACHMENT.INFO.look');
    expect(attachment).toMatchObject({ quarantined: false });
  });

  test('changes a thousand times, and a new instance knows all of it', async () => {
    const stage = await stageWith(streams());
    const bucket = await bucketOf(stage);
    await stage.bring('look', await guest(LOOK_UP), { ...GRANTED, table: { bucket: 'devices' } });
    for (let i = 0; i < 1_000; i++) await bucket.put(`z.${i}`, `value ${i}`);
    await bucket.put('a', 'last');
    await becomes(stage, ['look', 'a'], 'last');
    await ask(stage, 'look', '*');
    await becomes(stage, ['look', 'z'], 'value 999');
    expect(await tableOf(stage, 'look')).toMatchObject({ entries: 1_001, refused: 0 });
  });
});

describe('a hostile plugin', () => {
  test.each([
    ['never ends', entry('(loop (br 0)) i32.const 0'), 'weir_table used up its fuel'],
    ['traps', entry('unreachable'), 'weir_table trapped: unreachable'],
    ['answers what it may not', entry('i32.const 7'), 'weir_table answered 7'],
    [
      'says it wrote what it did not',
      entry('(i32.store (i32.const 32) (i32.const 0x7fffff00)) i32.const 0'),
      'the outbox holds 2147483392 bytes',
    ],
    ['calls itself for ever', entry('(call 0 (local.get 0) (local.get 1))'), 'weir_table trapped: stack overflow'],
  ])('that %s at an entry is not attached, and with a bucket has no entries and works', async (_, parts, text) => {
    const stage = await stageWith(streams());
    const bucket = await bucketOf(stage);
    for (let i = 0; i < 5; i++) await bucket.put(`k${i}`, 'v');
    await stage.done('PLUGIN.INSTALL.bad', await guest(parts));
    const definition = { plugin: 'bad', subject: 'bad.in', ...GRANTED };
    const declared = await stage.api('ATTACHMENT.CREATE.bad', { ...definition, table: { entries: { a: 1 } } });
    expect(declared.error).toMatchObject({ err_code: 20033, description: expect.stringContaining(text) });
    await stage.done('ATTACHMENT.CREATE.bad', { ...definition, table: { bucket: 'devices' } });
    expect(await tableOf(stage, 'bad')).toMatchObject({ entries: 0, refused: 5 });
    expect((await tableOf(stage, 'bad')).last_refusal?.text).toContain(text);
    await bucket.put('later', 'v');
    await eventually(async () => (await tableOf(stage, 'bad')).refused >= 6, 'the next entry to be refused', 15_000);
    expect(await tableOf(stage, 'bad')).toMatchObject({ entries: 0, refused: 6 });
    expect(await ask(stage, 'bad', 'x')).toBe('x');
  });

  test('that traps at more entries than a few is not attached', async () => {
    const stage = await stageWith();
    await stage.done('PLUGIN.INSTALL.bad', await guest(entry('unreachable')));
    const entries = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i]));
    const definition = { plugin: 'bad', subject: 'bad.in', ...GRANTED, table: { entries } };
    const { error } = await stage.api('ATTACHMENT.CREATE.bad', definition);
    expect(error).toMatchObject({ err_code: 20033, description: expect.stringContaining('more than 8 entries') });
  });

  test('that has no room for an entry does without it', async () => {
    const stage = await stageWith();
    await stage.done(
      'PLUGIN.INSTALL.bad',
      await guest({
        ...LOOK_UP,
        open: '(if (result i32) (i32.gt_u (local.get 0) (i32.const 65536)) (then (i32.const 0)) (else (i32.const 16)))',
      }),
    );
    const definition = { plugin: 'bad', subject: 'bad.in', ...GRANTED, table: { entries: { a: 'x'.repeat(100_000) } } };
    const { error } = await stage.api('ATTACHMENT.CREATE.bad', definition);
    expect(error?.description).toContain('the guest has no room for them');
  });

  test('exports a "weir_table" of another type', async () => {
    const stage = await stageWith();
    const wasm = await guest({ extra: '(func (export "weir_table") (param i32) (result i32) i32.const 0)' });
    const { error } = await stage.api('PLUGIN.INSTALL.bad', wasm);
    expect(error).toMatchObject({
      err_code: 20010,
      description: expect.stringContaining('expected (i32, i32) -> (i32)'),
    });
  });
});
