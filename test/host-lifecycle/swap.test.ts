import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CONTROL_AT, guest, OUTBOX_AT } from '../hostile/guest.js';
import { ManualClock } from '../kit/manual-clock.js';
import { optionsOf } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { countingGuest, countsOf, numberIn, numberingGuest } from './counting.js';
import { Stage, verdictGuest } from './stage.js';

const MESSAGES = 200_000;
const SWAPS = 50;
const PUBLISHERS = 2;
const PAYLOAD_BYTES = 8;

describe('swapping', { timeout: 120_000 }, () => {
  test(`${SWAPS} times under ${MESSAGES} messages: each is processed once, by one version, in order`, async () => {
    const stage = await Stage.open();
    await stage.bring('mark', await numberingGuest(0));
    const seen: { sequence: number; version: number }[][] = Array.from({ length: PUBLISHERS }, () => []);
    const wrong: string[] = [];
    let received = 0;
    stage.client.subscribe('mark.in', {
      callback: (_, { data }) => {
        if (data.length !== PAYLOAD_BYTES + 4) wrong.push(`${data.length} bytes`);
        else seen[numberIn(data)].push({ sequence: numberIn(data, 4), version: numberIn(data, 8) });
        received++;
      },
    });
    await stage.client.flush();
    let sent = 0;
    const publish = async (publisher: number) => {
      const client = await connect({ servers: stage.server.clientUrl });
      for (let sequence = 0; sequence < MESSAGES / PUBLISHERS; sequence++) {
        const payload = new DataView(new ArrayBuffer(PAYLOAD_BYTES));
        payload.setUint32(0, publisher, true);
        payload.setUint32(4, sequence, true);
        client.publish('mark.in', new Uint8Array(payload.buffer));
        sent++;
        if (sequence % 500 === 499) await client.flush();
      }
      await client.flush();
      await client.close();
    };
    const swap = async () => {
      for (let i = 1; i <= SWAPS; i++) {
        await until(() => sent >= ((i - 0.5) * MESSAGES) / SWAPS, 'the next swap', 60_000);
        await stage.done('PLUGIN.INSTALL.mark', await numberingGuest(i));
        await stage.done('ATTACHMENT.SWAP.mark');
      }
    };
    await Promise.all([...Array.from({ length: PUBLISHERS }, (_, i) => publish(i)), swap()]);
    await until(() => received >= MESSAGES, 'all messages', 30_000);
    expect({ received, wrong }).toEqual({ received: MESSAGES, wrong: [] });
    for (const messages of seen) {
      const inOrder = messages.every(({ sequence }, i) => sequence === i);
      const forward = messages.every(({ version }, i) => i === 0 || version >= messages[i - 1].version);
      expect({ inOrder, forward }).toEqual({ inOrder: true, forward: true });
    }
    // Most versions had messages of their own: the swaps happened while they flowed.
    const versions = new Set(seen.flat().map(({ version }) => version));
    expect(versions.size).toBeGreaterThan(SWAPS / 2);
    expect(await stage.done('ATTACHMENT.INFO.mark')).toMatchObject({ attachment: { swaps: SWAPS } });
    await stage.close();
  });
});

describe('what a plugin saved', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.open();
  });
  afterEach(() => stage.close());

  test('moves over to the next version, when that is granted', async () => {
    await stage.bring('count', await countingGuest(), { grants: { state: true } });
    expect(await countsOf(stage, 'xxx')).toEqual([1, 2, 3]);
    await stage.done('PLUGIN.INSTALL.count', await countingGuest({ step: 10 }));
    await stage.done('ATTACHMENT.SWAP.count');
    expect(await countsOf(stage, 'xx')).toEqual([13, 23]);
    await stage.done('ATTACHMENT.ROLLBACK.count');
    expect(await countsOf(stage, 'x')).toEqual([24]);
  });

  test('stays behind without the grant', async () => {
    await stage.bring('count', await countingGuest());
    expect(await countsOf(stage, 'xxx')).toEqual([1, 2, 3]);
    await stage.done('PLUGIN.INSTALL.count', await countingGuest({ step: 10 }));
    await stage.done('ATTACHMENT.SWAP.count');
    expect(await countsOf(stage, 'x')).toEqual([10]);
  });

  test('is refused by a version that cannot take it on: the old one stays', async () => {
    await stage.bring('count', await countingGuest(), { grants: { state: true } });
    expect(await countsOf(stage, 'xxx')).toEqual([1, 2, 3]);
    await stage.done('PLUGIN.INSTALL.count', await countingGuest({ restore: 'i32.const -7' }));
    expect((await stage.api('ATTACHMENT.SWAP.count')).error).toMatchObject({
      err_code: 20038,
      description: 'version 2 of plugin "count" refused the state of version 1: weir_restore answered -7',
    });
    expect(await countsOf(stage, 'x')).toEqual([4]);
    expect(await stage.done('ATTACHMENT.INFO.count')).toMatchObject({ attachment: { version: 1 } });
  });
});

describe('what a plugin saves at intervals', () => {
  test('is where a new instance goes on after a trap', async () => {
    const clock = new ManualClock();
    const stage = await Stage.open({}, { clock });
    await stage.bring('count', await countingGuest(), { grants: { state: true } });
    expect(await countsOf(stage, 'xx')).toEqual([1, 2]);
    const stateBytes = async () => {
      const { attachment } = (await stage.done('ATTACHMENT.INFO.count')) as {
        attachment: { state_bytes: number | null };
      };
      return attachment.state_bytes;
    };
    expect(await stateBytes()).toBeNull();
    clock.advance(10_000);
    expect(await stateBytes()).toBe(4);
    expect(await countsOf(stage, 'xtx')).toEqual([3, 3]);
    await stage.close();
  });

  test('is there after a restart, and gone with the attachment', async () => {
    const folder = tempFolder();
    let stage = await Stage.open({ storeDir: folder.path });
    await stage.bring('count', await countingGuest(), { grants: { state: true } });
    expect(await countsOf(stage, 'xx')).toEqual([1, 2]);
    await stage.close();
    stage = await Stage.open({ storeDir: folder.path });
    expect(await countsOf(stage, 'x')).toEqual([3]);
    await stage.done('ATTACHMENT.DELETE.count');
    await stage.done('ATTACHMENT.CREATE.count', { plugin: 'count', subject: 'count.in', grants: { state: true } });
    expect(await countsOf(stage, 'x')).toEqual([1]);
    await stage.close();
    folder.remove();
  });
});

test('what a plugin of the configuration file saved is there after a restart, too', async () => {
  const folder = tempFolder();
  const module = join(folder.path, 'count.wasm');
  writeFileSync(module, await countingGuest());
  const attachment = '{plugin: count, subject: "count.in", grants {state: true}}';
  const plugins = (attachments: string) => `plugins { modules { count: ${JSON.stringify(module)} }, ${attachments} }`;
  const open = async (attachments: string) =>
    Stage.open(await optionsOf(`store_dir: ${JSON.stringify(folder.path)}\n${plugins(attachments)}`));
  for (const expected of [1, 2, 3]) {
    const stage = await open(`attachments { count ${attachment} }`);
    expect(await countsOf(stage, 'x')).toEqual([expected]);
    await stage.close();
  }
  folder.remove();
});

/** Emits to `out` at each tick, and when it is drained; both need the grant. */
function tickingGuest(): Promise<Uint8Array> {
  // An emit of 4 lengths, the subject "out" and a payload of one letter.
  const emit = (letter: string) => `
    (i32.store (i32.const ${OUTBOX_AT}) (i32.const 4))
    (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const 20))
    (i32.store (i32.const ${OUTBOX_AT + 8}) (i32.const 3))
    (i32.store (i32.const ${OUTBOX_AT + 12}) (i32.const 0))
    (i32.store (i32.const ${OUTBOX_AT + 16}) (i32.const 0))
    (i32.store (i32.const ${OUTBOX_AT + 20}) (i32.const 1))
    (i32.store (i32.const ${OUTBOX_AT + 24}) (i32.const 0x${Buffer.from(`${letter}tuo`).toString('hex')}))
    (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 28))`;
  return guest({
    extra: `(func (export "weir_tick") (param f64) (result i32) ${emit('t')} i32.const 0)
      (func (export "weir_drain") (result i32) ${emit('d')} i32.const 0)`,
  });
}

describe('ticks', () => {
  test('come at their interval, and stop with the attachment, which has the last word', async () => {
    const clock = new ManualClock();
    const stage = await Stage.open({}, { clock });
    const arrived = await stage.listen('out');
    const letters = async () => {
      await stage.client.flush();
      return arrived.map((message) => message.string()).join('');
    };
    await stage.bring('tick', await tickingGuest(), { tick_ms: 1000, grants: { emit: ['out'] } });
    clock.advance(999);
    expect(await letters()).toBe('');
    clock.advance(1);
    expect(await letters()).toBe('t');
    clock.advance(2000);
    expect(await letters()).toBe('ttt');
    await stage.done('ATTACHMENT.DELETE.tick');
    clock.advance(5000);
    expect(await letters()).toBe('tttd');
    await stage.close();
  });

  test('need the grants of what they do', async () => {
    const clock = new ManualClock();
    const stage = await Stage.open({}, { clock });
    await stage.bring('tick', await tickingGuest(), { tick_ms: 1000 });
    clock.advance(1000);
    expect(await stage.done('ATTACHMENT.INFO.tick')).toMatchObject({
      attachment: {
        counters: { ticks: 1, faults: { 'guest-error': 1 } },
        last_fault: { text: expect.stringContaining('"emit" is not granted') },
      },
    });
    await stage.close();
  });

  test('a server that stops lets plugins say their last words', async () => {
    const stage = await Stage.open();
    await stage.bring('tick', await tickingGuest(), { grants: { emit: ['out'] } });
    const arrived = await stage.listen('out');
    stage.client.publish('tick.in', await verdictGuest(0));
    await stage.client.flush();
    await stage.server.stop();
    await until(() => arrived.length > 0, 'the last words');
    expect(arrived.map((message) => message.string())).toEqual(['d']);
    await stage.client.close();
  });
});
