import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from '../kit/raw-client.js';
import { startWeir } from '../kit/servers.js';
import { until } from '../kit/wait.js';

type Weir = Awaited<ReturnType<typeof startWeir>>;

const MEGABYTE = 1024 * 1024;
const PAYLOAD_BYTES = 16 * 1024;
const BLOCK_MESSAGES = 16;
/** Many messages in one piece, so that a publisher is fast. */
const block = Buffer.concat(
  Array.from({ length: BLOCK_MESSAGES }, () =>
    Buffer.concat([
      Buffer.from(`PUB slow.x ${PAYLOAD_BYTES}\r\n`),
      Buffer.alloc(PAYLOAD_BYTES, 'x'),
      Buffer.from('\r\n'),
    ]),
  ),
);
const messageBytes = Buffer.byteLength(`MSG slow.x 1 ${PAYLOAD_BYTES}\r\n`) + PAYLOAD_BYTES + 2;

/** A subscriber whose socket is not read: the server's bytes pile up. */
async function deafSubscriber(server: Weir): Promise<RawClient> {
  const client = await RawClient.connected(server.address);
  client.send('SUB slow.> 1\r\n');
  await client.expectQuiet();
  client.socket.pause();
  return client;
}

/** Publishes block after block while `more` says so; answers how many went out whole. */
async function publishWhile(publisher: RawClient, more: () => boolean): Promise<number> {
  let blocks = 0;
  while (more()) {
    let taken = false;
    void publisher.sendAndFlush(block).then(() => {
      taken = true;
      blocks++;
    });
    await until(() => taken || !more(), 'the publisher to go on', 15_000);
  }
  return blocks;
}

describe('a subscriber that does not keep up', () => {
  let server: Weir;
  const clients: RawClient[] = [];
  const track = async (client: Promise<RawClient>) => {
    clients.push(await client);
    return clients.at(-1)!;
  };

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await server.stop();
  });

  it('is closed when more than the limit is waiting, without a word; others go on', async () => {
    server = await startWeir(`max_pending: ${MEGABYTE}`);
    const { door } = server.server;
    const deaf = await track(deafSubscriber(server));
    const good = await track(RawClient.connected(server.address));
    const publisher = await track(RawClient.connected(server.address));
    let goodBytes = 0;
    good.send('SUB slow.> 1\r\n');
    await good.expectQuiet();
    good.socket.removeAllListeners('data');
    good.socket.on('data', (chunk) => {
      goodBytes += chunk.length;
    });

    const blocks = await publishWhile(publisher, () => door.slowConsumers === 0);
    expect(door.slowConsumers).toBe(1);
    expect(door.trafficByAccount().get('$G')!.slowConsumers).toBe(1);
    expect([...door.closedConnections.entries()].map((record) => record.reason)).toEqual([
      'Slow Consumer (Pending Bytes)',
    ]);
    await until(
      () => goodBytes >= (blocks - 1) * BLOCK_MESSAGES * messageBytes,
      'the other subscriber to get everything',
    );

    // All that the deaf one got are whole messages and then the end of the connection: no -ERR.
    deaf.socket.resume();
    expect(await deaf.rest()).not.toContain('-ERR');
  });

  it('is closed when the kernel takes nothing for longer than the write deadline', async () => {
    server = await startWeir('write_deadline: "300ms"');
    const { door } = server.server;
    await track(deafSubscriber(server));
    const publisher = await track(RawClient.connected(server.address));
    // More than the kernel's buffers hold, far less than the pending limit.
    await publishWhile(publisher, () => Math.max(...pendingOf(server)) < MEGABYTE);
    await until(() => door.slowConsumers === 1, 'the slow consumer to be found');
    expect([...door.closedConnections.entries()].map((record) => record.reason)).toEqual([
      'Slow Consumer (Write Deadline)',
    ]);
    await publisher.expectQuiet();
  });

  it('holds back its publisher: what waits stays bounded, and everything arrives in the end', async () => {
    server = await startWeir();
    const { door } = server.server;
    const subscriber = await track(deafSubscriber(server));
    const publisher = await track(RawClient.connected(server.address));
    let largest = 0;
    const endsMs = Date.now() + 15_000;
    const blocks = await publishWhile(publisher, () => {
      largest = Math.max(largest, ...pendingOf(server));
      return door.traffic().stalls < 40 && Date.now() < endsMs;
    });
    expect(door.traffic().stalls).toBeGreaterThanOrEqual(40);
    // From eight megabytes on the publisher is read only every ten milliseconds: half a gigabyte a second becomes some six megabytes.
    expect(largest).toBeLessThan(20 * MEGABYTE);
    let received = subscriber.unread.length;
    subscriber.socket.removeAllListeners('data');
    subscriber.socket.on('data', (chunk) => {
      received += chunk.length;
    });
    subscriber.socket.resume();
    await until(() => received >= blocks * BLOCK_MESSAGES * messageBytes, 'everything to arrive', 15_000);
    expect(door.slowConsumers).toBe(0);
  });

  it('does not hold back those who publish elsewhere', async () => {
    server = await startWeir();
    await track(deafSubscriber(server));
    const busy = await track(RawClient.connected(server.address));
    await publishWhile(busy, () => server.server.door.traffic().stalls === 0);
    const other = await track(RawClient.connected(server.address));
    other.send('SUB other 1\r\n');
    for (let i = 0; i < 20; i++) {
      other.send('PUB other 2\r\nhi\r\n');
      await other.expect('MSG other 1 2\r\nhi\r\n', 1_000);
    }
  });

  it('holds nobody back when the configuration says so', async () => {
    server = await startWeir('no_fast_producer_stall: true\nmax_pending: 16MB');
    const { door } = server.server;
    await track(deafSubscriber(server));
    const publisher = await track(RawClient.connected(server.address));
    await publishWhile(publisher, () => door.slowConsumers === 0);
    expect(door.traffic().stalls).toBe(0);
  });
});

function pendingOf(server: Weir): number[] {
  return [0, ...Array.from(server.server.door.sessions.values(), (session) => session.outbound.pendingBytes)];
}
