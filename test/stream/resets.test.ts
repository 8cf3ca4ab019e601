// Consumers that start over, and what becomes of messages that were under way.
import { AckPolicy } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { describeStreams } from './servers.js';

describeStreams('resets', (at, storage) => {
  it('starts over, behind what was acknowledged or where it is told to', async () => {
    const { js, manager, connection } = at();
    await manager.streams.add({ name: 'R', subjects: ['r'], storage });
    for (let i = 0; i < 6; i++) await js.publish('r', String(i));
    await manager.consumers.add('R', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
    const consumer = await js.consumers.get('R', 'c');
    const next = async () => {
      const message = await consumer.next({ expires: 5_000 });
      return { message: message!, seen: [message!.seq, message!.info.deliverySequence, message!.info.deliveryCount] };
    };
    const reset = async (request: string) => {
      const answer = (await connection.request('$JS.API.CONSUMER.RESET.R.c', request, { timeout: 5_000 })).json();
      return answer as { reset_seq: number; num_ack_pending: number; num_pending: number };
    };

    await (await next()).message.ackAck();
    expect((await next()).seen).toEqual([2, 2, 1]);
    expect((await next()).seen).toEqual([3, 3, 1]);
    expect(await reset('')).toMatchObject({ reset_seq: 2, num_ack_pending: 0, num_pending: 5 });
    const again = await next();
    expect(again.seen).toEqual([2, 1, 1]);

    expect(await reset('{"seq":5}')).toMatchObject({ reset_seq: 5, num_ack_pending: 0, num_pending: 2 });
    // What was given before counts no more.
    await again.message.ackAck();
    expect((await next()).seen).toEqual([5, 1, 1]);
    expect(await manager.consumers.info('R', 'c')).toMatchObject({
      delivered: { consumer_seq: 1, stream_seq: 5 },
      ack_floor: { consumer_seq: 0, stream_seq: 4 },
    });

    expect(await reset('{"seq":1}')).toMatchObject({ reset_seq: 1, num_pending: 6 });
    for (let sequence = 1; sequence <= 6; sequence++) expect((await next()).seen).toEqual([sequence, sequence, 1]);
  });
});
