import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

describe('monitoring of streams', () => {
  const folder = tempFolder();
  let weir: Awaited<ReturnType<typeof startWeir>>;
  let connection: NatsConnection;
  let manager: JetStreamManager;

  beforeAll(async () => {
    weir = await startWeir(
      `http: "127.0.0.1:-1"\njetstream { store_dir: ${JSON.stringify(folder.path)}, max_mem: 1M }`,
    );
    connection = await connect({ servers: weir.url });
    manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'M', subjects: ['m.>'] });
    await manager.consumers.add('M', { durable_name: 'c' });
    await connection.request('m.1', 'hello');
  });
  afterAll(async () => {
    await connection.close();
    await weir.stop();
    folder.remove();
  });

  async function get(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${weir.server.urls.monitoring![0]}${path}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  it('/jsz: figures, and on request all of it', async () => {
    const { body } = await get('/jsz');
    expect(body).toMatchObject({ accounts: 1, streams: 1, consumers: 1, messages: 1, total: 1, memory: 0 });
    expect(body.config).toMatchObject({ max_memory: 1_000_000, strict: true, sync_always: true });
    expect(body.account_details).toBeUndefined();
    const all = (await get('/jsz?consumers=true&config=true')).body.account_details as object[];
    expect(all).toMatchObject([
      {
        name: '$G',
        stream_detail: [{ name: 'M', config: { subjects: ['m.>'] }, consumer_detail: [{ name: 'c', num_pending: 1 }] }],
      },
    ]);
  });

  it('/varz and /accountz', async () => {
    expect((await get('/varz')).body.jetstream).toMatchObject({
      config: { max_memory: 1_000_000 },
      stats: { accounts: 1 },
    });
    expect((await get('/accountz?acc=$G')).body.account_detail).toMatchObject({ jetstream_enabled: true });
  });

  it('/healthz: is well, and knows what is not there', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, body: { status: 'ok' } });
    expect((await get('/healthz?account=$G&stream=M&consumer=c')).status).toBe(200);
    const missing = async (query: string) => {
      const { status, body } = await get(`/healthz?${query}`);
      return [status, body.status, body.error];
    };
    expect(await missing('account=X')).toEqual([404, 'unavailable', 'JetStream account "X" not found']);
    expect(await missing('account=$G&stream=N')).toEqual([
      ...[404, 'unavailable', 'JetStream stream "N" not found on account "$G"'],
    ]);
    expect(await missing('account=$G&stream=M&consumer=d')).toEqual([
      ...[404, 'unavailable', 'JetStream consumer "d" not found for stream "M" on account "$G"'],
    ]);
    const { body } = await get('/healthz?account=$G&stream=N&details=true');
    expect(body).toMatchObject({ status: 'error', errors: [{ type: 'STREAM', account: '$G', stream: 'N' }] });
  });

  it('INFO says that there are streams', () => {
    expect(connection.info).toMatchObject({ jetstream: true, api_lvl: 5 });
  });
});
