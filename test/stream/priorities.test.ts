import { AckPolicy, type PriorityPolicy } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { until } from '../kit/wait.js';
import { describeStreams } from './servers.js';

describeStreams('priority groups', (at, storage) => {
  let last = 0;

  async function consumer(name: string, policy: string, options: object = {}): Promise<void> {
    const { manager } = at();
    await manager.streams.add({ name, subjects: [`${name}.>`], storage });
    await manager.consumers.add(name, {
      ...{
        durable_name: 'c',
        ack_policy: AckPolicy.Explicit,
        priority_groups: ['g'],
        priority_policy: policy as PriorityPolicy,
      },
      ...options,
    });
  }

  /** Asks for messages; gathers what comes. */
  function pull(name: string, request: object): Msg[] {
    const { connection } = at();
    const answers: Msg[] = [];
    const inbox = `_INBOX.priorities.${++last}`;
    connection.subscribe(inbox, { callback: (_, message) => void answers.push(message) });
    const payload = JSON.stringify({ group: 'g', expires: 20e9, ...request });
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${name}.c`, payload, { reply: inbox });
    return answers;
  }

  async function publish(name: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await at().js.publish(`${name}.x`, String(i));
  }

  const texts = (answers: Msg[]) => answers.map((message) => message.headers?.description || message.string());

  it('overflow: some only get what is too much for others', async () => {
    await consumer('OV', 'overflow');
    const helper = pull('OV', { batch: 5, min_pending: 3 });
    await publish('OV', 2);
    const worker = pull('OV', { batch: 1 });
    await until(() => worker.length === 1, 'the worker to get one', 10_000);
    expect(texts(worker)).toEqual(['0']);
    expect(helper).toEqual([]);
    await publish('OV', 3);
    await until(() => helper.length >= 1, 'the helper to get some', 10_000);
    expect(texts(helper)[0]).toBe('1');
  });

  it('pinned: another gets what waits as soon as the time of the pinned one is over', async () => {
    await consumer('PT', 'pinned_client', { priority_timeout: 1e9 });
    const first = pull('PT', { batch: 1 });
    const second = pull('PT', { batch: 2 });
    await at().connection.flush();
    await publish('PT', 2);
    await until(() => first.length === 1, 'the pinned client to get one', 10_000);
    expect(second).toEqual([]);
    await until(() => second.length === 1, 'the other one to get what is left', 10_000);
    expect(texts(second)).toEqual(['1']);
  });

  it('pinned: one gets everything as long as it asks', async () => {
    await consumer('PIN', 'pinned_client', { priority_timeout: 60e9 });
    const first = pull('PIN', { batch: 2 });
    const second = pull('PIN', { batch: 10 });
    await at().connection.flush();
    await publish('PIN', 3);
    await until(() => first.length === 2, 'the pinned client to get two', 10_000);
    expect(second).toEqual([]);
    const id = first[0].headers!.get('Nats-Pin-Id');
    expect(id).toMatch(/^\w{22}$/);
    const { priority_groups } = (await at().manager.consumers.info('PIN', 'c')) as { priority_groups?: object[] };
    expect(priority_groups).toMatchObject([{ group: 'g', pinned_client_id: id }]);
    const wrong = pull('PIN', { batch: 1, id: 'someone-else' });
    await until(() => wrong.length === 1, 'the refusal', 10_000);
    expect([wrong[0].headers?.code, wrong[0].headers?.description]).toEqual([423, 'Nats-Pin-Id mismatch']);
    const again = pull('PIN', { batch: 1, id });
    await until(() => again.length === 1, 'the next one', 10_000);
    expect(texts(again)).toEqual(['2']);
    await at().manager.consumers.unpin('PIN', 'c', 'g');
    await publish('PIN', 1);
    await until(() => second.length === 1, 'the other client to be pinned', 10_000);
    expect(second[0].headers!.get('Nats-Pin-Id')).not.toBe(id);
  });

  it('prioritized: lower numbers come first', async () => {
    await consumer('PR', 'prioritized');
    const later = pull('PR', { batch: 2, priority: 2 });
    await at().connection.flush();
    const sooner = pull('PR', { batch: 2, priority: 1 });
    await at().connection.flush();
    await publish('PR', 3);
    await until(() => later.length === 1, 'all three', 10_000);
    expect([texts(sooner), texts(later)]).toEqual([['0', '1'], ['2']]);
  });
});
