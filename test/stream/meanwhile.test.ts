// What requests are at work on goes away before they are done.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { archiveEntry, archiveHead } from '../../src/stream/archive.js';
import { s2Chunks, s2Head } from '../../src/stream/s2.js';
import { as } from '../kit/connections.js';
import { startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

const TIMEOUT_MS = 10_000;
const NOTHING = new Uint8Array(0);

async function start(account: string) {
  const folder = tempFolder();
  const config = (more: string) =>
    `jetstream { store_dir: ${JSON.stringify(folder.path)} }\naccounts { A { ${more} users: [{ user: a, password: p }] } }`;
  const weir = await startWeir(config(account));
  onTestFinished(async () => {
    await weir.stop();
    folder.remove();
  });
  const reload = (more: string) => weir.reload(config(more));
  return { reload, connection: await as(weir.url, 'a'), streams: join(folder.path, 'jetstream', 'A', 'streams') };
}

interface Answer {
  error?: { err_code: number; description: string };
  deliver_subject: string;
}

async function ask(connection: NatsConnection, subject: string, body: object | Uint8Array): Promise<Answer> {
  const payload = body instanceof Uint8Array ? body : JSON.stringify(body);
  const { data } = await connection.request(subject, payload, { timeout: TIMEOUT_MS });
  return data.length === 0 ? { deliver_subject: '' } : JSON.parse(Buffer.from(data).toString());
}

describe('a stream that is deleted while it is changed', () => {
  it.each(['memory', 'file'])('is gone (%s)', async (storage) => {
    const { connection, streams } = await start('jetstream: enabled,');
    const config = { name: 'S', subjects: ['s'], retention: 'limits', storage };
    await ask(connection, '$JS.API.STREAM.CREATE.S', { ...config, max_msgs: 100 });
    const [changed, deleted] = await Promise.all([
      ask(connection, '$JS.API.STREAM.UPDATE.S', { ...config, max_msgs: 10 }),
      ask(connection, '$JS.API.STREAM.DELETE.S', NOTHING),
    ]);
    expect([changed.error?.description, deleted.error]).toEqual(['stream not found', undefined]);
    await expect(connection.request('s', '', { timeout: TIMEOUT_MS })).rejects.toThrow(/no responders/i);
    expect(existsSync(join(streams, 'S'))).toBe(false);
  });
});

describe('a consumer that is deleted while it is changed', () => {
  it.each(['memory', 'file'])('is gone (%s)', async (storage) => {
    const { connection } = await start('jetstream: enabled,');
    await ask(connection, '$JS.API.STREAM.CREATE.S', { name: 'S', subjects: ['s'], retention: 'limits', storage });
    const wish = (deliver_subject: string) => ({
      stream_name: 'S',
      config: { durable_name: 'c', deliver_subject, ack_policy: 'none' },
    });
    const create = '$JS.API.CONSUMER.DURABLE.CREATE.S.c';
    expect((await ask(connection, create, wish('nobody'))).error).toBeUndefined();
    const [changed, deleted] = await Promise.all([
      ask(connection, create, wish('somebody')),
      ask(connection, '$JS.API.CONSUMER.DELETE.S.c', NOTHING),
    ]);
    expect([changed.error?.description, deleted.error]).toEqual(['consumer not found', undefined]);
    const { error } = await ask(connection, '$JS.API.CONSUMER.INFO.S.c', NOTHING);
    expect(error?.description).toBe('consumer not found');
    expect((await ask(connection, create, wish('somebody'))).error).toBeUndefined();
  });
});

describe('a stream that is being restored when its account may have none any more', () => {
  const entry = (name: string, payload: string) =>
    archiveEntry({
      ...{ name: Buffer.from(name), timeMs: 0, timeNs: 0, sequence: 0, headers: NOTHING },
      payload: Buffer.from(payload),
    });
  const head = Buffer.concat([
    s2Head(),
    s2Chunks(Buffer.concat([archiveHead(), entry('state.json', '{"first_seq":1,"last_seq":0}')])),
  ]);
  const end = s2Chunks(entry('', ''));

  it.each(['its end comes', 'the rest comes'])('is given up, when %s later', async (what) => {
    const { connection, reload } = await start('jetstream: enabled,');
    const begin = async () => {
      const config = { name: 'S', subjects: ['s'], storage: 'file' };
      const answer = await ask(connection, '$JS.API.STREAM.RESTORE.S', { config, state: {} });
      expect(answer.error).toBeUndefined();
      return (chunk: Uint8Array) => ask(connection, answer.deliver_subject, chunk);
    };
    const send = await begin();
    await send(head);
    if (what === 'its end comes') await send(end);
    await reload('');
    await reload('jetstream: enabled,');
    await expect(send(what === 'its end comes' ? NOTHING : end)).rejects.toThrow(/no responders/i);
    const manager = await jetstreamManager(connection);
    expect(await manager.streams.names().next()).toEqual([]);
    const again = await begin();
    for (const chunk of [head, end, NOTHING]) expect((await again(chunk)).error).toBeUndefined();
    expect((await manager.streams.info('S')).config.subjects).toEqual(['s']);
  });
});
