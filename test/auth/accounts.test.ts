import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, expect, it } from 'vitest';
import { judged } from '../kit/judged.js';
import { RawClient } from '../kit/raw-client.js';

const DEADLINE_MS = 10_000;

judged('accounts', (start) => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const connection of open.splice(0)) await connection.close();
  });

  /** Each account has one user of its own name. */
  const users = (...accounts: [name: string, rest?: string][]) =>
    `accounts {\n${accounts.map(([name, rest = '']) => `${name} { users: [{ user: ${name}, password: p }], ${rest} }`).join('\n')}\n}\n`;

  const client = async (url: string, user: string, more = {}): Promise<NatsConnection> => {
    const login = user === '' ? {} : { user, pass: 'p' };
    const connection = await connect({ servers: url, reconnect: false, timeout: DEADLINE_MS, ...login, ...more });
    open.push(connection);
    return connection;
  };

  /** What arrives on `filter` until everything that was published before this call was delivered. */
  const listen = async (connection: NatsConnection, filter: string, queue?: string) => {
    const got: Msg[] = [];
    connection.subscribe(filter, { ...(queue && { queue }), callback: (_error, message) => void got.push(message) });
    await connection.flush();
    return async (...publishers: NatsConnection[]) => {
      for (const publisher of publishers) await publisher.flush();
      await connection.flush();
      return got.map(({ subject, string }) => `${subject} ${string.call(got.find((one) => one.subject === subject))}`);
    };
  };

  it('hear nothing of each other', async () => {
    const { url } = await start(users(['A'], ['B']));
    const [a, b] = [await client(url, 'A'), await client(url, 'B')];
    const [heardByA, heardByB] = [await listen(a, '>'), await listen(b, '>')];
    a.publish('x', 'of a');
    b.publish('x', 'of b');
    expect(await heardByA(a, b)).toEqual(['x of a']);
    expect(await heardByB(a, b)).toEqual(['x of b']);
    await expect(client(url, '')).rejects.toThrow(/authorization/i);
  });

  it('are told to clients that ask', async () => {
    const { address } = await start(users(['A']));
    const raw = await RawClient.connected(address, { user: 'A', pass: 'p', protocol: 1 });
    const info = JSON.parse((await raw.line()).slice(5));
    expect(info).toMatchObject({ connect_info: true, remote_account: 'A' });
    expect(info.acc_is_sys).toBeUndefined();
    await raw.close();
  });

  it('take unnamed clients where the configuration says so', async () => {
    const { url } = await start(`no_auth_user: B\n${users(['A'], ['B'])}`);
    const [b, unnamed] = [await client(url, 'B'), await client(url, '')];
    const heard = await listen(b, '>');
    unnamed.publish('x', 'hello');
    expect(await heard(unnamed)).toEqual(['x hello']);
  });

  it('of the system alone leave the door open for everybody else', async () => {
    const { url, address } = await start('accounts { $SYS { users: [{ user: admin, password: p }] } }');
    const [one, other] = [await client(url, ''), await client(url, '')];
    const heard = await listen(one, 'x');
    other.publish('x', 'hello');
    expect(await heard(other)).toEqual(['x hello']);
    const raw = await RawClient.connected(address, { user: 'admin', pass: 'p', protocol: 1 });
    expect(JSON.parse((await raw.line()).slice(5))).toMatchObject({ remote_account: '$SYS', acc_is_sys: true });
    await raw.close();
    await expect(client(url, 'admin', { pass: 'wrong' })).rejects.toThrow(/authorization/i);
  });

  it('import streams: as they are, under a prefix, under other subjects', async () => {
    const { url } = await start(
      users(
        ['A', 'exports: [{ stream: "pub.>" }, { stream: "two.*.*" }]'],
        ['B', 'imports: [{ stream: { account: A, subject: "pub.>" } }]'],
        ['C', 'imports: [{ stream: { account: A, subject: "pub.a.>" }, prefix: from_a }]'],
        ['D', 'imports: [{ stream: { account: A, subject: "two.*.*" }, to: "swapped.$2.$1" }]'],
      ),
    );
    const [a, b, c, d] = await Promise.all(['A', 'B', 'C', 'D'].map((user) => client(url, user)));
    const heard = await Promise.all([b, c, d].map((one) => listen(one, '>')));
    for (const subject of ['pub.a.b', 'pub.c', 'private', 'two.x.y']) a.publish(subject, '1');
    expect(await heard[0](a)).toEqual(['pub.a.b 1', 'pub.c 1']);
    expect(await heard[1](a)).toEqual(['from_a.pub.a.b 1']);
    expect(await heard[2](a)).toEqual(['swapped.y.x 1']);
    // One way only.
    const heardByA = await listen(a, '>');
    b.publish('pub.a.b', 'back');
    expect(await heardByA(b)).toEqual([]);
  });

  it('share imported messages among a queue group', async () => {
    const { url } = await start(
      users(['A', 'exports: [{ stream: "s" }]'], ['B', 'imports: [{ stream: { account: A, subject: s } }]']),
    );
    const [a, one, other] = [await client(url, 'A'), await client(url, 'B'), await client(url, 'B')];
    const heard = [await listen(one, 's', 'q'), await listen(other, 's', 'q')];
    for (let i = 0; i < 40; i++) a.publish('s', 'm');
    const counts = [(await heard[0](a)).length, (await heard[1](a)).length];
    expect(counts[0] + counts[1]).toBe(40);
  });

  it('ask services of others and get their answers', async () => {
    const { url } = await start(
      users(
        ['A', 'exports: [{ service: "svc.*" }]'],
        ['B', 'imports: [{ service: { account: A, subject: "svc.*" } }]'],
        ['C', 'imports: [{ service: { account: A, subject: "svc.echo" }, to: ask.a }]'],
      ),
    );
    const [a, b, c] = await Promise.all(['A', 'B', 'C'].map((user) => client(url, user)));
    const asked: string[] = [];
    a.subscribe('svc.*', {
      callback: (_error, message) => {
        asked.push(`${message.subject} ${message.reply?.startsWith('_R_.')}`);
        message.respond(`to ${message.string()}`);
      },
    });
    await a.flush();
    expect((await b.request('svc.one', 'b')).string()).toBe('to b');
    expect((await c.request('ask.a', 'c')).string()).toBe('to c');
    expect(asked).toEqual(['svc.one true', 'svc.echo true']);
    await expect(c.request('svc.echo', '')).rejects.toThrow(/no responders/i);
  });

  it('are told at once when nobody answers in the other account', async () => {
    const { url } = await start(
      users(['A', 'exports: [{ service: svc }]'], ['B', 'imports: [{ service: { account: A, subject: svc } }]']),
    );
    await expect((await client(url, 'B')).request('svc', '', { timeout: DEADLINE_MS })).rejects.toThrow(
      /no responders/i,
    );
  });

  it('get one answer, or many, as the export says', async () => {
    const { url } = await start(
      users(
        ['A', 'exports: [{ service: one }, { service: many, response_type: stream }]'],
        ['B', 'imports: [{ service: { account: A, subject: one } }, { service: { account: A, subject: many } }]'],
      ),
    );
    const [a, b] = [await client(url, 'A'), await client(url, 'B')];
    for (const subject of ['one', 'many'])
      a.subscribe(subject, {
        callback: (_error, message) => {
          for (let i = 0; i < 3; i++) a.publish(message.reply!, `${subject} ${i}`);
        },
      });
    await a.flush();
    const heard = await listen(b, 'answers');
    b.publish('one', '', { reply: 'answers' });
    await b.flush();
    await a.flush();
    expect(await heard(a)).toEqual(['answers one 0']);
    b.publish('many', '', { reply: 'answers' });
    await b.flush();
    await a.flush();
    expect((await heard(a)).length).toBe(4);
  });

  it('keep headers, and say who asked', async () => {
    const { url } = await start(
      users(
        ['A', 'exports: [{ service: svc }]'],
        ['B', 'imports: [{ service: { account: A, subject: svc }, share: true }]'],
        ['C', 'imports: [{ service: { account: A, subject: svc } }]'],
      ),
    );
    const [a, b, c] = await Promise.all(
      ['A', 'B', 'C'].map((user) => client(url, user, { name: `client of ${user}` })),
    );
    a.subscribe('svc', { callback: (_error, message) => void message.respond('', { headers: message.headers! }) });
    await a.flush();
    const own = headers();
    own.set('X-Mine', 'kept');
    const ask = async (who: NatsConnection) => {
      const answer = await who.request('svc', '', { timeout: DEADLINE_MS, headers: own });
      expect(answer.headers?.get('X-Mine')).toBe('kept');
      return JSON.parse(answer.headers!.get('Nats-Request-Info'));
    };
    expect(await ask(b)).toMatchObject({ acc: 'B', user: 'B', name: 'client of B', host: '127.0.0.1', kind: 'Client' });
    const little = await ask(c);
    expect(little).toMatchObject({ acc: 'C' });
    expect(little.name).toBeUndefined();
  });

  it('map subjects', async () => {
    const { url } = await start(
      users([
        'A',
        `mappings: {
           plain: other
           "in.*.*": "out.$2.$1"
           "part.*": "part.{{partition(4,1)}}.$1"
           "split.*": "split.{{splitFromLeft(1,2)}}"
         }`,
      ]),
    );
    const a = await client(url, 'A');
    const heard = await listen(a, '>');
    for (const subject of ['plain', 'in.x.y', 'part.abc', 'split.abcd', 'not.mapped']) a.publish(subject, '');
    const got = await heard(a);
    expect(got.slice(0, 2)).toEqual(['other ', 'out.y.x ']);
    expect(got[2]).toMatch(/^part\.[0-3]\.abc $/);
    expect(got.slice(3)).toEqual(['split.ab.cd ', 'not.mapped ']);
  });

  it('map subjects by chance: the rest goes on as it is, or is lost where the source is listed', async () => {
    const { url } = await start(
      users([
        'A',
        `mappings: {
           half: [{ destination: other, weight: 50% }]
           lossy: [{ destination: lossy, weight: 50 }]
           sure: [{ destination: one, weight: 100 }]
         }`,
      ]),
    );
    const a = await client(url, 'A');
    const heard = await listen(a, '>');
    const count = 400;
    for (const subject of ['half', 'lossy', 'sure']) for (let i = 0; i < count; i++) a.publish(subject, '');
    const got = await heard(a);
    const of = (subject: string) => got.filter((line) => line === `${subject} `).length;
    expect(of('half') + of('other')).toBe(count);
    expect(of('one')).toBe(count);
    for (const subject of ['half', 'other', 'lossy']) {
      expect(of(subject), subject).toBeGreaterThan(count / 4);
      expect(of(subject), subject).toBeLessThan((count * 3) / 4);
    }
  });

  it('judge permissions by the mapped subject', async () => {
    const { url } = await start(`accounts { A {
      users: [{ user: A, password: p, permissions { publish: ["allowed"] } }, { user: all, password: p }]
      mappings: { source: allowed, allowed2: forbidden } } }`);
    const [a, all] = [await client(url, 'A'), await client(url, 'all')];
    const heard = await listen(all, '>');
    a.publish('source', '');
    a.publish('allowed2', '');
    expect(await heard(a)).toEqual(['allowed ']);
  });

  it('have mappings of their own on the other side of a service', async () => {
    const { url } = await start(
      users(
        ['A', 'exports: [{ service: svc }], mappings: { svc: svc.v2 }'],
        ['B', 'imports: [{ service: { account: A, subject: svc } }]'],
      ),
    );
    const [a, b] = [await client(url, 'A'), await client(url, 'B')];
    a.subscribe('svc.v2', { callback: (_error, message) => void message.respond(message.subject) });
    await a.flush();
    expect((await b.request('svc', '')).string()).toBe('svc.v2');
  });

  it('have limits: of connections, subscriptions and bytes', async () => {
    const { url, address } = await start(
      users(['A', 'limits: { max_connections: 2, max_subscriptions: 1, max_payload: 10 }'], ['B']),
    );
    const one = await RawClient.connected(address, { user: 'A', pass: 'p', protocol: 1 });
    expect(JSON.parse((await one.line()).slice(5))).toMatchObject({ max_payload: 10 });
    one.send('SUB a 1\r\nSUB b 2\r\n');
    await one.expect("-ERR 'maximum subscriptions exceeded'\r\n");
    const other = await RawClient.connected(address, { user: 'A', pass: 'p' });
    const third = await RawClient.open(address);
    await third.line();
    third.send('CONNECT {"user":"A","pass":"p","verbose":false}\r\nPING\r\n');
    await third.expect("-ERR 'maximum account active connections exceeded'\r\n");
    await third.expectClosed(DEADLINE_MS);
    await client(url, 'B');
    one.send('PUB a 11\r\n12345678901\r\n');
    await one.expect("-ERR 'Maximum Payload Violation'\r\n");
    await other.close();
  });

  it('refuse what another account does not offer', async () => {
    const b = (rest: string) => ['B', `imports: [${rest}]`] as [string, string];
    const wanted = (subject: string, kind = 'stream') => b(`{ ${kind}: { account: A, subject: "${subject}" } }`);
    const refused = async (config: string, why: RegExp) => {
      await expect(start(config)).rejects.toThrow(why);
    };
    const a = (offer: string) => ['A', `exports: [${offer}]`] as [string, string];
    await refused(users(['A'], wanted('x')), /Error adding stream import "x": stream import not authorized/);
    await refused(users(a('{ stream: "x.*" }'), wanted('x.>')), /stream import not authorized/);
    await refused(users(a('{ stream: x, accounts: [C] }'), wanted('x'), ['C']), /stream import not authorized/);
    await refused(users(a('{ service: x }'), wanted('x')), /stream import not authorized/);
    await refused(
      users(['A'], wanted('x', 'service')),
      /Error adding service import "x": service import not authorized/,
    );
    await refused(users(b('{ stream: { account: Z, subject: x } }')), /"Z" account not defined for stream import/);
    await refused(users(a('{ stream: x, accounts: [Z] }')), /"Z" account not defined for stream export/);
    await refused(users(['A', 'mappings: { a: [{ destination: b, weight: 101 }] }']), /Invalid weight 101/);
    await refused('accounts { $G {} }', /"\$G" is a Reserved Account/);
    const both = 'users: [{ user: x, password: p }]';
    await refused(`accounts { A { ${both} }, B { ${both} } }`, /Duplicate user "x" detected/);
    await refused(
      users(
        ['A', 'exports: [{ service: x }], imports: [{ service: { account: B, subject: x } }]'],
        ['B', 'exports: [{ service: x }], imports: [{ service: { account: A, subject: x } }]'],
      ),
      /import forms a cycle/,
    );
    await refused(
      users(
        ['A', 'exports: [{ stream: x }], imports: [{ stream: { account: B, subject: x } }]'],
        ['B', 'exports: [{ stream: x }], imports: [{ stream: { account: A, subject: x } }]'],
      ),
      /import forms a cycle/,
    );
  });

  it('offer something to certain accounts, or to those whose name is in the subject', async () => {
    const { url } = await start(
      users(
        ['A', 'exports: [{ stream: x, accounts: [B] }, { stream: "for.*", account_token_position: 2 }]'],
        ['B', 'imports: [{ stream: { account: A, subject: x } }]'],
        ['C', 'imports: [{ stream: { account: A, subject: for.C } }]'],
      ),
    );
    const [a, b, c] = await Promise.all(['A', 'B', 'C'].map((user) => client(url, user)));
    const heard = await Promise.all([b, c].map((one) => listen(one, '>')));
    for (const subject of ['x', 'for.B', 'for.C']) a.publish(subject, '');
    expect(await heard[0](a)).toEqual(['x ']);
    expect(await heard[1](a)).toEqual(['for.C ']);
  });
});
