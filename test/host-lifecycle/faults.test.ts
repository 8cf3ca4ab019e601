import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import { guest } from '../hostile/guest.js';
import { ManualClock } from '../kit/manual-clock.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { Stage, verdictGuest } from './stage.js';

/** Traps on payloads of one byte, passes the others. */
const fragile = () => guest({ message: '(if (i32.eq (local.get 7) (i32.const 1)) (then unreachable)) i32.const 0' });
/** Traps on everything. */
const broken = () => guest({ message: 'unreachable' });

let clock: ManualClock;
let stage: Stage;
beforeEach(async () => {
  clock = new ManualClock();
  stage = await Stage.open({}, { clock });
});
afterEach(() => stage.close());

const info = async (name: string) =>
  (await stage.done(`ATTACHMENT.INFO.${name}`)).attachment as Record<string, unknown>;

async function send(name: string, payloads: readonly string[]): Promise<string[]> {
  const arrived = await stage.listen(`${name}.in`);
  for (const payload of payloads) stage.client.publish(`${name}.in`, payload);
  await stage.client.flush();
  return arrived.map((message) => message.string());
}

describe('a version that fails after a swap', () => {
  test('gives way to the one before, durably, and says so', async () => {
    await stage.close();
    const folder = tempFolder();
    stage = await Stage.open({ storeDir: folder.path }, { clock });
    const events = await stage.listen('$WEIR.EVENT.>');
    await stage.bring('p', await fragile());
    await stage.done('PLUGIN.INSTALL.p', await broken());
    await stage.done('ATTACHMENT.SWAP.p');
    const letters = await stage.listen('$WEIR.DEAD.p');
    await send('p', ['one', 'two', 'three', 'four', 'five']);
    expect(letters).toHaveLength(5);
    expect(await send('p', ['six'])).toEqual(['six']);
    expect(await info('p')).toMatchObject({ version: 1, swaps: 1, rollbacks: 1, dead_letters: 5 });
    await stage.client.flush();
    const told = events.filter(({ subject }) => subject !== '$WEIR.EVENT.audit.p');
    expect(told.map(({ subject }) => subject)).toEqual([
      '$WEIR.EVENT.attached.p',
      '$WEIR.EVENT.swapped.p',
      '$WEIR.EVENT.quarantined.p',
      '$WEIR.EVENT.rolled-back.p',
    ]);
    expect(told[3].json()).toMatchObject({
      type: 'io.weir.event.v1.rolled_back',
      ...{ attachment: 'p', plugin: 'p', version: 1, from_version: 2, cause: 'trap' },
    });
    await stage.close();
    stage = await Stage.open({ storeDir: folder.path }, { clock });
    expect(await info('p')).toMatchObject({ version: 1 });
    folder.remove();
  });

  test('stays quarantined when the swap was long ago, and is admitted again when a probe succeeds', async () => {
    await stage.bring('p', await verdictGuest(0));
    await stage.done('PLUGIN.INSTALL.p', await fragile());
    await stage.done('ATTACHMENT.SWAP.p');
    clock.advance(61_000);
    const events = await stage.listen('$WEIR.EVENT.*.p');
    await send('p', ['1', '2', '3', '4', '5']);
    expect(await info('p')).toMatchObject({ version: 2, quarantined: true, rollbacks: 0 });
    expect(await send('p', ['good'])).toEqual([]);
    clock.advance(1_000);
    expect(await send('p', ['good'])).toEqual(['good']);
    expect(await info('p')).toMatchObject({ quarantined: false });
    await stage.client.flush();
    expect(events.map(({ subject }) => subject)).toEqual(['$WEIR.EVENT.quarantined.p', '$WEIR.EVENT.recovered.p']);
  });
});

describe('what failed', () => {
  test('is kept as a capsule: the frame, and what decided about it', async () => {
    const definition = { config: { a: 1 } };
    await stage.bring('p', await fragile(), definition);
    await send('p', ['x']);
    const { frames } = (await stage.done('ATTACHMENT.CAPSULE.p')) as unknown as { frames: Record<string, string>[] };
    expect(frames).toHaveLength(1);
    expect(frames[0]).toMatchObject({ cause: 'trap', plugin: 'p', version: 1, config: { a: 1 }, state: null });
    expect(Buffer.from(frames[0].subject, 'base64').toString()).toBe('p.in');
    expect(Buffer.from(frames[0].payload, 'base64').toString()).toBe('x');
  });

  test('is bounded: 16 frames, and no payload of a large one', async () => {
    await stage.bring('p', await broken());
    for (let i = 0; i < 20; i++) {
      await send('p', [String(i)]);
      clock.advance(31_000);
    }
    await send('p', ['x'.repeat(40_000)]);
    const { frames } = (await stage.done('ATTACHMENT.CAPSULE.p')) as unknown as {
      frames: { payload: string | null }[];
    };
    expect(frames).toHaveLength(16);
    expect(frames[15].payload).toBeNull();
    expect(Buffer.from(frames[0].payload!, 'base64').toString()).toBe('5');
  });

  test('can be delivered again when the plugin was mended', async () => {
    await stage.bring('p', await fragile());
    expect(await send('p', ['1', 'fine', '2'])).toEqual(['fine']);
    expect(await info('p')).toMatchObject({ dead_letters: 2 });
    await stage.done('PLUGIN.INSTALL.p', await verdictGuest(0));
    await stage.done('ATTACHMENT.SWAP.p');
    const arrived = await stage.listen('p.in');
    expect(await stage.done('ATTACHMENT.REDELIVER.p')).toMatchObject({ redelivered: 2, left: 0 });
    await stage.client.flush();
    expect(arrived.map((message) => message.string())).toEqual(['1', '2']);
    expect(await stage.done('ATTACHMENT.REDELIVER.p')).toMatchObject({ redelivered: 0, left: 0 });
  });
});

describe('budgets', () => {
  test('of messages and bytes per second are faults beyond them, until the second is over', async () => {
    const budget = { messages_per_second: 3, bytes_per_second: 30 };
    await stage.bring('p', await verdictGuest(0), { budget, failure: { overload: 'drop' } });
    expect(await send('p', ['1', '2', '3', '4'])).toEqual(['1', '2', '3']);
    clock.advance(1_000);
    expect(await send('p', ['1', 'x'.repeat(24), '3'])).toEqual(['1', '3']);
    expect(await info('p')).toMatchObject({
      quarantined: false,
      counters: { faults: { overload: 2 } },
      last_fault: { cause: 'overload', text: 'the attachment may have 30 bytes per second' },
    });
  });

  test('of the processor are faults beyond them', async () => {
    await stage.close();
    let ns = 0;
    // Each look at the clock is a millisecond later.
    const slow: Clock = { nowMs: () => 5_000, monotonicNs: () => (ns += 1e6), after: () => ({ cancel: () => {} }) };
    stage = await Stage.open({}, { clock: slow });
    await stage.bring('p', await verdictGuest(0), { budget: { cpu_share: 0.05 }, failure: { overload: 'drop' } });
    // One call in 64 is timed and stands for all: 64 ms.
    expect(await send('p', ['1', '2', '3'])).toEqual(['1']);
    expect(await info('p')).toMatchObject({ last_fault: { text: 'the attachment may have 5 % of a processor' } });
  });

  test('change while the plugin runs, and stay changed', async () => {
    const busy = `(loop (br_if 0 (i32.lt_u (local.tee 10 (i32.add (local.get 10) (i32.const 1))) (i32.const 5000)))) i32.const 0`;
    await stage.bring('p', await guest({ locals: '(local i32)', message: busy }), { failure: { default: 'drop' } });
    expect(await send('p', ['1'])).toEqual(['1']);
    await stage.done('ATTACHMENT.BUDGET.p', { fuel_per_message: 1000 });
    expect(await send('p', ['2'])).toEqual([]);
    await stage.done('ATTACHMENT.BUDGET.p', { fuel_per_message: 1_000_000, messages_per_second: 2 });
    expect(await send('p', ['3', '4', '5'])).toEqual(['3', '4']);
    expect(await stage.done('ATTACHMENT.INFO.p')).toMatchObject({
      attachment: { counters: { calls: 4, faults: { fuel: 1, overload: 1 } } },
      definition: { budget: { fuel_per_message: 1_000_000, messages_per_second: 2 } },
    });
    expect((await stage.api('ATTACHMENT.BUDGET.p', { fuel_per_message: 1 })).error?.description).toMatch(
      /attachment "p": fuel_per_message: /,
    );
    expect((await stage.api('ATTACHMENT.BUDGET.p', { fule: 1 })).error?.description).toMatch(/fule/);
  });

  test('of memory hold for the next instance, which is made at once', async () => {
    const grow = '(drop (memory.grow (i32.const 10))) (i32.lt_u (memory.size) (i32.const 10))';
    await stage.bring('p', await guest({ message: grow }), { budget: { memory_bytes: 5 * 65536 } });
    expect(await send('p', ['dropped'])).toEqual([]);
    await stage.done('ATTACHMENT.BUDGET.p', { memory_bytes: 32 * 65536 });
    expect(await send('p', ['passed'])).toEqual(['passed']);
    await until(() => stage.server.host.attachments.get('p')!.instance!.memoryBytes === 14 * 65536, 'the memory');
  });
});
