import { headers } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { eventually } from '../kit/wait.js';
import { describeStreams } from './servers.js';

describeStreams('mirrors and sources', (at, storage) => {
  const messagesOf = async (name: string) => (await at().manager.streams.info(name)).state.messages;

  it('a mirror has the same sequences and times, and follows', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'O1', subjects: ['o1.>'], storage });
    for (let i = 1; i <= 5; i++) await js.publish(`o1.${i}`, String(i));
    await manager.streams.deleteMessage('O1', 2);
    await manager.streams.add({ name: 'M1', mirror: { name: 'O1' }, storage });
    await js.publish('o1.6', '6');
    await eventually(async () => (await messagesOf('M1')) === 5, 'the mirror to follow');
    const [there, here] = await Promise.all(['O1', 'M1'].map((name) => manager.streams.getMessage(name, { seq: 4 })));
    expect([here?.subject, here?.string(), here?.time]).toEqual([there?.subject, there?.string(), there?.time]);
    const info = await manager.streams.info('M1', { deleted_details: true });
    expect(info.state).toMatchObject({ last_seq: 6, deleted: [2] });
    expect(info.mirror).toMatchObject({ name: 'O1', lag: 0 });
  });

  it('a mirror of some subjects', async () => {
    const { js, manager } = at();
    await manager.streams.add({ name: 'O2', subjects: ['o2.>'], storage });
    for (const subject of ['o2.a', 'o2.b', 'o2.a']) await js.publish(subject);
    await manager.streams.add({ name: 'M2', mirror: { name: 'O2', filter_subject: 'o2.a' }, storage });
    await eventually(async () => (await messagesOf('M2')) === 2, 'two messages');
    expect((await manager.streams.info('M2')).state).toMatchObject({ first_seq: 1, last_seq: 3 });
  });

  it('gathers streams, renames subjects, and says where messages came from', async () => {
    const { js, manager } = at();
    for (const name of ['A', 'B']) await manager.streams.add({ name: `O3${name}`, subjects: [`o3${name}.>`], storage });
    await manager.streams.add({
      ...{ name: 'S3', storage },
      sources: [
        { name: 'O3A', subject_transforms: [{ src: 'o3A.*', dest: 'all.a.{{wildcard(1)}}' }] },
        { name: 'O3B', filter_subject: 'o3B.yes' },
      ],
    });
    await js.publish('o3A.x', '1');
    await js.publish('o3B.no', '2');
    await js.publish('o3B.yes', '3');
    await eventually(async () => (await messagesOf('S3')) === 2, 'two messages');
    const { state } = await manager.streams.info('S3', { subjects_filter: '>' });
    expect(state.subjects).toEqual({ 'all.a.x': 1, 'o3B.yes': 1 });
    const message = await manager.streams.getMessage('S3', { last_by_subj: 'all.a.x' });
    expect(message?.header.get('Nats-Stream-Source')).toMatch(/^O3A 1 o3A\.\* all\.a\.\{\{wildcard\(1\)\}\} o3A\.x/);
  });

  it('refuses circles and contradictions', async () => {
    const { manager } = at();
    await manager.streams.add({ name: 'O4', subjects: ['o4'], storage });
    await manager.streams.add({ name: 'S4', sources: [{ name: 'O4' }], storage });
    await expect(manager.streams.update('O4', { sources: [{ name: 'S4' }] })).rejects.toMatchObject({
      message: 'detected cycle',
    });
    const mirror = { name: 'O4' };
    await expect(manager.streams.add({ name: 'M4', mirror, subjects: ['m4'], storage })).rejects.toMatchObject({
      code: 10034,
    });
    await manager.streams.add({ name: 'M4', mirror, storage });
    await expect(manager.streams.update('M4', { mirror: { name: 'S4' } })).rejects.toMatchObject({ code: 10055 });
  });

  it('tells those who go on with a stream which one it is', async () => {
    const { connection, manager } = at();
    await manager.streams.add({ name: 'O5', subjects: ['o5'], storage });
    const ask = async (identity: string) => {
      const config = { name: 'c', deliver_subject: 'to', ack_policy: 'none', direct: true };
      const asked = headers();
      asked.set('Nats-Stream-Identity', identity);
      const request = JSON.stringify({ stream_name: 'O5', config });
      const answer = await connection.request('$JS.API.CONSUMER.CREATE.O5', request, {
        timeout: 5_000,
        headers: asked,
      });
      const { error } = answer.json() as { error?: { err_code: number } };
      return { code: error?.err_code, identity: answer.headers?.get('Nats-Stream-Identity') };
    };
    const { identity } = await ask('');
    expect(identity).toMatch(/^[0-9A-Za-z]{8}$/);
    expect((await ask(identity!)).code).toBeUndefined();
    expect((await ask('another')).code).toBe(10225);
  });
});
