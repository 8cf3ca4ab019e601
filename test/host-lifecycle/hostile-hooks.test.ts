import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CONTROL_AT, emit, type GuestParts, guest, OUTBOX_AT, records, writingGuest } from '../hostile/guest.js';
import { ManualClock } from '../kit/manual-clock.js';
import { Stage, verdictGuest } from './stage.js';

const script = pathToFileURL(join(import.meta.dirname, '..', '..', 'plugins', 'build', 'manifest.mjs')).href;
const { appendSection }: { appendSection: (wasm: Uint8Array, manifest: object) => Uint8Array } = await import(script);

const LOOP = '(loop (br 0))';
/** Writes so many bytes of records of this kind, and answers 0. */
const write = (kind: number, bytes: number) => `
  (i32.store (i32.const ${OUTBOX_AT}) (i32.const ${kind}))
  (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const ${bytes}))
  (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const ${bytes + 8}))
  i32.const 0`;
const hook = (name: string, parameter: string, body: string) =>
  `(func (export "weir_${name}") ${parameter} (result i32) ${body})`;
const tick = (body: string): GuestParts => ({ extra: hook('tick', '(param f64)', body) });
const state = (save: string, restore = 'i32.const 0'): GuestParts => ({
  extra: hook('save', '', save) + hook('restore', '(param i32)', restore),
});

let clock: ManualClock;
let stage: Stage;
beforeEach(async () => {
  clock = new ManualClock();
  stage = await Stage.open({}, { clock });
});
afterEach(() => stage.close());

const info = async () => (await stage.done('ATTACHMENT.INFO.p')).attachment as Record<string, unknown>;

/** A message goes through, and the server answers. */
async function works(): Promise<void> {
  const arrived = await stage.listen('p.in');
  stage.client.publish('p.in', 'x');
  await stage.client.flush();
  expect(arrived).toHaveLength(1);
}

describe('a tick', () => {
  test.each([
    ['that never ends', tick(`${LOOP} i32.const 0`), 'fuel', /weir_tick used up its fuel/],
    ['that traps', tick('unreachable'), 'trap', /weir_tick trapped: unreachable/],
    ['that answers an error', tick('i32.const -5'), 'guest-error', /weir_tick answered -5/],
    ['that says it wrote what it did not', tick(write(7, 0x7fffff00)), 'output', /outbox holds 2147483400 bytes/],
    ['that writes a state', tick(write(9, 4)), 'output', /only weir_save may write one/],
    ['that writes an unknown record', tick(write(77, 4)), 'output', /has the kind 77/],
  ])('%s is a fault, again and again a quarantine', async (_what, parts, cause, text) => {
    await stage.bring('p', await guest(parts), { tick_ms: 10 });
    clock.advance(10);
    expect(await info()).toMatchObject({ last_fault: { cause, text: expect.stringMatching(text) } });
    await works();
    clock.advance(1_000);
    const { counters, quarantined } = (await info()) as { counters: { ticks: number }; quarantined: boolean };
    expect(quarantined).toBe(true);
    // It is at rest: probed, not called a hundred times.
    expect(counters.ticks).toBeLessThan(20);
  });

  test('emits no more than a message may', async () => {
    const nine = records(...new Array(9).fill(emit('out')));
    const flood = await writingGuest(0, nine, {
      extra: hook(
        'tick',
        '(param f64)',
        `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const ${nine.length})) i32.const 0`,
      ),
      message: `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 0)) (return (i32.const 0))`,
    });
    await stage.bring('p', flood, { tick_ms: 10, grants: { emit: ['out'] } });
    const arrived = await stage.listen('out');
    clock.advance(10);
    await stage.client.flush();
    expect(arrived).toEqual([]);
    expect(await info()).toMatchObject({ last_fault: { text: '9 emits for one message; at most 8 are allowed' } });
  });
});

describe('a state', () => {
  const saves = async (parts: GuestParts, text: RegExp) => {
    await stage.bring('p', await guest(parts), { grants: { state: true } });
    await works();
    clock.advance(10_000);
    await stage.client.flush();
    expect(await info()).toMatchObject({ last_fault: { text: expect.stringMatching(text) } });
    await works();
  };

  test('whose saving never ends is a fault', () => saves(state(`${LOOP} i32.const 0`), /weir_save used up its fuel/));
  test('whose saving traps is a fault', () => saves(state('unreachable'), /weir_save trapped/));
  test('that is too large is a fault', () =>
    saves(state('i32.const 0x7fffffff'), /has 2147483647 bytes to save; at most 1048576 are allowed/));
  test('that finds no room where there is none is a fault', () =>
    saves(
      {
        ...state('i32.const 500000'),
        open: `(select (i32.const 0) (i32.const ${CONTROL_AT}) (i32.gt_u (local.get 1) (i32.const 65536)))`,
      },
      /the guest has no room/,
    ));

  test('that cannot be taken on is given up, and the plugin works', async () => {
    const wasm = await guest({
      ...state(write(9, 4), 'unreachable'),
      message: '(if (i32.eq (local.get 7) (i32.const 2)) (then unreachable)) i32.const 0',
    });
    await stage.bring('p', wasm, { grants: { state: true } });
    await works();
    clock.advance(10_000);
    stage.client.publish('p.in', 'xx');
    stage.client.publish('p.in', 'x');
    await stage.client.flush();
    expect(await info()).toMatchObject({
      last_fault: { cause: 'init', text: expect.stringContaining('the saved state was refused') },
    });
    await works();
  });

  test('of a restore that never ends stops a swap, and the old version works', async () => {
    await stage.bring('p', await guest(state(write(9, 4))), { grants: { state: true } });
    await stage.done('PLUGIN.INSTALL.p', await guest(state(write(9, 4), `${LOOP} i32.const 0`)));
    expect((await stage.api('ATTACHMENT.SWAP.p')).error?.description).toMatch(
      /refused the state.*weir_restore used up its fuel/,
    );
    expect(await info()).toMatchObject({ version: 1 });
    await works();
  });
});

test('a drain that never ends does not keep an attachment from going, nor a server from stopping', async () => {
  await stage.bring('p', await guest({ extra: hook('drain', '', `${LOOP} i32.const 0`) }));
  await works();
  await stage.done('ATTACHMENT.DELETE.p');
  await stage.done('ATTACHMENT.CREATE.p', { plugin: 'p', subject: 'p.in' });
  await works();
});

describe('a manifest', () => {
  const refusal = async (manifest: object, wasm?: Uint8Array) =>
    (await stage.api('PLUGIN.INSTALL.p', appendSection(wasm ?? (await verdictGuest(0)), manifest))).error?.description;

  test.each([
    [33, /is nested deeper than 32/],
    [100, /is nested deeper than 32/],
    [1_000, /the JSON is nested more than 512 levels deep/],
  ])('whose schema is nested %i times is refused', async (levels, text) => {
    let schema: object = {};
    for (let i = 0; i < levels; i++) schema = { items: schema };
    expect(await refusal({ config: schema })).toMatch(text);
  });

  test('with a test that never ends is refused when it has used its fuel', async () => {
    const test = { name: 'endless', message: { subject: 'a' }, expect: { verdict: 'pass' } };
    const wasm = await guest({ message: `${LOOP} i32.const 0` });
    expect(await refusal({ self_tests: new Array(64).fill(test), budget: { fuel_per_message: 1e9 } }, wasm)).toMatch(
      /fails its own tests: its test "endless" expects .*pass.*, here it gives .*error/,
    );
    expect(await refusal({ self_tests: new Array(65).fill(test) })).toMatch(/self_tests/);
  });

  test('with names of the prototype changes nothing of ours', async () => {
    const config = JSON.parse('{"type": "object", "properties": {"__proto__": {"type": "number", "default": 7}}}');
    expect(await refusal({ config })).toBeUndefined();
    await stage.done('ATTACHMENT.CREATE.p', { plugin: 'p', subject: 'p.in', config: {} });
    expect(({} as { default?: number }).default).toBeUndefined();
    await works();
  });
});
