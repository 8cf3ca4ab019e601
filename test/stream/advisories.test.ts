import { AckPolicy } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { until } from '../kit/wait.js';
import { describeStreams } from './servers.js';

describeStreams('advisories', (at, storage) => {
  it('tell what happens to streams, consumers and messages', async () => {
    const { connection, js, manager } = at();
    const heard: [string, Record<string, unknown>][] = [];
    connection.subscribe('$JS.EVENT.>', {
      callback: (_, message) => {
        if (message.subject !== '$JS.EVENT.ADVISORY.API') heard.push([message.subject, message.json()]);
      },
    });
    await manager.streams.add({ name: 'AD', subjects: ['ad'], storage });
    await manager.streams.update('AD', { description: 'new' });
    await manager.consumers.add('AD', {
      ...{ durable_name: 'c', ack_policy: AckPolicy.Explicit, max_deliver: 1, ack_wait: 200e6, sample_freq: '100' },
    });
    for (let i = 0; i < 3; i++) await js.publish('ad');
    const consumer = await js.consumers.get('AD', 'c');
    await (await consumer.next({ expires: 5_000 }))?.ackAck();
    (await consumer.next({ expires: 5_000 }))?.term('broken');
    await consumer.next({ expires: 5_000 });
    await until(() => heard.some(([subject]) => subject.includes('MAX_DELIVERIES')), 'the last delivery', 10_000);
    await manager.consumers.delete('AD', 'c');
    await manager.streams.delete('AD');
    await until(() => heard.some(([subject]) => subject.includes('STREAM.DELETED')), 'the end', 10_000);
    const fields = ([subject, { id, timestamp, type, client: _, ...rest }]: (typeof heard)[number]) => {
      expect(id).toMatch(/^\w{22}$/);
      expect(String(timestamp)).toMatch(/^20\d\d-.*Z$/);
      return [subject.replace('$JS.EVENT.', ''), String(type).replace('io.nats.jetstream.', ''), rest];
    };
    const ack = heard.find(([subject]) => subject.includes('METRIC'))!;
    expect(ack[1]).toMatchObject({ stream: 'AD', consumer: 'c', consumer_seq: 1, stream_seq: 1, deliveries: 1 });
    const told = heard.filter((event) => event !== ack && !event[0].includes('LEADER')).map(fields);
    expect(told).toEqual([
      ['ADVISORY.STREAM.CREATED.AD', 'advisory.v1.stream_action', { stream: 'AD', action: 'create' }],
      ['ADVISORY.STREAM.UPDATED.AD', 'advisory.v1.stream_action', { stream: 'AD', action: 'modify' }],
      [
        'ADVISORY.CONSUMER.CREATED.AD.c',
        'advisory.v1.consumer_action',
        { stream: 'AD', consumer: 'c', action: 'create' },
      ],
      [
        'ADVISORY.CONSUMER.MSG_TERMINATED.AD.c',
        'advisory.v1.terminated',
        { stream: 'AD', consumer: 'c', consumer_seq: 2, stream_seq: 2, deliveries: 1, reason: 'broken' },
      ],
      [
        'ADVISORY.CONSUMER.MAX_DELIVERIES.AD.c',
        'advisory.v1.max_deliver',
        { stream: 'AD', consumer: 'c', stream_seq: 3, deliveries: 1 },
      ],
      [
        'ADVISORY.CONSUMER.DELETED.AD.c',
        'advisory.v1.consumer_action',
        { stream: 'AD', consumer: 'c', action: 'delete' },
      ],
      ['ADVISORY.STREAM.DELETED.AD', 'advisory.v1.stream_action', { stream: 'AD', action: 'delete' }],
    ]);
  });
});
