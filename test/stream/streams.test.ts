import { AckPolicy, DiscardPolicy, RetentionPolicy } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { describeStreams } from './servers.js';

describeStreams('streams', (at, storage) => {
  it('stores what is published and answers with sequences', async () => {
    const { js, manager } = at();
    const made = await manager.streams.add({ name: 'S1', subjects: ['s1.>'], storage });
    expect(made.config).toMatchObject({ max_msgs: -1, max_bytes: -1, retention: 'limits', duplicate_window: 120e9 });
    expect(await js.publish('s1.a', 'one')).toMatchObject({ stream: 'S1', seq: 1, duplicate: false });
    expect(await js.publish('s1.b', 'two')).toMatchObject({ seq: 2 });
    const info = await manager.streams.info('S1', { subjects_filter: '>' });
    expect(info.state).toMatchObject({ messages: 2, first_seq: 1, last_seq: 2, subjects: { 's1.a': 1, 's1.b': 1 } });
    const message = await manager.streams.getMessage('S1', { seq: 2 });
    expect([message?.subject, message?.string()]).toEqual(['s1.b', 'two']);
    expect((await manager.streams.getMessage('S1', { last_by_subj: 's1.a' }))?.seq).toBe(1);
  });

  it('takes a message id once', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'S2', subjects: ['s2'], storage });
    expect(await js.publish('s2', 'x', { msgID: 'a' })).toMatchObject({ seq: 1, duplicate: false });
    expect(await js.publish('s2', 'x', { msgID: 'a' })).toMatchObject({ seq: 1, duplicate: true });
    expect(await js.publish('s2', 'x', { msgID: 'b' })).toMatchObject({ seq: 2, duplicate: false });
  });

  it('holds publishers to what they expect', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'S3', subjects: ['s3.*'], storage });
    await js.publish('s3.a', '', { msgID: 'first' });
    const attempt = (expected: object, subject = 's3.a') => js.publish(subject, '', { expect: expected });
    await expect(attempt({ lastSequence: 7 })).rejects.toMatchObject({
      code: 10071,
      message: 'wrong last sequence: 1',
    });
    await expect(attempt({ lastSubjectSequence: 3 })).rejects.toMatchObject({ code: 10071 });
    await expect(attempt({ streamName: 'X' })).rejects.toMatchObject({ code: 10060 });
    await expect(attempt({ lastMsgID: 'other' })).rejects.toMatchObject({
      code: 10070,
      message: 'wrong last msg ID: first',
    });
    expect(await attempt({ lastSequence: 1, lastMsgID: 'first', streamName: 'S3' })).toMatchObject({ seq: 2 });
    expect(await attempt({ lastSubjectSequence: 0 }, 's3.b')).toMatchObject({ seq: 3 });
    expect(await attempt({ lastSubjectSequence: 3 }, 's3.b')).toMatchObject({ seq: 4 });
  });

  it('drops the oldest, or refuses the newest', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'S4', subjects: ['s4'], storage, max_msgs: 3 });
    for (let i = 0; i < 5; i++) await js.publish('s4', String(i));
    expect((await manager.streams.info('S4')).state).toMatchObject({ messages: 3, first_seq: 3, last_seq: 5 });
    await manager.streams.add({ name: 'S5', subjects: ['s5.*'], storage, max_msgs: 2, discard: DiscardPolicy.New });
    await js.publish('s5.a');
    await js.publish('s5.a');
    await expect(js.publish('s5.a')).rejects.toMatchObject({ code: 10077, message: 'maximum messages exceeded' });
    await manager.streams.add({
      ...{ name: 'S6', subjects: ['s6.*'], storage, max_msgs_per_subject: 1, discard: DiscardPolicy.New },
      discard_new_per_subject: true,
    });
    await js.publish('s6.a');
    await expect(js.publish('s6.a')).rejects.toMatchObject({ message: 'maximum messages per subject exceeded' });
    await js.publish('s6.b');
  });

  it('keeps so many of each subject', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'S7', subjects: ['s7.*'], storage, max_msgs_per_subject: 2 });
    for (let i = 0; i < 4; i++) for (const key of ['a', 'b']) await js.publish(`s7.${key}`, String(i));
    const { state } = await manager.streams.info('S7', { subjects_filter: '>' });
    expect(state).toMatchObject({ messages: 4, first_seq: 5, last_seq: 8, subjects: { 's7.a': 2, 's7.b': 2 } });
  });

  it('purges and deletes', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'S8', subjects: ['s8.*'], storage });
    for (let i = 0; i < 10; i++) await js.publish(`s8.${i % 2}`);
    expect(await manager.streams.purge('S8', { filter: 's8.1', keep: 1 })).toMatchObject({ success: true, purged: 4 });
    expect(await manager.streams.purge('S8', { seq: 4 })).toMatchObject({ purged: 2 });
    expect((await manager.streams.info('S8')).state).toMatchObject({ messages: 4, first_seq: 5, last_seq: 10 });
    expect(await manager.streams.deleteMessage('S8', 7)).toBe(true);
    await expect(manager.streams.deleteMessage('S8', 7)).rejects.toMatchObject({ code: 10043 });
    const { state } = await manager.streams.info('S8', { deleted_details: true });
    expect(state).toMatchObject({ messages: 3, num_deleted: 3, deleted: [6, 7, 8] });
    expect(await manager.streams.purge('S8')).toMatchObject({ purged: 3 });
    expect((await manager.streams.info('S8')).state).toMatchObject({ messages: 0, first_seq: 11, last_seq: 10 });
    expect(await manager.streams.delete('S8')).toBe(true);
    await expect(manager.streams.info('S8')).rejects.toMatchObject({ code: 10059 });
  });

  it('keeps a work queue until it is done', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'WQ', subjects: ['wq.*'], storage, retention: RetentionPolicy.Workqueue });
    await manager.consumers.add('WQ', { durable_name: 'a', ack_policy: AckPolicy.Explicit, filter_subject: 'wq.a' });
    await expect(
      manager.consumers.add('WQ', { durable_name: 'b', ack_policy: AckPolicy.Explicit }),
    ).rejects.toMatchObject({ code: 10099 });
    await expect(
      manager.consumers.add('WQ', { durable_name: 'b', ack_policy: AckPolicy.Explicit, filter_subject: 'wq.>' }),
    ).rejects.toMatchObject({ code: 10100 });
    await js.publish('wq.a');
    const consumer = await js.consumers.get('WQ', 'a');
    const message = await consumer.next({ expires: 5_000 });
    expect((await manager.streams.info('WQ')).state.messages).toBe(1);
    expect(await message?.ackAck()).toBe(true);
    expect((await manager.streams.info('WQ')).state.messages).toBe(0);
  });

  it('keeps what somebody is interested in', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'IN', subjects: ['in.*'], storage, retention: RetentionPolicy.Interest });
    expect(await js.publish('in.a')).toMatchObject({ seq: 1 });
    expect((await manager.streams.info('IN')).state).toMatchObject({ messages: 0, last_seq: 1 });
    await manager.consumers.add('IN', { durable_name: 'a', ack_policy: AckPolicy.Explicit });
    await manager.consumers.add('IN', { durable_name: 'b', ack_policy: AckPolicy.Explicit, filter_subject: 'in.b' });
    await js.publish('in.a');
    await js.publish('in.b');
    for (let i = 0; i < 2; i++) await (await (await js.consumers.get('IN', 'a')).next({ expires: 5_000 }))?.ackAck();
    expect((await manager.streams.info('IN')).state).toMatchObject({ messages: 1, first_seq: 3 });
    expect(await manager.consumers.delete('IN', 'b')).toBe(true);
    expect((await manager.streams.info('IN')).state).toMatchObject({ messages: 0 });
  });
});
