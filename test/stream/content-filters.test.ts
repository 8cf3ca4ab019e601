// A consumer with a plugin at the stage "deliver": what that drops never crosses the network, and counts as delivered and acknowledged.
import {
  AckPolicy,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Stage } from '../host-lifecycle/stage.js';
import { guest, Kind, record, writingGuest } from '../hostile/guest.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually, until } from '../kit/wait.js';

/** Lets through payloads that begin with an even digit. */
const evenOnly = () => guest({ message: '(i32.and (i32.load8_u (local.get 6)) (i32.const 1))' });
const explicit = { ack_policy: AckPolicy.Explicit };

const folder = tempFolder();
let stage: Stage;
let js: JetStreamClient;
let manager: JetStreamManager;
beforeEach(async () => {
  stage = await Stage.open({ jetstream: true, storeDir: folder.path });
  js = jetstream(stage.client);
  manager = await jetstreamManager(stage.client);
  await manager.streams.add({ name: 'S', subjects: ['s.>'] });
});
afterEach(async () => {
  await stage.close();
  folder.remove();
});

const filter = (receivers?: object) => ({ subject: 's.>', stage: 'deliver', ...(receivers && { receivers }) });

async function attach(wasm: Uint8Array, definition: object = filter({ stream: 'S' })): Promise<void> {
  await stage.bring('f', wasm, definition);
}

/** The digits from 0 on. */
async function publish(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await js.publish('s.x', String(i % 10));
}

async function fetched(consumer: string, max: number, expires = 1_000): Promise<string[]> {
  const found: string[] = [];
  const source = await js.consumers.get('S', consumer);
  const { ack_policy } = (await source.info(true)).config;
  for await (const message of await source.fetch({ max_messages: max, expires })) {
    found.push(message.string());
    // Nobody takes those where none are wanted.
    if (ack_policy !== AckPolicy.None) await message.ackAck();
  }
  return found;
}

describe('a content filter', () => {
  it('fills a pull request with what passes; counts, acknowledgements and pending are right', async () => {
    await attach(await evenOnly());
    await manager.consumers.add('S', { durable_name: 'c', ...explicit });
    await publish(10);
    const consumer = await js.consumers.get('S', 'c');
    const held = [];
    for await (const message of await consumer.fetch({ max_messages: 3, expires: 5_000 })) held.push(message);
    expect(held.map((message) => message.string())).toEqual(['0', '2', '4']);
    expect(held.map(({ info }) => [info.streamSequence, info.deliverySequence, info.deliveryCount])).toEqual([
      [1, 1, 1],
      [3, 2, 1],
      [5, 3, 1],
    ]);
    expect(await consumer.info()).toMatchObject({
      ...{ num_ack_pending: 3, num_pending: 5, num_redelivered: 0 },
      ...{ delivered: { consumer_seq: 3, stream_seq: 5 }, ack_floor: { consumer_seq: 0, stream_seq: 0 } },
    });
    for (const message of held) await message.ackAck();
    expect(await fetched('c', 10)).toEqual(['6', '8']);
    expect(await consumer.info()).toMatchObject({
      ...{ num_ack_pending: 0, num_pending: 0, num_waiting: 0 },
      ...{ delivered: { consumer_seq: 5, stream_seq: 10 }, ack_floor: { consumer_seq: 5, stream_seq: 10 } },
    });
  });

  it('answers a request that does not wait when nothing passes', async () => {
    await attach(await evenOnly());
    await manager.consumers.add('S', { durable_name: 'c', ...explicit });
    for (let i = 0; i < 3; i++) await js.publish('s.x', '1');
    expect(await (await js.consumers.get('S', 'c')).next({ expires: 1_000 })).toBeNull();
    const answers = await stage.listen('answers');
    await js.publish('s.x', '1');
    stage.client.publish('$JS.API.CONSUMER.MSG.NEXT.S.c', '{"batch": 5, "no_wait": true}', { reply: 'answers' });
    await until(() => answers.length > 0, 'an answer', 10_000);
    expect(answers[0].headers?.code).toBe(404);
    expect(await manager.consumers.info('S', 'c')).toMatchObject({ num_pending: 0, ack_floor: { stream_seq: 4 } });
  });

  it('gives again what was not acknowledged, and no more what the plugin drops by then', async () => {
    await attach(await guest());
    await manager.consumers.add('S', { durable_name: 'c', ...explicit, ack_wait: 300e6 });
    await publish(2);
    const consumer = await js.consumers.get('S', 'c');
    for await (const _ of await consumer.fetch({ max_messages: 2, expires: 5_000 }));
    await stage.done('PLUGIN.INSTALL.f', await evenOnly());
    await stage.done('ATTACHMENT.SWAP.f');
    const again = await consumer.next({ expires: 10_000 });
    expect([again?.string(), again?.redelivered]).toEqual(['0', true]);
    again?.ack();
    const settled = async () => (await consumer.info()).num_ack_pending === 0;
    // The other one is given, and dropped, when somebody asks.
    expect(await consumer.next({ expires: 2_000 })).toBeNull();
    await eventually(settled, 'nothing to be pending');
    expect(await consumer.info()).toMatchObject({ num_redelivered: 0, ack_floor: { stream_seq: 2 } });
  });

  it('lets an ordered consumer count without a gap, however much is dropped', async () => {
    await attach(await evenOnly());
    await publish(60);
    let resets = 0;
    const ordered = await js.consumers.get('S', { deliver_policy: DeliverPolicy.All });
    const found: string[] = [];
    const messages = await ordered.consume({ max_messages: 7 });
    void (async () => {
      for await (const { type } of messages.status() as AsyncIterable<{ type: string }>)
        if (type === 'ordered_consumer_recreated') resets++;
    })();
    for await (const message of messages) {
      found.push(message.string());
      if (found.length === 30) break;
    }
    expect(found).toEqual(Array.from({ length: 30 }, (_, i) => String((i * 2) % 10)));
    expect(resets).toBe(0);
  });

  it('stands before a push consumer with a queue group', async () => {
    await attach(await evenOnly());
    const got: string[] = [];
    for (const _ of [1, 2]) {
      stage.client.subscribe('deliver.p', {
        queue: 'g',
        callback: (_error, message) => {
          got.push(message.string());
          message.respond();
        },
      });
    }
    await stage.client.flush();
    await manager.consumers.add('S', {
      durable_name: 'p',
      ...explicit,
      deliver_subject: 'deliver.p',
      deliver_group: 'g',
      ack_wait: 1e9,
    });
    await publish(10);
    const done = async () => {
      const { num_pending, num_ack_pending, ack_floor } = await manager.consumers.info('S', 'p');
      return num_pending === 0 && num_ack_pending === 0 && ack_floor.stream_seq === 10;
    };
    await eventually(done, 'everything to be given and acknowledged');
    expect(got.sort()).toEqual(['0', '2', '4', '6', '8']);
  });

  it.each([AckPolicy.None, AckPolicy.All])(
    'leaves nothing pending with the acknowledgement policy %s',
    async (ack_policy) => {
      await attach(await evenOnly());
      await manager.consumers.add('S', { durable_name: 'c', ack_policy });
      await publish(6);
      expect((await fetched('c', 3)).length).toBe(3);
      const info = async () => await manager.consumers.info('S', 'c');
      await eventually(async () => (await info()).num_ack_pending === 0, 'acknowledgements');
      expect(await fetched('c', 1, 1_000)).toEqual([]);
      expect(await info()).toMatchObject({ num_pending: 0, num_ack_pending: 0, ack_floor: { stream_seq: 6 } });
    },
  );

  it('takes what it drops out of a work queue', async () => {
    await manager.streams.add({ name: 'W', subjects: ['w.>'], retention: 'workqueue' });
    await attach(await evenOnly(), { subject: 'w.>', stage: 'deliver', receivers: { stream: 'W', consumer: 'c' } });
    await manager.consumers.add('W', { durable_name: 'c', ...explicit });
    for (const digit of ['1', '2', '3']) await js.publish('w.x', digit);
    const message = await (await js.consumers.get('W', 'c')).next({ expires: 5_000 });
    expect(message?.string()).toBe('2');
    await message?.ackAck();
    expect(await (await js.consumers.get('W', 'c')).next({ expires: 1_000 })).toBeNull();
    await eventually(async () => (await manager.streams.info('W')).state.messages === 0, 'the queue to be empty');
  });

  it('is for the consumer that is named, and for nobody else', async () => {
    await attach(await evenOnly(), filter({ stream: 'S', consumer: 'c' }));
    for (const name of ['c', 'd']) await manager.consumers.add('S', { durable_name: name, ...explicit });
    const plain = await stage.listen('s.x');
    await publish(4);
    expect(await fetched('c', 4, 1_000)).toEqual(['0', '2']);
    expect(await fetched('d', 4)).toEqual(['0', '1', '2', '3']);
    await until(() => plain.length === 4, 'the messages themselves', 10_000);
  });

  it('changes what is given, and not what is stored', async () => {
    await attach(await writingGuest(2, record(Kind.payload, 'masked')));
    await manager.consumers.add('S', { durable_name: 'c', ...explicit });
    await publish(1);
    expect(await fetched('c', 1)).toEqual(['masked']);
    expect((await manager.streams.getMessage('S', { seq: 1 }))?.string()).toBe('0');
  });

  it('that fails makes dead letters, and the consumer goes on', async () => {
    await attach(await guest({ message: 'unreachable' }));
    const letters = await stage.listen('$WEIR.DEAD.f');
    await manager.consumers.add('S', { durable_name: 'c', ...explicit });
    await publish(3);
    expect(await fetched('c', 3, 1_000)).toEqual([]);
    expect(letters.map((letter) => letter.string())).toEqual(['0', '1', '2']);
    expect(await manager.consumers.info('S', 'c')).toMatchObject({ num_ack_pending: 0, ack_floor: { stream_seq: 3 } });
  });

  it('is refused for a consumer without its stream', async () => {
    await stage.done('PLUGIN.INSTALL.f', await evenOnly());
    const definition = { plugin: 'f', ...filter({ consumer: 'c' }) };
    expect((await stage.api('ATTACHMENT.CREATE.f', definition)).error).toMatchObject({
      ...{ err_code: 20032, description: expect.stringContaining('needs the "stream" it is of') },
    });
  });

  it('leaves the event loop to others while much is dropped', async () => {
    const slow =
      '(local.set $i (i32.const 60000)) (loop (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))';
    await attach(await guest({ message: `${slow} i32.const 1`, locals: '(local $i i32)' }));
    await manager.consumers.add('S', { durable_name: 'c', ...explicit });
    for (let i = 0; i < 1_000; i++) stage.client.publish('s.x', '1');
    await eventually(async () => (await manager.streams.info('S')).state.messages === 1_000, 'the messages');
    const info = () => manager.consumers.info('S', 'c');
    const none = fetched('c', 1, 5_000);
    let answers = 0;
    const endsMs = Date.now() + 30_000;
    while ((await info()).num_pending > 0 && Date.now() < endsMs) answers++;
    expect(answers).toBeGreaterThan(2);
    expect(await none).toEqual([]);
  });
});
