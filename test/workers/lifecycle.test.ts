import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countingGuest, countsOf, numberIn, numberingGuest } from '../host-lifecycle/counting.js';
import { Stage } from '../host-lifecycle/stage.js';
import { CONTROL_AT, guest, OUTBOX_AT } from '../hostile/guest.js';
import { optionsOf } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';

const DEADLINE_MS = 20_000;
const BESIDE = { tier: 'worker', metering: 'off' };

/** A number as four bytes. */
const bytesOf = (number: number) => new Uint8Array(Uint32Array.of(number).buffer);

/** A log record "hi" in the outbox, written by `weir_tick` or `weir_drain`. */
function sayingGuest(hook: string): Promise<Uint8Array> {
  return guest({
    extra: `(func (export "${hook}") ${hook === 'weir_tick' ? '(param f64)' : ''} (result i32)
      (i32.store (i32.const ${OUTBOX_AT}) (i32.const 5)) (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const 6))
      (i32.store (i32.const ${OUTBOX_AT + 8}) (i32.const 1)) (i32.store16 (i32.const ${OUTBOX_AT + 12}) (i32.const 0x6968))
      (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 16)) i32.const 0)`,
  });
}

describe('an attachment in the worker tier', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.open();
  });
  afterEach(() => stage.close());

  it('hands its state over at a swap, and back', async () => {
    await stage.bring('count', await countingGuest(), { ...BESIDE, grants: { state: true } });
    expect(await countsOf(stage, 'xxx')).toEqual([1, 2, 3]);
    await stage.done('PLUGIN.INSTALL.count', await countingGuest({ step: 10 }));
    await stage.done('ATTACHMENT.SWAP.count');
    expect(await countsOf(stage, 'xx')).toEqual([13, 23]);
    await stage.done('ATTACHMENT.ROLLBACK.count');
    expect(await countsOf(stage, 'x')).toEqual([24]);
  });

  it('moves to the event loop and back, with its state', async () => {
    const definition = { plugin: 'count', subject: 'count.in', grants: { state: true }, replace: true };
    await stage.bring('count', await countingGuest(), { grants: { state: true } });
    expect(await countsOf(stage, 'xx')).toEqual([1, 2]);
    await stage.done('ATTACHMENT.CREATE.count', { ...definition, ...BESIDE });
    expect(await countsOf(stage, 'xx')).toEqual([3, 4]);
    await stage.done('ATTACHMENT.CREATE.count', definition);
    expect(await countsOf(stage, 'xx')).toEqual([5, 6]);
  });

  it('stays when the next version refuses its state', async () => {
    await stage.bring('count', await countingGuest(), { ...BESIDE, grants: { state: true } });
    expect(await countsOf(stage, 'xxx')).toEqual([1, 2, 3]);
    await stage.done('PLUGIN.INSTALL.count', await countingGuest({ restore: 'i32.const -7' }));
    expect((await stage.api('ATTACHMENT.SWAP.count')).error).toMatchObject({ err_code: 20038 });
    expect(await countsOf(stage, 'x')).toEqual([4]);
  });

  it('is swapped under load: each message is processed once, by one version, in order, and none of its counts is lost', async () => {
    const messages = 30_000;
    const swaps = 10;
    await stage.bring('mark', await numberingGuest(0), BESIDE);
    const seen: { sequence: number; version: number }[] = [];
    stage.client.subscribe('mark.in', {
      callback: (_, { data }) => void seen.push({ sequence: numberIn(data), version: numberIn(data, 4) }),
    });
    await stage.client.flush();
    const swap = async (i: number) => {
      await stage.done('PLUGIN.INSTALL.mark', await numberingGuest(i));
      await stage.done('ATTACHMENT.SWAP.mark');
    };
    await putUnderLoad(stage, { subject: 'mark.in', messages, payloadOf: bytesOf, swaps, swap });
    await until(() => seen.length >= messages, 'all messages', 60_000);
    expect(seen.length).toBe(messages);
    expect(seen.every(({ sequence }, i) => sequence === i)).toBe(true);
    expect(seen.every(({ version }, i) => i === 0 || version >= seen[i - 1].version)).toBe(true);
    expect(new Set(seen.map(({ version }) => version)).size).toBeGreaterThan(swaps / 2);
  }, 120_000);

  it('loses nothing of its state to swaps under load', async () => {
    const messages = 20_000;
    const swaps = 8;
    await stage.bring('count', await countingGuest(), { ...BESIDE, grants: { state: true } });
    const seen: number[] = [];
    stage.client.subscribe('count.in', { callback: (_, { data }) => void seen.push(numberIn(data)) });
    await stage.client.flush();
    const swap = (i: number) => stage.done('ATTACHMENT.SWAP.count', { config: { number: i } });
    await putUnderLoad(stage, { subject: 'count.in', messages, payloadOf: () => 'x', swaps, swap });
    await until(() => seen.length >= messages, 'all messages', 60_000);
    expect(seen.every((count, i) => count === i + 1)).toBe(true);
    expect(await stage.done('ATTACHMENT.INFO.count')).toMatchObject({ attachment: { swaps } });
  }, 120_000);

  it('goes back by itself when its new version takes threads down', async () => {
    await stage.bring('count', await countingGuest(), BESIDE);
    expect(await countsOf(stage, 'x')).toEqual([1]);
    await stage.done('PLUGIN.INSTALL.count', await guest({ message: '(loop (br 0)) i32.const 0' }));
    await stage.done('ATTACHMENT.SWAP.count');
    const events = await stage.listen('$WEIR.EVENT.rolled-back.count');
    for (let i = 0; i < 5; i++) stage.client.publish('count.in', 'x');
    await until(() => events.length === 1, 'the rollback', DEADLINE_MS);
    const { attachment } = await stage.done('ATTACHMENT.INFO.count');
    expect(attachment).toMatchObject({ version: 1, rollbacks: 1 });
    // A fresh instance of the old version.
    expect(await countsOf(stage, 'x')).toEqual([1]);
  });

  it('has a canary and a shadow', async () => {
    await stage.bring('mark', await numberingGuest(1), BESIDE);
    await stage.done('PLUGIN.INSTALL.mark', await numberingGuest(2));
    await stage.done('ATTACHMENT.SHADOW.mark');
    const arrived = await stage.listen('mark.in');
    for (let i = 0; i < 5; i++) stage.client.publish('mark.in', 'abcd');
    await stage.client.flush();
    await until(() => attachmentOf(stage, 'mark').shadow!.different === 5, 'the comparisons', DEADLINE_MS);
    expect(await stage.done('ATTACHMENT.STOP.mark')).toMatchObject({
      trial: { kind: 'shadow', same: 0, different: 5 },
    });
    await stage.done('ATTACHMENT.CANARY.mark', { share: 1 });
    stage.client.publish('mark.in', 'abcd');
    await stage.client.flush();
    expect(arrived.map(({ data }) => numberIn(data, 4))).toEqual([1, 1, 1, 1, 1, 2]);
    await stage.done('ATTACHMENT.STOP.mark');
    stage.client.publish('mark.in', 'abcd');
    await stage.client.flush();
    expect(numberIn(arrived[6].data, 4)).toBe(1);
  });

  it('ticks, and says its last words', async () => {
    const logs = await stage.listen('$WEIR.LOG.*');
    await stage.bring('tick', await sayingGuest('weir_tick'), { ...BESIDE, tick_ms: 20, grants: { log: true } });
    await until(() => logs.length >= 3, 'ticks', DEADLINE_MS);
    await stage.done('ATTACHMENT.DELETE.tick');
    await stage.client.flush();
    logs.length = 0;
    await stage.bring('drain', await sayingGuest('weir_drain'), { ...BESIDE, grants: { log: true } });
    stage.client.publish('drain.in', 'x');
    await stage.client.flush();
    await stage.done('ATTACHMENT.DELETE.drain');
    await until(() => logs.length === 1, 'last words', DEADLINE_MS);
    expect([logs[0].subject, logs[0].string()]).toEqual(['$WEIR.LOG.drain', 'hi']);
  });

  it('takes other budgets on while it runs', async () => {
    await stage.bring('count', await countingGuest(), { tier: 'worker', metering: 'on' });
    expect(await countsOf(stage, 'x')).toEqual([1]);
    await stage.done('ATTACHMENT.BUDGET.count', { fuel_per_message: 1_000_000_000, watchdog_ms: 150 });
    const letters = await stage.listen('$WEIR.DEAD.count');
    stage.client.publish('count.in', 'stuck');
    await until(() => letters.length === 1, 'the dead letter', DEADLINE_MS);
    expect(letters[0].headers?.get('Weir-Cause')).toBe('watchdog');
    expect(letters[0].headers?.get('Weir-Error')).toMatch(/150 are allowed/);
    await stage.done('ATTACHMENT.BUDGET.count', { fuel_per_message: 100_000 });
    stage.client.publish('count.in', 'stuck');
    await until(() => letters.length === 2, 'the next dead letter', DEADLINE_MS);
    expect(letters[1].headers?.get('Weir-Cause')).toBe('fuel');
  });

  it('is refused where it cannot be right', async () => {
    await stage.done('PLUGIN.INSTALL.count', await countingGuest());
    const refusal = async (definition: object) =>
      (await stage.api('ATTACHMENT.CREATE.count', { plugin: 'count', subject: 'count.in', ...definition })).error
        ?.description;
    expect(await refusal({ metering: 'off' })).toMatch(/would stop the event loop.*"tier": "worker"/);
    expect(await refusal({ tier: 'worker', stage: 'deliver' })).toMatch(/is for the stage "publish"/);
    expect(await refusal({ tier: 'elsewhere' })).toMatch(/tier/);
  });
});

describe('a server with the worker tier', () => {
  it('stores in a stream what plugins let through, in order', async () => {
    const folder = tempFolder();
    const stage = await Stage.open({ jetstream: true, storeDir: folder.path });
    try {
      await stage.bring('mark', await numberingGuest(7), { ...BESIDE, subject: 'mark.>' });
      const manager = await jetstreamManager(stage.client);
      await manager.streams.add({ name: 'MARKS', subjects: ['mark.>', 'plain.>'] });
      const js = jetstream(stage.client);
      const publishes = Array.from({ length: 300 }, (_, i) =>
        js.publish(i % 3 === 0 ? 'plain.a' : `mark.${i % 5}`, bytesOf(i)),
      );
      const acks = await Promise.all(publishes);
      expect(acks.map(({ seq }) => seq)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
      const stored = await manager.streams.getMessage('MARKS', { seq: 2 });
      expect([...stored!.data]).toEqual([1, 0, 0, 0, 7, 0, 0, 0]);
    } finally {
      await stage.close();
      folder.remove();
    }
  });

  it('keeps states over a restart', async () => {
    const folder = tempFolder();
    let stage = await Stage.open({ storeDir: folder.path });
    await stage.bring('count', await countingGuest(), { ...BESIDE, grants: { state: true } });
    expect(await countsOf(stage, 'xx')).toEqual([1, 2]);
    await stage.close();
    stage = await Stage.open({ storeDir: folder.path });
    expect(await countsOf(stage, 'x')).toEqual([3]);
    await stage.close();
    folder.remove();
  });

  it('reads it from a configuration file', async () => {
    const options = await optionsOf('plugins { workers: 2 }');
    expect(options.plugins?.workers).toBe(2);
  });
});

interface Load {
  subject: string;
  messages: number;
  payloadOf(i: number): Uint8Array | string;
  swaps: number;
  /** Called with 1, 2 … at even intervals while messages flow. */
  swap(i: number): Promise<unknown>;
}

async function putUnderLoad(stage: Stage, { subject, messages, payloadOf, swaps, swap }: Load): Promise<void> {
  const publisher = await connect({ servers: stage.server.clientUrl });
  let sent = 0;
  const publish = async () => {
    for (; sent < messages; sent++) {
      publisher.publish(subject, payloadOf(sent));
      if (sent % 500 === 499) await publisher.flush();
    }
    await publisher.flush();
  };
  const swapAll = async () => {
    for (let i = 1; i <= swaps; i++) {
      await until(() => sent >= ((i - 0.5) * messages) / swaps, 'the next swap', 60_000);
      await swap(i);
    }
  };
  await Promise.all([publish(), swapAll()]);
  await publisher.close();
}

function attachmentOf(stage: Stage, name: string) {
  return stage.server.host.attachments.get(name)!;
}
