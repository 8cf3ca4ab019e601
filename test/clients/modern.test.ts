// The client `@nats-io/transport-node` as its users use it, against a server on a real port.
import {
  type ConnectionOptions,
  connect,
  createInbox,
  Empty,
  headers,
  type Msg,
  type NatsConnection,
  PermissionViolationError,
} from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startWeir } from '../kit/servers.js';
import { until } from '../kit/wait.js';

type Weir = Awaited<ReturnType<typeof startWeir>>;

let server: Weir;
const connections: NatsConnection[] = [];

async function start(config = ''): Promise<void> {
  server = await startWeir(config);
}

async function client(options: ConnectionOptions = {}): Promise<NatsConnection> {
  connections.push(await connect({ servers: server.url, reconnect: false, ...options }));
  return connections.at(-1)!;
}

/** Subscribes and gathers what comes as text. */
function gather(connection: NatsConnection, subject: string, queue?: string): string[] {
  const received: string[] = [];
  const callback = (error: Error | null, message: Msg) => void received.push(error?.message ?? message.string());
  connection.subscribe(subject, { callback, ...(queue !== undefined && { queue }) });
  return received;
}

afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await server.stop();
});

describe('publish and subscribe', () => {
  beforeEach(() => start());

  it('carries text, bytes, nothing, and a megabyte', async () => {
    const connection = await client();
    const received: Uint8Array[] = [];
    connection.subscribe('a.>', { callback: (_, message) => void received.push(message.data.slice()) });
    const megabyte = new Uint8Array(1024 * 1024).map((_, i) => i * 13);
    const sent = [Buffer.from('text'), Uint8Array.of(0, 255, 10, 13), Empty, megabyte];
    for (const [i, payload] of sent.entries()) connection.publish(`a.${i}`, payload);
    await connection.flush();
    expect(received.map((bytes) => Buffer.from(bytes))).toEqual(sent.map((bytes) => Buffer.from(bytes)));
  });

  it('keeps the order of many messages', async () => {
    const [publisher, subscriber] = [await client(), await client()];
    const received = gather(subscriber, 'order.*');
    await subscriber.flush();
    for (let i = 0; i < 20_000; i++) publisher.publish(`order.${i % 7}`, String(i));
    await publisher.flush();
    await until(() => received.length === 20_000, 'all messages');
    expect(received).toEqual(Array.from({ length: 20_000 }, (_, i) => String(i)));
  });

  it('shares a queue group and gives everybody else everything', async () => {
    const [publisher, one, two] = [await client(), await client(), await client()];
    const shared = [gather(one, 'q.*', 'workers'), gather(two, 'q.*', 'workers')];
    const all = gather(two, 'q.a');
    await Promise.all([one.flush(), two.flush()]);
    for (let i = 0; i < 200; i++) publisher.publish('q.a', String(i));
    await publisher.flush();
    await until(() => shared[0].length + shared[1].length === 200 && all.length === 200, 'all messages');
    expect(Math.min(shared[0].length, shared[1].length)).toBeGreaterThan(40);
    expect(new Set([...shared[0], ...shared[1]]).size).toBe(200);
  });

  it('ends a subscription after its maximum', async () => {
    const connection = await client();
    const subscription = connection.subscribe('max', { max: 3 });
    for (let i = 0; i < 10; i++) connection.publish('max', String(i));
    const received: string[] = [];
    for await (const message of subscription) received.push(message.string());
    expect(received).toEqual(['0', '1', '2']);
    expect(server.server.account.subscriptions).toBe(1); // the server's own API
  });

  it('carries headers, several values of one name, and leaves them away for who does not know them', async () => {
    const connection = await client();
    const sent = headers();
    sent.append('Key', 'one');
    sent.append('Key', 'two');
    sent.set('Other', 'ü = ∞');
    const arrived = new Promise<Msg>((resolve) => {
      connection.subscribe('h', { callback: (_, message) => resolve(message) });
    });
    connection.publish('h', 'payload', { headers: sent });
    const message = await arrived;
    expect(message.headers?.values('Key')).toEqual(['one', 'two']);
    expect(message.headers?.get('Other')).toBe('ü = ∞');
    expect(message.string()).toBe('payload');
  });

  it('does not send a client its own messages when it says noEcho', async () => {
    const [mute, other] = [await client({ noEcho: true }), await client()];
    const own = gather(mute, 'echo');
    await mute.flush();
    mute.publish('echo', 'mine');
    await mute.flush();
    other.publish('echo', 'yours');
    await other.flush();
    await mute.flush();
    expect(own).toEqual(['yours']);
  });

  it('tells the round trip time, and what the server is', async () => {
    const connection = await client();
    expect(await connection.rtt()).toBeLessThan(1_000);
    expect(connection.info).toMatchObject({ headers: true, proto: 1, max_payload: 1024 * 1024, client_id: 1 });
    expect(connection.info?.version).toMatch(/^2\.\d+\.\d+$/);
  });

  it.each([{ verbose: true }, { pedantic: true }, { verbose: true, pedantic: true }])('works with %j', async (mode) => {
    const connection = await client(mode);
    const received = gather(connection, 'mode');
    connection.publish('mode', 'x');
    await connection.flush();
    expect(received).toEqual(['x']);
    connection.subscribe('service', { callback: (_, message) => void message.respond('y') });
    expect((await connection.request('service')).string()).toBe('y');
  });
});

describe('requests', () => {
  beforeEach(() => start());

  it('are answered, one at a time and a thousand at once', async () => {
    const [service, connection] = [await client(), await client()];
    service.subscribe('echo', { callback: (_, message) => void message.respond(message.data) });
    await service.flush();
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => connection.request('echo', String(i))));
    expect(answers.map((answer) => answer.string())).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i)));
  });

  it('without anybody to answer fail at once', async () => {
    const connection = await client();
    await expect(connection.request('nobody', '', { timeout: 5_000 })).rejects.toThrow(/no responders/i);
    const own = { timeout: 5_000, noMux: true, reply: createInbox() };
    await expect(connection.request('nobody', '', own)).rejects.toThrow(/no responders/i);
  });

  it('time out when nobody answers', async () => {
    const connection = await client();
    gather(connection, 'silent');
    await expect(connection.request('silent', '', { timeout: 100 })).rejects.toThrow(/timeout/i);
  });

  it('for many answers end by count, by a pause, by time or by an empty answer', async () => {
    const [service, connection] = [await client(), await client()];
    const callback = (_: unknown, message: Msg) => {
      for (const part of ['1', '2', '3']) message.respond(part);
      message.respond(Empty);
    };
    service.subscribe('many', { callback });
    await service.flush();
    const ask = async (options: object) => {
      const answers: string[] = [];
      for await (const answer of await connection.requestMany('many', '', options)) answers.push(answer.string());
      return answers;
    };
    expect(await ask({ strategy: 'count', maxMessages: 2, maxWait: 2_000 })).toEqual(['1', '2']);
    expect(await ask({ strategy: 'sentinel', maxWait: 2_000 })).toEqual(['1', '2', '3', '']);
    expect(await ask({ strategy: 'stall', stall: 100, maxWait: 2_000 })).toEqual(['1', '2', '3', '']);
    expect(await ask({ strategy: 'timer', maxWait: 200 })).toEqual(['1', '2', '3', '']);
  });

  it('for many answers fail when nobody listens', async () => {
    const connection = await client();
    const ask = async () => {
      for await (const answer of await connection.requestMany('nobody', '', { maxWait: 1_000 }))
        expect(answer).toBeNull();
    };
    await expect(ask()).rejects.toThrow(/no responders/i);
  });
});

describe('the end of things', () => {
  beforeEach(() => start());

  it('drains a subscription: what was sent before is still handled', async () => {
    const [publisher, subscriber] = [await client(), await client()];
    const received: string[] = [];
    const subscription = subscriber.subscribe('drain', {
      callback: (_, message) => void received.push(message.string()),
    });
    await subscriber.flush();
    for (let i = 0; i < 1_000; i++) publisher.publish('drain', String(i));
    await publisher.flush();
    await subscription.drain();
    const drained = received.length;
    expect(drained).toBe(1_000);
    publisher.publish('drain', 'late');
    await publisher.flush();
    await subscriber.flush();
    expect(received.length).toBe(drained);
  });

  it('drains a connection', async () => {
    const [publisher, subscriber] = [await client(), await client()];
    const received = gather(subscriber, 'drain');
    await subscriber.flush();
    for (let i = 0; i < 1_000; i++) publisher.publish('drain', String(i));
    await publisher.flush();
    await subscriber.drain();
    expect(subscriber.isClosed()).toBe(true);
    expect(received.length).toBe(1_000);
    await until(() => server.server.door.sessions.size === 1, 'the connection to be gone');
  });

  it('closes', async () => {
    const connection = await client();
    gather(connection, 'a');
    await connection.flush();
    await connection.close();
    expect(await connection.closed()).toBeUndefined();
    await until(() => server.server.account.subscriptions === 1, 'the subscription to be gone');
  });

  it('reconnects to a server that came again on the same port, and goes on', async () => {
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
    await start(`port: ${port}`);
    await until(() => events.includes('reconnect'), 'the client to come back');
    connection.publish('again', 'here');
    await connection.flush();
    expect(received).toEqual(['here']);
  });

  it('hears of lame duck mode', async () => {
    await server.stop();
    await start('lame_duck_duration: "30s"\nlame_duck_grace_period: "10ms"');
    const connection = await client();
    const events: string[] = [];
    void (async () => {
      for await (const status of connection.status()) events.push(status.type);
    })();
    await connection.flush();
    server.lameDuck();
    await connection.closed();
    expect(events).toContain('ldm');
  });
});

describe('what is refused', () => {
  const users = `authorization { users [
    { user: "ann", password: "p", permissions: { publish: ["ok.>", "_INBOX.>"], subscribe: ["ok.>", "_INBOX.>", "q one"] } }
    { user: "bob", password: "p" } ] }`;

  it('who cannot say who it is', async () => {
    await start(users);
    await expect(client({ user: 'ann', pass: 'x' })).rejects.toThrow(/authorization violation/i);
    await expect(client()).rejects.toThrow(/authorization violation/i);
    await server.stop();
    await start('authorization { token: "t" }');
    await expect(client({ token: 'x' })).rejects.toThrow(/authorization violation/i);
    await expect(client({ token: 't' })).resolves.toBeDefined();
  });

  it('subscriptions that are not allowed: the client says which', async () => {
    await start(users);
    const connection = await client({ user: 'ann', pass: 'p' });
    const refused = async (subject: string, queue?: string) => {
      const subscription = connection.subscribe(subject, queue === undefined ? {} : { queue });
      const error = await subscription.closed;
      if (!(error instanceof PermissionViolationError)) throw new Error(`expected a violation, got ${error}`);
      return error;
    };
    expect(await refused('secret')).toMatchObject({ operation: 'subscription', subject: 'secret' });
    expect(await refused('q', 'two')).toMatchObject({ operation: 'subscription', subject: 'q', queue: 'two' });
    const received = gather(connection, 'ok.a');
    connection.publish('ok.a', 'still here');
    await connection.flush();
    expect(received).toEqual(['still here']);
  });

  it('messages that are not allowed: the client says which', async () => {
    await start(users);
    const connection = await client({ user: 'ann', pass: 'p' });
    const violation = (async () => {
      for await (const status of connection.status()) {
        if (status.type === 'error' && status.error instanceof PermissionViolationError) return status.error;
      }
      throw new Error('the connection closed');
    })();
    connection.publish('secret', 'x');
    expect(await violation).toMatchObject({ operation: 'publish', subject: 'secret' });
    await expect(connection.request('secret')).rejects.toThrow(/permissions violation/i);
    expect(connection.isClosed()).toBe(false);
  });

  it('payloads beyond the limit: the client knows the limit from INFO, and one that does not is closed', async () => {
    await start('max_payload: 1000');
    const connection = await client();
    expect(() => connection.publish('a', new Uint8Array(1001))).toThrow(/max_payload/i);
    connection.publish('a', new Uint8Array(1000));
    await connection.flush();
    Object.assign(connection.info ?? {}, { max_payload: 10_000 });
    connection.publish('a', new Uint8Array(1001));
    expect(String(await connection.closed())).toMatch(/max_payload|maximum payload/i);
  });

  it('connections beyond the limit', async () => {
    await start('max_connections: 1');
    await client();
    await expect(client()).rejects.toThrow(/maximum connections exceeded/i);
  });
});
