import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../kit/wait.js';
import { CONTROL_AT, type GuestParts, guest, OUTBOX_AT, repeat } from './guest.js';
import { Stage } from './stage.js';

const BESIDE = { tier: 'worker', metering: 'off' };
const DEADLINE_MS = 20_000;
/** What the watchdog promises of the event loop, also while a thread beside it never rests. */
const BLOCKED_MS_MAX = 100;
/** An endless loop takes nothing but its own thread. */
const LOOP_BLOCKED_MS_MAX = 10;
const TABLE = '(table 2 funcref) (elem (i32.const 0) func $f $f)';

/** Guests without metering that do not come back on their own, or take what they can get. */
const CASES: Record<string, { guest: GuestParts; cause: string; text: RegExp; definition?: object }> = {
  'an endless loop': { guest: { message: '(loop (br 0)) i32.const 0' }, cause: 'watchdog', text: /50 are allowed/ },
  'an endless chain of tail calls': {
    guest: { extra: '(func $f (return_call $f))', message: '(call $f) i32.const 0' },
    cause: 'watchdog',
    text: /50 are allowed/,
  },
  'an endless chain of tail calls through a table': {
    guest: { extra: `(func $f (return_call_indirect (i32.const 1))) ${TABLE}`, message: '(call $f) i32.const 0' },
    cause: 'watchdog',
    text: /50 are allowed/,
  },
  'a loop of memory.fill': {
    guest: {
      memory: '100',
      message: '(loop (memory.fill (i32.const 262144) (i32.const 7) (i32.const 6000000)) (br 0)) i32.const 0',
    },
    cause: 'watchdog',
    text: /50 are allowed/,
  },
  'a loop of memory.grow': {
    guest: { message: '(loop (drop (memory.grow (i32.const 1))) (br 0)) i32.const 0' },
    cause: 'watchdog',
    text: /50 are allowed/,
  },
  'a loop of memory.grow of nothing': {
    guest: { message: '(loop (drop (memory.grow (i32.const 0))) (br 0)) i32.const 0' },
    cause: 'watchdog',
    text: /50 are allowed/,
  },
  'a loop of table.grow': {
    guest: {
      extra: '(table $t 1 funcref)',
      message: '(loop (drop (table.grow $t (ref.null func) (i32.const 1))) (br 0)) i32.const 0',
    },
    cause: 'watchdog',
    text: /50 are allowed/,
  },
  'an endless recursion': {
    guest: { extra: `(func $f (local ${repeat('i64', 500)}) (call $f))`, message: '(call $f) i32.const 0' },
    cause: 'trap',
    text: /stack overflow/,
  },
  'all the memory that it may have, and then more': {
    guest: { message: '(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) unreachable' },
    cause: 'trap',
    text: /unreachable/,
  },
  'a length behind the end of its memory': {
    guest: { message: `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 0x7fffffff)) i32.const 2` },
    cause: 'output',
    text: /the outbox holds/,
  },
};

describe('a hostile guest in the worker tier', { timeout: 60_000 }, () => {
  let stage: Stage;
  let number = 0;

  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  const attachmentOf = (name: string) => stage.server.host.attachments.get(name)!;

  /** What became of a message to `<name>.in`. */
  const sent = async (name: string) => {
    const arrived = await stage.send(name);
    return arrived.filter(({ subject }) => subject === `${name}.in`).map(({ data }) => data);
  };

  /** One that is quarantined for what it did before is not asked again: then it is attached anew. */
  const revive = async (name: string, definition: object) => {
    if (!attachmentOf(name).breaker.quarantined) return;
    await stage.api(`ATTACHMENT.DELETE.${name}`);
    await stage.attach(name, definition);
  };

  for (const [what, { guest: parts, cause, text }] of Object.entries(CASES)) {
    it(`${what}: a fault, and the event loop goes on`, async () => {
      const name = `beside${number++}`;
      await stage.bring(name, await guest(parts), BESIDE);
      const letter = await stage.contained(
        async () => {
          await revive(name, BESIDE);
          return stage.deadLetterOf(name, () => stage.villain.publish(`${name}.in`, 'x'));
        },
        what === 'an endless loop' ? LOOP_BLOCKED_MS_MAX : BLOCKED_MS_MAX,
      );
      expect([letter.cause, letter.text]).toEqual([cause, expect.stringMatching(text)]);
      expect(attachmentOf(name).seat!.memoryBytes).toBeLessThanOrEqual(16 * 1024 * 1024);
      await stage.api(`ATTACHMENT.DELETE.${name}`);
    });
  }

  it('that never starts is refused', async () => {
    const wasm = await guest({ init: '(loop (br 0)) i32.const 0' });
    expect((await stage.install('never', wasm)).error?.description).toBeUndefined();
    const answer = await stage.contained(() => stage.attach('never', BESIDE), BLOCKED_MS_MAX);
    expect(answer.error?.description).toMatch(/took longer than 5000 ms/);
  });

  it('whose tick never ends is a fault each time, until it is quarantined', async () => {
    const extra = '(func (export "weir_tick") (param f64) (result i32) (loop (br 0)) i32.const 0)';
    const definition = { ...BESIDE, tick_ms: 20 };
    await stage.bring('ticking', await guest({ extra }), definition);
    await stage.contained(async () => {
      await revive('ticking', definition);
      const { counters } = attachmentOf('ticking');
      const before = counters.faults.watchdog ?? 0;
      await until(() => (counters.faults.watchdog ?? 0) > before, 'a tick', DEADLINE_MS);
    }, BLOCKED_MS_MAX);
    await until(() => attachmentOf('ticking').breaker.quarantined, 'the quarantine', DEADLINE_MS);
    await stage.api('ATTACHMENT.DELETE.ticking');
  });

  it('whose last words never end is gone all the same', async () => {
    const extra = '(func (export "weir_drain") (result i32) (loop (br 0)) i32.const 0)';
    await stage.install('draining', await guest({ extra }));
    await stage.contained(async () => {
      expect((await stage.attach('draining', BESIDE)).error?.description).toBeUndefined();
      expect((await sent('draining')).map((data) => data.length)).toEqual([1]);
      const { counters, seat } = attachmentOf('draining');
      expect((await stage.api('ATTACHMENT.DELETE.draining')).error).toBeUndefined();
      await until(() => (counters.faults.watchdog ?? 0) === 1, 'the watchdog', DEADLINE_MS);
      expect(seat!.depth).toBe(0);
    }, BLOCKED_MS_MAX);
  });

  it('whose state is never ready does not keep a swap waiting', async () => {
    const extra = `(func (export "weir_save") (result i32) (loop (br 0)) i32.const 0)
      (func (export "weir_restore") (param i32) (result i32) i32.const 0)`;
    await stage.contained(async () => {
      const name = `saving${number++}`;
      await stage.bring(name, await guest({ extra }), { ...BESIDE, grants: { state: true } });
      await stage.send(name);
      expect((await stage.install(name, await guest({ message: 'i32.const 1' }))).error).toBeUndefined();
      expect((await stage.api(`ATTACHMENT.SWAP.${name}`)).error?.description).toBeUndefined();
      expect(await sent(name)).toEqual([]);
      await stage.api(`ATTACHMENT.DELETE.${name}`);
    }, BLOCKED_MS_MAX);
  });

  it('that writes 4 MiB for each message is carried, and nobody is held up for long', async () => {
    const bytes = 4 * 1024 * 1024;
    const message = `(memory.fill (i32.const ${OUTBOX_AT + 8}) (i32.const 97) (i32.const ${bytes}))
      (i32.store (i32.const ${OUTBOX_AT}) (i32.const 3)) (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const ${bytes}))
      (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const ${bytes + 8})) i32.const 2`;
    const wasm = await guest({ memory: '100', control: [0x10000, 0x10000, OUTBOX_AT, 0x500000], message });
    await stage.bring('large', wasm, { ...BESIDE, budget: { output_bytes: 8 * 1024 * 1024 } });
    const arrived = await stage.contained(() => sent('large'), BLOCKED_MS_MAX);
    expect(arrived.map((data) => data.length)).toEqual([bytes]);
    await stage.api('ATTACHMENT.DELETE.large');
  });
});
