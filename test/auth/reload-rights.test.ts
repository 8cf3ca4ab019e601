import { jetstreamManager } from '@nats-io/jetstream';
import { expect, it, onTestFinished } from 'vitest';
import { as, rawAs as raw } from '../kit/connections.js';
import { judged } from '../kit/judged.js';
import { RawClient } from '../kit/raw-client.js';
import { tempFolder } from '../kit/temp-folder.js';

const DEADLINE_MS = 10_000;

/** Who lost a right by a reload has lost it when the reload is over. */
judged('a reload', (start) => {
  const user = (name: string, permissions = '') => `{ user: ${name}, password: p, permissions { ${permissions} } }`;
  const authorization = (...users: string[]) => `authorization { users = [\n${users.join('\n')}\n] }`;

  it('takes subscriptions away, of queue groups too, and says so', async () => {
    const server = await start(authorization(user('a'), user('b')));
    const [a, b] = [await raw(server.address, 'a'), await raw(server.address, 'b')];
    a.send('SUB gone 1\r\nSUB gone.q q 2\r\nSUB left q 3\r\nSUB wide.> 4\r\n');
    await a.expectQuiet();
    await server.reload(authorization(user('a', 'subscribe: { deny: [gone, "gone.q q", wide.no] }'), user('b')));
    const lines = [await a.line(), await a.line()].sort();
    expect(lines).toEqual([
      `-ERR 'Permissions Violation for Subscription to "gone" (sid "1")'`,
      `-ERR 'Permissions Violation for Subscription to "gone.q" using queue "q" (sid "2")'`,
    ]);
    b.send('PUB gone 0\r\n\r\nPUB gone.q 0\r\n\r\nPUB wide.no 0\r\n\r\nPUB wide.yes 0\r\n\r\nPUB left 0\r\n\r\n');
    await b.expectQuiet();
    await a.expect('MSG wide.yes 4 0\r\n\r\nMSG left 3 0\r\n\r\n');
    await a.expectQuiet();
  });

  it('takes the right to publish, and to answer, away and gives it', async () => {
    const server = await start(authorization(user('a', 'publish: [x]'), user('b')));
    const [a, b] = [await raw(server.address, 'a'), await raw(server.address, 'b')];
    a.send('SUB svc 1\r\nPUB x 0\r\n\r\n');
    await a.expectQuiet();
    await server.reload(authorization(user('a', 'publish: [y], allow_responses: true'), user('b')));
    a.send('PUB x 0\r\n\r\nPUB y 0\r\n\r\n');
    await a.expect(`-ERR 'Permissions Violation for Publish to "x"'\r\n`);
    b.send('SUB answers 1\r\nPUB svc answers 0\r\n\r\n');
    await b.expectQuiet();
    await a.expect('MSG svc 1 answers 0\r\n\r\n');
    a.send('PUB answers 2\r\nok\r\n');
    await a.expectQuiet();
    await b.expect('MSG answers 1 2\r\nok\r\n');
  });

  it('disconnects who is gone, or has another password, and nobody else', async () => {
    const server = await start(authorization(user('gone'), user('other'), user('stays')));
    const names = ['gone', 'other', 'stays'];
    const [gone, other, stays] = await Promise.all(names.map((name) => raw(server.address, name)));
    await server.reload(authorization('{ user: other, password: new }', user('stays')));
    expect(await gone.rest(DEADLINE_MS)).toMatch(/^(-ERR 'Authorization Violation'\r\n)?$/);
    expect(await other.rest(DEADLINE_MS)).toBe("-ERR 'Authorization Violation'\r\n");
    await stays.expectQuiet();
  });

  it('disconnects who is in another account now, who finds himself there when he comes again', async () => {
    const accounts = (ofB: string, ofC: string) => `accounts {
      B { users: [${user('b')} ${ofB}] }
      C { users: [${user('c')} ${ofC}] }
    }`;
    const mover = `, ${user('mover')}`;
    const server = await start(accounts(mover, ''));
    const [b, c, gone] = await Promise.all(['b', 'c', 'mover'].map((name) => raw(server.address, name)));
    gone.send('SUB x 1\r\n');
    await gone.expectQuiet();
    await server.reload(accounts('', mover));
    expect(await gone.rest(DEADLINE_MS)).toBe('');
    const come = await raw(server.address, 'mover');
    come.send('SUB x 1\r\n');
    await come.expectQuiet();
    b.send('PUB x 1\r\nb\r\n');
    await b.expectQuiet();
    c.send('PUB x 1\r\nc\r\n');
    await c.expectQuiet();
    await come.expect('MSG x 1 1\r\nc\r\n');
    await come.expectQuiet();
  });

  it('takes imports of streams away and gives them, to who listens already', async () => {
    const accounts = (more: string) => `accounts {
      A { users: [${user('a')}], exports: [{ stream: "s.>" }] }
      B { users: [${user('b')}], ${more} }
    }`;
    const imports = 'imports: [{ stream: { account: A, subject: "s.>" } }]';
    const server = await start(accounts(''));
    const [a, b] = [await raw(server.address, 'a'), await raw(server.address, 'b')];
    a.send('SUB s.x q 1\r\n');
    await a.expectQuiet();
    b.send('SUB s.x 1\r\nSUB s.* q 2\r\n');
    await b.expectQuiet();
    const publish = async () => {
      a.send('PUB s.x 0\r\n\r\n'.repeat(40));
      a.send('PING\r\n');
      let own = 0;
      for (let line = await a.line(); line !== 'PONG'; line = await a.line()) if (line.startsWith('MSG')) own++;
      b.send('PING\r\n');
      const lines: string[] = [];
      for (let line = await b.line(); line !== 'PONG'; line = await b.line()) if (line !== '') lines.push(line);
      const of = (sid: number) => lines.filter((line) => line === `MSG s.x ${sid} 0`).length;
      return { own, plain: of(1), member: of(2) };
    };
    expect(await publish()).toEqual({ own: 40, plain: 0, member: 0 });
    await server.reload(accounts(imports));
    const { own, plain, member } = await publish();
    expect([own + member, plain]).toEqual([40, 40]);
    expect(member).toBeGreaterThan(5);
    await server.reload(accounts(''));
    expect(await publish()).toEqual({ own: 40, plain: 0, member: 0 });
  });

  it('takes services away and gives them', async () => {
    const accounts = (more: string) => `accounts {
      A { users: [${user('a')}], exports: [{ service: "svc" }] }
      B { users: [${user('b')}], ${more} }
    }`;
    const server = await start(accounts(''));
    const [a, b] = [await as(server.url, 'a'), await as(server.url, 'b')];
    a.subscribe('svc', { callback: (_, message) => void message.respond('here') });
    await a.flush();
    await expect(b.request('svc')).rejects.toThrow(/no responders/i);
    await server.reload(accounts('imports: [{ service: { account: A, subject: svc } }]'));
    expect((await b.request('svc')).string()).toBe('here');
    await server.reload(accounts('imports: [{ service: { account: A, subject: svc }, to: other }]'));
    expect((await b.request('other')).string()).toBe('here');
    await expect(b.request('svc')).rejects.toThrow(/no responders/i);
    await server.reload(accounts(''));
    await expect(b.request('other')).rejects.toThrow(/no responders/i);
  });

  it('changes mappings', async () => {
    const accounts = (mappings: string) => `accounts { A { users: [${user('a')}], mappings: { ${mappings} } } }`;
    const server = await start(accounts('x: y'));
    const a = await raw(server.address, 'a');
    a.send('SUB * 1\r\nPUB x 0\r\n\r\n');
    await a.expect('MSG y 1 0\r\n\r\n');
    await server.reload(accounts('x: z'));
    a.send('PUB x 0\r\n\r\n');
    await a.expect('MSG z 1 0\r\n\r\n');
    await server.reload(accounts(''));
    a.send('PUB x 0\r\n\r\n');
    await a.expect('MSG x 1 0\r\n\r\n');
  });

  it('gives accounts streams, and takes them away', async () => {
    const folder = tempFolder();
    onTestFinished(folder.remove);
    const config = (more: string, limits = '') => `
      jetstream { store_dir: ${JSON.stringify(folder.path)}, max_memory_store: 1MB, max_file_store: 1MB ${limits} }
      accounts { A { users: [${user('a')}], ${more} } }`;
    const server = await start(config(''));
    const a = await as(server.url, 'a');
    await expect(jetstreamManager(a)).rejects.toThrow(/not enabled/i);
    await server.reload(config('jetstream: { max_streams: 1 }'));
    const manager = await jetstreamManager(a);
    await manager.streams.add({ name: 'S' });
    await expect(manager.streams.add({ name: 'T' })).rejects.toThrow(/maximum number of streams/);
    await server.reload(config('jetstream: { max_streams: 2 }'));
    await manager.streams.add({ name: 'T' });
    await server.reload(config(''));
    await expect(jetstreamManager(a)).rejects.toThrow(/not enabled/i);
  });

  it('takes more room for streams, and not less', async () => {
    const folder = tempFolder();
    onTestFinished(folder.remove);
    const config = (room: string) => `
      jetstream { store_dir: ${JSON.stringify(folder.path)}, max_memory_store: ${room}, max_file_store: ${room} }
      accounts { A { users: [${user('a')}], jetstream: enabled } }`;
    const server = await start(config('1MB'));
    const manager = await jetstreamManager(await as(server.url, 'a'));
    const big = { name: 'S', max_bytes: 3_000_000 };
    await expect(manager.streams.add(big)).rejects.toThrow(/insufficient storage/);
    await server.reload(config('4MB'));
    await manager.streams.add(big);
    await expect(server.reload(config('2MB'))).rejects.toThrow(
      'config reload not supported for decreasing jetstream max memory and store',
    );
  });

  it.each([
    ['server_name: one', 'server_name: two', 'ServerName'],
    ['', 'http: "127.0.0.1:-1"', 'HTTP'],
    ['', 'max_closed_clients: 7', 'MaxClosedClients'],
    ['', 'websocket { port: -1, no_tls: true }', 'Websocket'],
    [
      'websocket { host: 127.0.0.1, port: -1, no_tls: true }',
      'websocket { host: 127.0.0.1, port: -1, no_tls: true, same_origin: true }',
      'Websocket',
    ],
    ['', 'system_account: A\naccounts { A {} }', 'SystemAccount'],
    ['', 'ping_interval: "nonsense"', null],
  ])('refuses what it cannot do, and keeps everything as it was: %j, then %j', async (before, after, name) => {
    const server = await start(`${before}\nmax_payload: 100`);
    const said = await server.reload(`${after}\nmax_payload: 10`).then(
      () => 'done',
      (error: Error) => error.message,
    );
    if (name !== null) expect(said).toMatch(new RegExp(`config reload not supported for ${name}`));
    else expect(said).not.toBe('done');
    const client = await RawClient.open(server.address);
    onTestFinished(() => client.close());
    expect(JSON.parse((await client.line()).slice(5)).max_payload).toBe(100);
  });
});
