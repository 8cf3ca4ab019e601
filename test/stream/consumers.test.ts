import { AckPolicy, type ConsumerMessages, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { until } from '../kit/wait.js';
import { describeStreams } from './servers.js';

/** Takes `count` messages. */
async function take(messages: ConsumerMessages, count: number): Promise<{ seq: number; redelivered: boolean }[]> {
  const taken: { seq: number; redelivered: boolean }[] = [];
  for await (const message of messages) {
    taken.push({ seq: message.seq, redelivered: message.redelivered });
    message.ack();
    if (taken.length === count) break;
  }
  return taken;
}

describeStreams('consumers', (at, storage) => {
  const fill = async (name: string, count: number, subjects = [`${name}.a`]) => {
    const { js, manager } = at();
    await manager.streams.add({ name, subjects: [`${name}.>`], storage });
    for (let i = 0; i < count; i++) await js.publish(subjects[i % subjects.length], String(i));
  };

  it('gives a batch, and says when there is no more', async () => {
    await fill('C1', 10);
    const { js, manager } = at();
    await manager.consumers.add('C1', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
    const consumer = await js.consumers.get('C1', 'c');
    expect((await take(await consumer.fetch({ max_messages: 4, expires: 2_000 }), 4)).map(({ seq }) => seq)).toEqual([
      1, 2, 3, 4,
    ]);
    const rest = await consumer.fetch({ max_messages: 100, expires: 1_000 });
    expect(await take(rest, 6)).toHaveLength(6);
    const info = await consumer.info();
    expect(info).toMatchObject({ num_pending: 0, delivered: { consumer_seq: 10, stream_seq: 10 } });
  });

  it('gives again what is not acknowledged, and not what is', async () => {
    await fill('C2', 3);
    const { js, manager } = at();
    await manager.consumers.add('C2', {
      ...{ durable_name: 'c', ack_policy: AckPolicy.Explicit, ack_wait: 300e6, max_deliver: 3 },
      // One at a time: what is refused comes before anything else.
      max_ack_pending: 1,
    });
    const consumer = await js.consumers.get('C2', 'c');
    const next = () => consumer.next({ expires: 5_000 });
    const first = await next();
    first?.nak();
    const again = await next();
    expect([again?.seq, again?.info.deliveryCount, again?.redelivered]).toEqual([1, 2, true]);
    await again?.ackAck();
    const second = await next();
    expect([second?.seq, second?.redelivered]).toEqual([2, false]);
    const late = await next();
    expect([late?.seq, late?.info.deliveryCount]).toEqual([2, 2]);
    await late?.ackAck();
    const third = await next();
    expect(third?.seq).toBe(3);
    third?.term('no use');
    while ((await consumer.info()).num_ack_pending > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const info = await consumer.info();
    expect(info).toMatchObject({ num_ack_pending: 0, num_redelivered: 0, ack_floor: { stream_seq: 3 } });
  });

  it('delays what was refused', async () => {
    await fill('C3', 1);
    const { js, manager } = at();
    await manager.consumers.add('C3', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
    const consumer = await js.consumers.get('C3', 'c');
    const began = Date.now();
    (await consumer.next({ expires: 2_000 }))?.nak(400);
    expect((await consumer.next({ expires: 5_000 }))?.seq).toBe(1);
    expect(Date.now() - began).toBeGreaterThanOrEqual(390);
  });

  it('starts where it is told', async () => {
    await fill('C4', 6, ['C4.a', 'C4.b', 'C4.c']);
    const { js, manager } = at();
    const start = async (config: object) => {
      const { name } = await manager.consumers.add('C4', { ack_policy: AckPolicy.None, ...config });
      const { num_pending } = await manager.consumers.info('C4', name);
      const message = await (await js.consumers.get('C4', name)).fetch({ max_messages: 10, expires: 1_000 });
      const seqs: number[] = [];
      for await (const { seq } of message) {
        seqs.push(seq);
        if (seqs.length === num_pending) break;
      }
      return seqs;
    };
    expect(await start({})).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await start({ deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: 5 })).toEqual([5, 6]);
    expect(await start({ deliver_policy: DeliverPolicy.Last })).toEqual([6]);
    expect(await start({ deliver_policy: DeliverPolicy.LastPerSubject, filter_subject: 'C4.*' })).toEqual([4, 5, 6]);
    expect(await start({ filter_subjects: ['C4.a', 'C4.c'] })).toEqual([1, 3, 4, 6]);
    const { time } = (await manager.streams.getMessage('C4', { seq: 3 }))!;
    const timed = await start({ deliver_policy: DeliverPolicy.StartTime, opt_start_time: time.toISOString() });
    expect(timed.at(-1)).toBe(6);
  });

  it('answers requests that cannot be met', async () => {
    await fill('C5', 1);
    const { connection, manager } = at();
    await manager.consumers.add('C5', {
      ...{ durable_name: 'c', ack_policy: AckPolicy.Explicit, max_waiting: 2, max_batch: 10, max_expires: 60e9 },
      max_bytes: 1000,
    });
    const ask = async (payload: string): Promise<string> => {
      const answers: Msg[] = [];
      const inbox = `_INBOX.ask.${Math.random().toString(36).slice(2)}`;
      connection.subscribe(inbox, { callback: (_, message) => void answers.push(message) });
      connection.publish('$JS.API.CONSUMER.MSG.NEXT.C5.c', payload, { reply: inbox });
      await until(() => answers.length > 0, `an answer to ${payload}`, 10_000);
      const { code, description } = answers[0].headers!;
      return `${code} ${description}`;
    };
    expect(await ask('{"batch": 11}')).toBe('409 Exceeded MaxRequestBatch of 10');
    expect(await ask('{"batch": 1, "expires": 61000000000}')).toBe('409 Exceeded MaxRequestExpires of 1m0s');
    expect(await ask('{"batch": 1, "max_bytes": 1001}')).toBe('409 Exceeded MaxRequestMaxBytes of 1000');
    expect(await ask('{"batch": 1, "max_bytes": 10}')).toBe('409 Message Size Exceeds MaxBytes');
    expect(await ask('{"expires":1000000000,"idle_heartbeat":900000000}')).toBe(
      '400 Bad Request - heartbeat value too large',
    );
    expect(await ask('{"batch":1,"group":"g","min_pending":1}')).toBe(
      '400 Bad Request - Not a Overflow Priority consumer',
    );
    connection.publish('$JS.API.CONSUMER.MSG.NEXT.C5.c', '1', { reply: '_INBOX.nobody.listens' });
    const message = await (await at().js.consumers.get('C5', 'c')).next({ expires: 5_000 });
    await message?.ackAck();
    expect(await ask('{"no_wait": true, "batch": 1}')).toBe('404 No Messages');
    expect(await ask('{"expires": 200000000, "batch": 1}')).toBe('408 Request Timeout');
  });

  it('beats when there is nothing to give', async () => {
    await fill('C6', 0);
    const { connection, manager } = at();
    await manager.consumers.add('C6', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
    const answers: Msg[] = [];
    connection.subscribe('_INBOX.beat.1', { callback: (_, message) => void answers.push(message) });
    const request = '{"batch":1,"expires":1000000000,"idle_heartbeat":100000000}';
    connection.publish('$JS.API.CONSUMER.MSG.NEXT.C6.c', request, { reply: '_INBOX.beat.1' });
    await until(() => answers.at(-1)?.headers?.code === 408, 'the end of the request', 10_000);
    expect(answers.length).toBeGreaterThanOrEqual(4);
    const [{ headers }] = answers;
    expect([headers?.code, headers?.description]).toEqual([100, 'Idle Heartbeat']);
    expect([headers?.get('Nats-Last-Consumer'), headers?.get('Nats-Last-Stream')]).toEqual(['0', '0']);
    const last = answers.at(-1)!.headers!;
    expect([last.get('Nats-Pending-Messages'), last.get('Nats-Pending-Bytes')]).toEqual(['1', '0']);
  });

  it('pushes in order, under flow control, to an ordered consumer', async () => {
    await fill('C7', 0);
    const { js, connection } = at();
    const payload = new Uint8Array(1000);
    for (let i = 0; i < 5000; i++) connection.publish('C7.a', payload);
    await connection.flush();
    await js.publish('C7.a', payload);
    const consumer = await js.consumers.get('C7');
    let last = 0;
    for await (const message of await consumer.consume()) {
      expect(message.seq).toBe(last + 1);
      last = message.seq;
      if (last === 5001) break;
    }
  });

  it('pushes to a deliver subject, one of a group', async () => {
    await fill('C8', 4);
    const { connection, manager, js } = at();
    const got: [number, Msg][] = [];
    for (const member of [1, 2])
      connection.subscribe('deliver.c8', { queue: 'g', callback: (_, message) => void got.push([member, message]) });
    await connection.flush();
    await manager.consumers.add('C8', {
      ...{ durable_name: 'p', ack_policy: AckPolicy.Explicit, deliver_subject: 'deliver.c8', deliver_group: 'g' },
    });
    await until(() => got.length >= 4, 'the messages', 10_000);
    expect(got.slice(0, 4).map(([, message]) => message.subject)).toEqual(['C8.a', 'C8.a', 'C8.a', 'C8.a']);
    expect(got[0][1].reply).toMatch(/^\$JS\.ACK\.C8\.p\.1\.1\.1\.\d{19}\.3$/);
    const info = await manager.consumers.info('C8', 'p');
    expect(info).toMatchObject({ push_bound: true, num_ack_pending: 4, num_pending: 0 });
    await expect(js.consumers.get('C8', 'p')).rejects.toThrow();
  });

  it('sends only headers when asked to', async () => {
    const { js, manager } = at();
    await fill('C9', 0);
    await js.publish('C9.a', 'four');
    await manager.consumers.add('C9', { durable_name: 'c', ack_policy: AckPolicy.Explicit, headers_only: true });
    const message = await (await js.consumers.get('C9', 'c')).next({ expires: 5_000 });
    expect([message?.string(), message?.headers?.get('Nats-Msg-Size')]).toEqual(['', '4']);
  });

  it('replays at the original pace', async () => {
    const { js, manager } = at();
    await fill('C10', 0);
    await js.publish('C10.a');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await js.publish('C10.a');
    await manager.consumers.add('C10', {
      ...{ durable_name: 'c', ack_policy: AckPolicy.Explicit, replay_policy: ReplayPolicy.Original },
    });
    const consumer = await js.consumers.get('C10', 'c');
    await (await consumer.next({ expires: 5_000 }))?.ackAck();
    const began = Date.now();
    await consumer.next({ expires: 5_000 });
    expect(Date.now() - began).toBeGreaterThan(150);
  });

  it('pauses and goes on', async () => {
    await fill('C11', 1);
    const { js, manager } = at();
    await manager.consumers.add('C11', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
    const until = new Date(Date.now() + 60_000);
    expect(await manager.consumers.pause('C11', 'c', until)).toMatchObject({ paused: true });
    expect(await manager.consumers.info('C11', 'c')).toMatchObject({ paused: true });
    const consumer = await js.consumers.get('C11', 'c');
    const message = consumer.next({ expires: 10_000 });
    expect(await manager.consumers.resume('C11', 'c')).toMatchObject({ paused: false });
    expect((await message)?.seq).toBe(1);
  });

  it('goes when nobody uses it', async () => {
    await fill('C12', 1);
    const { manager } = at();
    const { name } = await manager.consumers.add('C12', { ack_policy: AckPolicy.None, inactive_threshold: 300e6 });
    expect(await manager.consumers.info('C12', name)).toMatchObject({ name });
    const ends = Date.now() + 10_000;
    let gone = false;
    while (!gone && Date.now() < ends) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      gone = (await manager.consumers.list('C12').next()).length === 0;
    }
    expect(gone).toBe(true);
  });

  it('acknowledges all before', async () => {
    await fill('C13', 5);
    const { js, manager } = at();
    await manager.consumers.add('C13', { durable_name: 'c', ack_policy: AckPolicy.All });
    const consumer = await js.consumers.get('C13', 'c');
    for await (const message of await consumer.fetch({ max_messages: 4, expires: 5_000 })) {
      if (message.seq === 3) await message.ackAck();
      if (message.seq === 4) break;
    }
    const info = await consumer.info();
    expect(info).toMatchObject({ num_ack_pending: 1, ack_floor: { consumer_seq: 3, stream_seq: 3 } });
  });
});
