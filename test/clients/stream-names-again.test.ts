import { AckPolicy, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

const ROUNDS = 20;

/** Requests on one connection are at work side by side: a name that is given up may be asked for before its folder is gone. */
describe('a name that is asked for while what had it is being deleted', () => {
  const folder = tempFolder();
  let weir: Awaited<ReturnType<typeof startWeir>>;
  let connection: NatsConnection;
  let manager: JetStreamManager;

  async function start(): Promise<void> {
    weir = await startWeir(`jetstream { store_dir: ${JSON.stringify(folder.path)} }`);
    connection = await connect({ servers: weir.url, reconnect: false });
    manager = await jetstreamManager(connection);
  }

  async function stop(): Promise<void> {
    await connection.close();
    await weir.stop();
  }

  beforeEach(start);

  afterEach(async () => {
    await stop();
    folder.remove();
  });

  it('is the new consumer’s, also after a restart', async () => {
    await manager.streams.add({ name: 'S', subjects: ['s'] });
    const add = () => manager.consumers.add('S', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
    await add();
    for (let round = 0; round < ROUNDS; round++) {
      const [removed, added] = await Promise.all([manager.consumers.delete('S', 'c'), add()]);
      expect([removed, added.name]).toEqual([true, 'c']);
    }
    await stop();
    await start();
    expect((await manager.consumers.info('S', 'c')).name).toBe('c');
  });

  it('is nobody’s when a consumer was deleted while it was being made', async () => {
    await manager.streams.add({ name: 'S', subjects: ['s'] });
    for (let round = 0; round < ROUNDS; round++) {
      const durable = { durable_name: `c${round}`, ack_policy: AckPolicy.Explicit };
      await Promise.all([manager.consumers.add('S', durable), manager.consumers.delete('S', durable.durable_name)]);
    }
    await stop();
    await start();
    expect((await manager.streams.info('S')).state.consumer_count).toBe(0);
  });

  it('is the new stream’s, with what was published to it, also after a restart', async () => {
    const stream = { name: 'S', subjects: ['s'] };
    await manager.streams.add(stream);
    for (let round = 0; round < ROUNDS; round++) {
      const [removed] = await Promise.all([manager.streams.delete('S'), manager.streams.add(stream)]);
      expect(removed).toBe(true);
      await manager.jetstream().publish('s', String(round));
    }
    await stop();
    await start();
    expect((await manager.streams.info('S')).state).toMatchObject({ messages: 1, first_seq: 1, last_seq: 1 });
    expect((await manager.streams.getMessage('S', { seq: 1 }))?.string()).toBe(String(ROUNDS - 1));
  });
});
