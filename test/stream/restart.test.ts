import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { nodeDisk } from '../../src/storage/node-disk.js';
import { Store } from '../../src/storage/store.js';
import { folderName } from '../../src/stream/file-store.js';
import { startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually } from '../kit/wait.js';

describe('after a restart', () => {
  const folder = tempFolder();
  const stops: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
    folder.remove();
  });

  async function start() {
    const weir = await startWeir(`server_name: s\njetstream { store_dir: ${JSON.stringify(folder.path)} }`);
    const connection = await connect({ servers: weir.url, reconnect: false });
    stops.push(() => weir.stop());
    const stop = async () => {
      await connection.close();
      await weir.stop();
    };
    return { connection, js: jetstream(connection), manager: await jetstreamManager(connection), stop };
  }

  it('streams, messages, message ids and consumers are what they were', async () => {
    const before = await start();
    await before.manager.streams.add({
      ...{ name: 'R', subjects: ['r.>'], max_msgs: 100, metadata: { a: 'b' }, allow_msg_ttl: true },
      description: 'of before',
    });
    for (let i = 0; i < 10; i++) await before.js.publish(`r.${i % 3}`, String(i), { msgID: `id${i}` });
    await before.manager.streams.deleteMessage('R', 4);
    const expiring = headers();
    expiring.set('Nats-TTL', '2');
    await before.js.publish('r.ttl', '', { headers: expiring });
    await before.manager.consumers.add('R', { durable_name: 'c', ack_policy: AckPolicy.Explicit, max_ack_pending: 7 });
    await before.manager.consumers.add('R', {
      ...{ durable_name: 'last', ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.LastPerSubject },
      filter_subject: 'r.*',
    });
    const consumer = await before.js.consumers.get('R', 'c');
    await (await consumer.next())?.ackAck();
    await consumer.next();
    await (await (await before.js.consumers.get('R', 'last')).next())?.ackAck();
    const info = await before.manager.streams.info('R', { deleted_details: true, subjects_filter: '>' });
    const { created, delivered, ack_floor, config } = await before.manager.consumers.info('R', 'c');
    await before.stop();

    const after = await start();
    const again = await after.manager.streams.info('R', { deleted_details: true, subjects_filter: '>' });
    expect({ ...again, ts: '' }).toEqual({ ...info, ts: '' });
    const sameConsumer = await after.manager.consumers.info('R', 'c');
    expect(sameConsumer).toMatchObject({ created, config, num_ack_pending: 1, num_pending: 8 });
    expect([sameConsumer.delivered, sameConsumer.ack_floor]).toMatchObject([
      { consumer_seq: delivered.consumer_seq, stream_seq: delivered.stream_seq },
      { consumer_seq: ack_floor.consumer_seq, stream_seq: ack_floor.stream_seq },
    ]);
    expect(await after.js.publish('r.0', '', { msgID: 'id9' })).toMatchObject({ seq: 10, duplicate: true });
    const rest: number[] = [];
    const last = await after.js.consumers.get('R', 'last');
    expect((await last.info()).num_pending).toBe(3);
    for (let i = 0; i < 3; i++) rest.push((await last.next({ expires: 5_000 }))!.seq);
    expect(rest).toEqual([9, 10, 11]);
    const stored = async () => (await after.manager.streams.info('R')).state.messages;
    await eventually(async () => (await stored()) <= 9, 'what was acknowledged to go');
    expect(await stored()).toBe(9);
    await after.stop();
  });

  it('what was deleted stays away, and sources go on where they were', async () => {
    const before = await start();
    await before.manager.streams.add({ name: 'GONE', subjects: ['gone'] });
    await before.manager.streams.add({ name: 'O', subjects: ['o'] });
    await before.manager.streams.add({ name: 'S', sources: [{ name: 'O' }] });
    await before.manager.consumers.add('O', { durable_name: 'gone' });
    for (let i = 0; i < 5; i++) await before.js.publish('o', String(i));
    await before.manager.consumers.delete('O', 'gone');
    await before.manager.streams.delete('GONE');
    await before.stop();
    const after = await start();
    expect((await after.manager.streams.names().next()).sort()).toEqual(['O', 'S']);
    expect(await after.manager.consumers.list('O').next()).toEqual([]);
    await after.js.publish('o', '5');
    const state = async () => (await after.manager.streams.info('S')).state;
    await eventually(async () => (await state()).messages >= 6, 'the message from the source');
    expect(await state()).toMatchObject({ messages: 6, last_seq: 6 });
    await after.stop();
  });

  it('only one server may have the store', async () => {
    const second = () => startWeir(`jetstream { store_dir: ${JSON.stringify(folder.path)} }`);
    const first = await start();
    await expect(second()).rejects.toThrow(/cannot use the folder of plugins .*: another server uses it/);
    const store = { folder: join(folder.path, 'jetstream'), disk: nodeDisk, clock: systemClock };
    await expect(Store.open(store)).rejects.toThrow('another running process owns it');
    await first.stop();
    // Somebody else who is there before the server has only the streams.
    const other = await Store.open(store);
    await expect(second()).rejects.toThrow(/cannot use the store .*: another running process owns it/);
    await other.close();
    await (await start()).stop();
  });

  it('goes on with removing what is beyond limits that were lowered', async () => {
    const before = await start();
    await before.manager.streams.add({ name: 'L', subjects: ['l.*'] });
    for (let i = 0; i < 40; i++) await before.js.publish(`l.${i % 2}`, String(i));
    await before.stop();
    // As if the process had ended between the new configuration and the last message that had to go.
    const store = await Store.open({ disk: nodeDisk, clock: systemClock, folder: join(folder.path, 'jetstream') });
    const path = `${folderName('$G')}/streams/L`;
    const said = JSON.parse(Buffer.from((await store.readFile(`${path}/stream`)) as Uint8Array).toString());
    said.config.max_msgs_per_subject = 5;
    await store.writeFile(`${path}/stream`, Buffer.from(JSON.stringify(said)));
    await store.writeFile(`${path}/sweep`, Buffer.from('{}'));
    await store.close();
    const after = await start();
    await eventually(async () => (await after.manager.streams.info('L')).state.messages === 10, 'five of each');
    expect((await after.manager.streams.info('L')).state.first_seq).toBe(31);
    await after.stop();
    await eventually(async () => !existsSync(join(folder.path, 'jetstream', path, 'sweep')), 'the note to be removed');
  });

  it('whoever asks for a consumer hears of it before its first message', async () => {
    const { js, manager, stop, connection } = await start();
    await manager.streams.add({ name: 'F', subjects: ['f'], storage: StorageType.Memory });
    for (let i = 0; i < 5; i++) await js.publish('f', String(i));
    const heard: string[] = [];
    const hear = (what: string) => ({ callback: () => void heard.push(what) });
    connection.subscribe('to', hear('message'));
    connection.subscribe('answer', hear('answer'));
    const config = { deliver_subject: 'to', ack_policy: 'none' };
    const request = JSON.stringify({ stream_name: 'F', config });
    connection.publish('$JS.API.CONSUMER.CREATE.F', request, { reply: 'answer' });
    await eventually(async () => heard.length === 6, 'all of them');
    expect(heard[0]).toBe('answer');
    const [{ name }] = await manager.consumers.list('F').next();
    await expect(connection.request(`$JS.ACK.F.${name}.1.1.1.1700000000000000000.0`)).rejects.toThrow('no responders');
    await stop();
  });

  it('sources go on where they were, though nothing is left of what they brought', async () => {
    const before = await start();
    const messagesOf = async ({ manager }: typeof before) => (await manager.streams.info('T')).state.messages;
    await before.manager.streams.add({ name: 'O', subjects: ['o'] });
    await before.manager.streams.add({ name: 'T', sources: [{ name: 'O' }] });
    for (let i = 0; i < 3; i++) await before.js.publish('o', String(i));
    await eventually(async () => (await messagesOf(before)) === 3, 'what was published');
    await before.manager.streams.purge('T');
    await before.stop();
    const after = await start();
    await after.js.publish('o', 'new');
    await eventually(async () => (await messagesOf(after)) > 0, 'the new one');
    expect((await after.manager.streams.getMessage('T', { last_by_subj: 'o' }))?.string()).toBe('new');
    expect(await messagesOf(after)).toBe(1);

    // One that was deleted and made anew begins with 1 again.
    await after.manager.streams.delete('O');
    await after.manager.streams.add({ name: 'O', subjects: ['o'] });
    await after.js.publish('o', 'of another');
    await eventually(async () => (await messagesOf(after)) === 2, 'the message of another');
    await after.stop();
  });
});
