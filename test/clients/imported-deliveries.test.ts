import { AckPolicy, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startWeir } from '../kit/servers.js';
import { until } from '../kit/wait.js';

const ACCOUNTS = `accounts {
  OWNER { users: [{ user: owner, password: p }], jetstream: enabled, exports: [{ stream: "out.>" }] }
  GUEST {
    users: [{ user: guest, password: p }]
    imports: [{ stream: { account: OWNER, subject: "out.>" }, prefix: "from.owner" }]
    exports: [{ stream: "from.owner.>" }]
  }
  FAR { users: [{ user: far, password: p }], imports: [{ stream: { account: GUEST, subject: "from.owner.>" } }] }
}`;

/** A push consumer's subject that only another account imports: somebody listens there, or nobody does. */
describe('deliveries to another account', () => {
  let weir: Awaited<ReturnType<typeof startWeir>>;
  const connections: NatsConnection[] = [];

  beforeEach(async () => {
    weir = await startWeir(`jetstream: enabled\n${ACCOUNTS}`);
  });

  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connection) => connection.close()));
    await weir.stop();
  });

  async function as(user: string): Promise<NatsConnection> {
    const connection = await connect({ servers: weir.url, user, pass: 'p', reconnect: false });
    connections.push(connection);
    return connection;
  }

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

  it.each(['guest', 'far'])('wait for %s to listen, and go on when it does again', async (user) => {
    const owner = await as('owner');
    const { manager, state } = await consumerInto(owner, 'out.x');
    expect(await state()).toEqual({ num_pending: 2, push_bound: false });

    const listener = await as(user);
    const seen: string[] = [];
    const take = () => listener.subscribe('from.owner.out.*', { callback: (_, m) => void seen.push(m.string()) });
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
});
