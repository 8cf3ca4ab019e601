// The client `nats` (version 2, which many programs still use) against a server on a real port.
import { type ConnectionOptions, connect, Empty, ErrorCode, headers, type NatsConnection, StringCodec } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startWeir } from '../kit/servers.js';
import { until } from '../kit/wait.js';

type Weir = Awaited<ReturnType<typeof startWeir>>;

const text = StringCodec();
let server: Weir;
const connections: NatsConnection[] = [];

async function client(options: ConnectionOptions = {}): Promise<NatsConnection> {
  connections.push(await connect({ servers: server.url, reconnect: false, ...options }));
  return connections.at(-1)!;
}

function gather(connection: NatsConnection, subject: string, queue?: string): string[] {
  const received: string[] = [];
  connection.subscribe(subject, {
    callback: (_, message) => void received.push(text.decode(message.data)),
    ...(queue !== undefined && { queue }),
  });
  return received;
}

afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await server.stop();
});

describe('an open server', () => {
  beforeEach(async () => {
    server = await startWeir();
  });

  it('delivers to plain, wildcard and queue subscribers', async () => {
    const connection = await client();
    const all = [gather(connection, 'a.b'), gather(connection, 'a.*'), gather(connection, '>', 'q')];
    const group = [gather(connection, 'a.>', 'r'), gather(connection, 'a.b', 'r')];
    for (let i = 0; i < 100; i++) connection.publish('a.b', text.encode(String(i)));
    await connection.flush();
    const expected = Array.from({ length: 100 }, (_, i) => String(i));
    expect(all).toEqual([expected, expected, expected]);
    expect([...group[0], ...group[1]].sort()).toEqual([...expected].sort());
  });

  it('carries headers', async () => {
    const connection = await client();
    const sent = headers();
    sent.append('a', 'b');
    connection.subscribe('h', { callback: (_, message) => void message.respond(Empty, { headers: message.headers! }) });
    const answer = await connection.request('h', Empty, { headers: sent, timeout: 2_000 });
    expect(answer.headers?.get('a')).toBe('b');
    expect(answer.data.length).toBe(0);
  });

  it('answers requests in both of the ways in which the client asks', async () => {
    const connection = await client();
    connection.subscribe('up', {
      callback: (_, message) => void message.respond(text.encode(text.decode(message.data).toUpperCase())),
    });
    for (const noMux of [false, true]) {
      const answer = await connection.request('up', text.encode('hi'), { timeout: 2_000, noMux });
      expect(text.decode(answer.data)).toBe('HI');
      await expect(connection.request('nobody', Empty, { timeout: 2_000, noMux })).rejects.toMatchObject({
        code: ErrorCode.NoResponders,
      });
    }
  });

  it('drains', async () => {
    const [publisher, subscriber] = [await client(), await client()];
    const received = gather(subscriber, 'd');
    await subscriber.flush();
    for (let i = 0; i < 500; i++) publisher.publish('d');
    await publisher.flush();
    await subscriber.drain();
    expect(received.length).toBe(500);
  });

  it('ends a subscription after its maximum, also when the maximum comes late', async () => {
    const connection = await client();
    const received: string[] = [];
    const subscription = connection.subscribe('m', { callback: (_, message) => void received.push(message.subject) });
    for (let i = 0; i < 5; i++) connection.publish('m');
    await connection.flush();
    subscription.unsubscribe(7);
    for (let i = 0; i < 5; i++) connection.publish('m');
    await subscription.closed;
    await connection.flush();
    expect(received.length).toBe(7);
  });

  it('is found again on the same port', async () => {
    const connection = await client({ reconnect: true, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
    const received = gather(connection, 'again');
    await connection.flush();
    const events: string[] = [];
    void (async () => {
      for await (const status of connection.status()) events.push(status.type);
    })();
    const { port } = server.address;
    await server.stop();
    await until(() => events.includes('disconnect'), 'the client to notice');
    server = await startWeir(`port: ${port}`);
    await until(() => events.includes('reconnect'), 'the client to come back');
    connection.publish('again', text.encode('x'));
    await connection.flush();
    expect(received).toEqual(['x']);
  });
});

describe('a server with users', () => {
  beforeEach(async () => {
    server = await startWeir(`authorization { users [
      { user: "ann", password: "p", permissions: { publish: "ok", subscribe: "ok" } } ] }`);
  });

  it('refuses who is not known', async () => {
    await expect(client({ user: 'ann', pass: 'x' })).rejects.toMatchObject({ code: ErrorCode.AuthorizationViolation });
    await expect(client()).rejects.toMatchObject({ code: ErrorCode.AuthorizationViolation });
  });

  it('says what may not be subscribed to, and goes on', async () => {
    const connection = await client({ user: 'ann', pass: 'p' });
    const refused = new Promise<unknown>((resolve) => {
      connection.subscribe('no', { callback: (error) => resolve(error) });
    });
    expect(await refused).toMatchObject({ code: ErrorCode.PermissionsViolation });
    const received = gather(connection, 'ok');
    connection.publish('ok', text.encode('x'));
    await connection.flush();
    expect(received).toEqual(['x']);
  });
});
