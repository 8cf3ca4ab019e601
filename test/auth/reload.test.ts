import { connect, type NatsConnection } from '@nats-io/transport-node';
import bcrypt from 'bcryptjs';
import { afterEach, describe, expect, it } from 'vitest';
import { startWeirOn, type WeirUnderTest } from '../kit/judged.js';

const DEADLINE_MS = 10_000;

describe('a reload', () => {
  let weir: WeirUnderTest;
  const open: NatsConnection[] = [];
  afterEach(async () => {
    for (const connection of open.splice(0)) await connection.close();
    await weir.stop();
  });
  const start = async (config: string) => {
    weir = await startWeirOn(config);
  };
  const client = async (user: string) => {
    const connection = await connect({ servers: weir.url, reconnect: false, user, pass: 'p', timeout: DEADLINE_MS });
    open.push(connection);
    return connection;
  };
  const heardBy = async (connection: NatsConnection, filter: string) => {
    const heard: string[] = [];
    connection.subscribe(filter, { callback: (_error, { subject }) => void heard.push(subject) });
    await connection.flush();
    return async (publisher: NatsConnection) => {
      await publisher.flush();
      await connection.flush();
      return heard.splice(0);
    };
  };
  const users = (name: string) => `users: [{ user: ${name.toLowerCase()}, password: p }]`;

  it('changes what accounts import, export and map, and nobody is cut off', async () => {
    const config = (a: string, b: string) => `accounts { A { ${users('A')}, ${a} }, B { ${users('B')}, ${b} } }`;
    const offers = 'exports: [{ stream: "x.>" }]';
    const wants = 'imports: [{ stream: { account: A, subject: "x.>" } }]';
    await start(config(offers, wants));
    const [a, b] = [await client('a'), await client('b')];
    const heard = await heardBy(b, '>');
    a.publish('x.1');
    expect(await heard(a)).toEqual(['x.1']);
    await weir.reload(config(offers, ''));
    expect(weir.lines).toContain('info Reloaded: accounts');
    a.publish('x.2');
    expect(await heard(a)).toEqual([]);
    await weir.reload(config(`${offers}, mappings: { y: x.mapped }`, wants.replace(' }]', ', prefix: p }]')));
    a.publish('y');
    a.publish('x.3');
    expect(await heard(a)).toEqual(['p.x.mapped', 'p.x.3']);
    expect([a.isClosed(), b.isClosed()]).toEqual([false, false]);
  });

  it('disconnects users who are gone, and refuses what makes no sense', async () => {
    const config = (more: string) => `accounts { A { users: [{ user: a, password: p } ${more}] } }`;
    await start(config(', { user: gone, password: p }'));
    const [a, gone] = [await client('a'), await client('gone')];
    await expect(weir.reload('accounts { A { imports: [{ stream: { account: Z, subject: x } }] } }')).rejects.toThrow(
      /"Z" account not defined/,
    );
    expect(gone.isClosed()).toBe(false);
    await weir.reload(config(''));
    expect(String(await gone.closed())).toMatch(/authorization/i);
    await a.flush();
  });

  it('does not cost anybody time to log in that passwords take', async () => {
    const hash = bcrypt.hashSync('p', 9);
    await start(`authorization { timeout: 0.1, users: [{ user: a, password: "${hash}" }] }`);
    const clients = await Promise.all(Array.from({ length: 20 }, () => client('a')));
    await Promise.all(clients.map((one) => one.flush()));
    expect(weir.server.door.sessions.size).toBe(20);
  });
});

describe('many accounts', () => {
  it('are loaded at once, and stay small', async () => {
    const accounts = Array.from({ length: 1000 }, (_, i) => {
      const users = Array.from({ length: 10 }, (_, j) => `{ user: u${i}_${j}, password: p }`);
      return `A${i} { users: [${users.join(',')}], exports: [{ stream: "s${i}.>" }], mappings: { "a.*": "b.$1" } }`;
    });
    const weir = await startWeirOn(`accounts { ${accounts.join('\n')} }`);
    try {
      expect(weir.server.accounts.all().length).toBe(1002);
      const connection = await connect({ servers: weir.url, user: 'u999_9', pass: 'p', reconnect: false });
      await connection.close();
    } finally {
      await weir.stop();
    }
  });
});
