import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { AckPolicy, jetstreamManager } from '@nats-io/jetstream';
import { createInbox, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { as } from '../kit/connections.js';
import { judged } from '../kit/judged.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually, until } from '../kit/wait.js';

const ACCOUNTS = `accounts {
  OWNER {
    users: [{ user: owner, password: p }], jetstream: enabled
    exports: [
      { stream: "out.>" }
      { service: "$JS.API.CONSUMER.>", response_type: stream }
      { service: "$JS.ACK.>" }
    ]
  }
  GUEST {
    users: [{ user: guest, password: p }]
    imports: [
      { stream: { account: OWNER, subject: "out.>" }, prefix: "from.owner" }
      { service: { account: OWNER, subject: "$JS.API.CONSUMER.>" }, to: "owner.API.CONSUMER.>" }
      { service: { account: OWNER, subject: "$JS.ACK.>" } }
    ]
  }
}`;

/** A push consumer's subject that only another account imports: somebody listens there, or nobody does. */
judged('deliveries to another account', (start) => {
  let url = '';
  const folder = tempFolder();
  afterAll(() => folder.remove());

  beforeEach(async () => {
    const house = mkdtempSync(join(folder.path, 'streams-'));
    ({ url } = await start(`jetstream { store_dir: ${JSON.stringify(house)} }\n${ACCOUNTS}`));
  });

  async function consumerInto(connection: NatsConnection, subject: string) {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'S', subjects: ['in'], storage: 'memory' });
    for (const text of ['a', 'b']) await manager.jetstream().publish('in', text);
    await manager.consumers.add('S', { durable_name: 'c', deliver_subject: subject, ack_policy: AckPolicy.None });
    const state = async () => {
      const { num_pending, push_bound = false } = await manager.consumers.info('S', 'c');
      return { num_pending, push_bound };
    };
    return { manager, state };
  }

  it('wait for somebody to listen, and go on when somebody does again', async () => {
    const owner = await as(url, 'owner');
    const { manager, state } = await consumerInto(owner, 'out.x');
    expect(await state()).toEqual({ num_pending: 2, push_bound: false });

    const listener = await as(url, 'guest');
    const seen: string[] = [];
    const take = () => listener.subscribe('from.owner.out.x', { callback: (_, m) => void seen.push(m.string()) });
    const first = take();
    await until(() => seen.length === 2, 'what was stored before', 10_000);
    expect(await state()).toEqual({ num_pending: 0, push_bound: true });
    first.unsubscribe();
    await listener.flush();
    await manager.jetstream().publish('in', 'c');
    expect(await state()).toEqual({ num_pending: 1, push_bound: false });
    take();
    await until(() => seen.length === 3, 'what was stored meanwhile', 10_000);
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('are pulled from there, and acknowledged', async () => {
    const manager = await jetstreamManager(await as(url, 'owner'));
    await manager.streams.add({ name: 'S', subjects: ['in'], storage: 'memory' });
    await manager.consumers.add('S', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
    for (const text of ['a', 'b', 'c', 'd']) await manager.jetstream().publish('in', text);
    const guest = await as(url, 'guest');
    const inbox = createInbox();
    const seen: string[] = [];
    guest.subscribe(inbox, {
      callback: (_, message) => {
        const { headers } = message;
        seen.push(headers === undefined ? `${message.subject} ${message.string()}` : `${headers.code}`);
        if (headers === undefined) message.respond('+ACK');
      },
    });
    const pull = (request: object) =>
      guest.publish('owner.API.CONSUMER.MSG.NEXT.S.c', JSON.stringify(request), { reply: inbox });
    pull({ batch: 3 });
    await until(() => seen.length === 3, 'a batch', 10_000);
    pull({ batch: 3, no_wait: true });
    await until(() => seen.length === 5, 'what is left, and the end of it', 10_000);
    expect(seen).toEqual(['in a', 'in b', 'in c', 'in d', '404']);
    const left = async () => (await manager.consumers.info('S', 'c')).num_ack_pending;
    await eventually(async () => (await left()) === 0, 'all to be acknowledged');
  });
});
