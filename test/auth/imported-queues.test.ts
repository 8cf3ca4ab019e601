import { AckPolicy, jetstreamManager } from '@nats-io/jetstream';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { expect, it, onTestFinished } from 'vitest';
import { as } from '../kit/connections.js';
import { judged } from '../kit/judged.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually, until } from '../kit/wait.js';

const DEADLINE_MS = 10_000;

/** A queue group is one, in however many accounts its members are. */
judged('queue groups across accounts', (start) => {
  /** Each account has one user of its own name. */
  const accounts = (list: Record<string, string>) =>
    `accounts {\n${Object.entries(list)
      .map(([name, rest]) => `${name} { users: [{ user: ${name}, password: p }]\n${rest} }`)
      .join('\n')}\n}\n`;

  const exportsAll = 'exports: [{ stream: ">" }]';
  const imports = (subject: string, more = '') =>
    `imports: [{ stream: { account: A, subject: "${subject}" }, ${more} }]`;

  interface Listener {
    connection: NatsConnection;
    subjects: string[];
  }

  const listen = async (connection: NatsConnection, filter: string, queue?: string): Promise<Listener> => {
    const subjects: string[] = [];
    const callback = (_error: Error | null, { subject }: Msg) => void subjects.push(subject);
    connection.subscribe(filter, queue === undefined ? { callback } : { queue, callback });
    await connection.flush();
    return { connection, subjects };
  };

  /** Publishes, and waits until every listener has what it is to have of it. */
  const publish = async (connection: NatsConnection, count: number, ...subjects: string[]) => {
    for (let i = 0; i < count; i++) for (const subject of subjects) connection.publish(subject, 'm');
    await connection.flush();
  };
  const counts = async (...listeners: Listener[]) => {
    for (const { connection } of listeners) await connection.flush();
    return listeners.map(({ subjects }) => subjects.length);
  };
  const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);

  it('give a message to one member, wherever it is', async () => {
    const { url } = await start(accounts({ A: exportsAll, B: imports('s.>'), C: imports('s.>', 'prefix: far') }));
    const [a, b, c] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'C')];
    const members = [
      await listen(a, 's.x', 'q'),
      await listen(b, 's.x', 'q'),
      await listen(b, 's.*', 'q'),
      await listen(c, 'far.s.x', 'q'),
    ];
    const alone = [await listen(a, 's.>'), await listen(b, 's.>'), await listen(c, 'far.>')];
    const others = [await listen(b, 's.>', 'other'), await listen(c, '>', 'other')];
    await publish(a, 400, 's.x');
    const shares = await counts(...members);
    expect(sum(shares)).toBe(400);
    for (const share of shares) expect(share).toBeGreaterThan(50);
    expect(await counts(...alone)).toEqual([400, 400, 400]);
    const sharesOfOthers = await counts(...others);
    expect(sum(sharesOfOthers)).toBe(400);
    for (const share of sharesOfOthers) expect(share).toBeGreaterThan(100);
    expect(new Set(members[3].subjects)).toEqual(new Set(['far.s.x']));
  });

  it('follow their members as these come and go', async () => {
    const { url } = await start(accounts({ A: exportsAll, B: imports('s.*', 'to: "in.$1"') }));
    const [a, b, gone] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'B')];
    const here = await listen(a, 's.x', 'q');
    await publish(a, 10, 's.x', 's.y');
    const member = await listen(b, 'in.x', 'q');
    const leaving = await listen(gone, 'in.*', 'q');
    await publish(a, 200, 's.x');
    const before = await counts(here, member, leaving);
    expect(sum(before)).toBe(210);
    for (const share of before) expect(share).toBeGreaterThan(30);
    await gone.close();
    await eventually(
      async () => {
        const had = here.subjects.length + member.subjects.length;
        await publish(a, 1, 's.x');
        await counts(here, member);
        return here.subjects.length + member.subjects.length === had + 1;
      },
      'the others to get all of it',
      DEADLINE_MS,
    );
    await publish(a, 20, 's.y');
    expect((await counts(member))[0]).toBe(member.subjects.length);
    await a.close();
    const again = await as(url, 'A');
    const had = member.subjects.length;
    await publish(again, 20, 's.x');
    expect((await counts(member))[0]).toBe(had + 20);
  });

  it('give it to another account’s member where one may not have it', async () => {
    const { url } = await start(`accounts {
      A { users: [{ user: A, password: p }], ${exportsAll} }
      B {
        users: [{ user: B, password: p, permissions { subscribe: { deny: "s.secret" } } }]
        ${imports('s.*')}
      }
      C { users: [{ user: C, password: p }], ${imports('s.*')} }
    }`);
    const [a, b, c] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'C')];
    const members = [await listen(b, 's.*', 'q'), await listen(c, 's.*', 'q')];
    await publish(a, 50, 's.secret');
    expect(await counts(...members)).toEqual([0, 50]);
    await publish(a, 100, 's.open');
    expect(sum(await counts(...members))).toBe(150);
    expect(members[0].subjects).not.toContain('s.secret');
  });

  it('are chosen by the subject that mappings and their weights lead to', async () => {
    const mappings =
      'mappings: { s: [{ destination: s.one, weight: 50% }, { destination: s.two, weight: 50% }], "in.*": "s.$1" }';
    const { url } = await start(accounts({ A: `${exportsAll}\n${mappings}`, B: imports('s.*'), C: imports('s.two') }));
    const [a, b, c] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'C')];
    const members = [await listen(b, 's.*', 'q'), await listen(c, 's.two', 'q')];
    await publish(a, 400, 's');
    const [ofB, ofC] = await counts(...members);
    expect(ofB + ofC).toBe(400);
    const ones = members[0].subjects.filter((subject) => subject === 's.one').length;
    expect(ones).toBeGreaterThan(130);
    expect(ones).toBeLessThan(270);
    expect(ofC).toBeGreaterThan(50);
    expect(ofC).toBeLessThan(150);
    await publish(a, 100, 'in.two');
    expect(sum(await counts(...members))).toBe(500);
  });

  it('answer a service once, for askers of every account', async () => {
    const { url } = await start(
      accounts({
        A: `exports: [{ service: "svc.>" }, { stream: "svc.>" }]`,
        B: 'imports: [{ service: { account: A, subject: "svc.>" } }]',
        C: imports('svc.>'),
      }),
    );
    const [a, b, c] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'C')];
    let answers = 0;
    const answering = { queue: 'workers', callback: (_: unknown, m: Msg) => void m.respond(`${++answers}`) };
    for (let i = 0; i < 2; i++) a.subscribe('svc.ask', answering);
    await a.flush();
    for (let i = 1; i <= 20; i++) expect((await b.request('svc.ask', '')).string()).toBe(String(i));
    for (let i = 21; i <= 40; i++) expect((await a.request('svc.ask', '')).string()).toBe(String(i));
    expect(answers).toBe(40);
    // What an account asks of another is nothing that a third one hears as a stream, and no member of its groups either.
    const heard = [await listen(c, 'svc.>'), await listen(c, 'svc.>', 'workers')];
    for (let i = 41; i <= 60; i++) expect((await b.request('svc.ask', '')).string()).toBe(String(i));
    expect(await counts(...heard)).toEqual([0, 0]);
    // What is published in the account itself is.
    await publish(a, 60, 'svc.ask');
    const [plain, member] = await counts(...heard);
    expect(plain).toBe(60);
    expect(member).toBeGreaterThan(5);
    await until(() => answers + member === 120, 'the rest of the group', DEADLINE_MS);
  });

  it('have no members where the stream is imported from who imports it', async () => {
    const { url } = await start(
      accounts({
        A: exportsAll,
        B: `${imports('s.>')}\nexports: [{ stream: "s.>" }]`,
        C: 'imports: [{ stream: { account: B, subject: "s.>" } }]',
      }),
    );
    const [a, b, c] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'C')];
    const near = [await listen(b, 's.>'), await listen(b, 's.>', 'q')];
    const far = [await listen(c, 's.>'), await listen(c, 's.>', 'q')];
    await publish(a, 20, 's.x');
    expect(await counts(...near, ...far)).toEqual([20, 20, 0, 0]);
    await publish(b, 20, 's.x');
    const [ofNear, ofFar] = [await counts(...near), await counts(...far)];
    expect([ofNear[0], ofFar[0]]).toEqual([40, 20]);
    expect(ofNear[1] + ofFar[1]).toBe(40);
  });

  it('ask no service with what a stream brings', async () => {
    const { url } = await start(
      accounts({
        A: exportsAll,
        B: `imports: [{ stream: { account: A, subject: "s.>" } }, { service: { account: D, subject: "s.x" } }]`,
        D: 'exports: [{ service: "s.x" }]',
      }),
    );
    const [a, b, d] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'D')];
    const heard = [await listen(b, 's.>'), await listen(d, '>')];
    await publish(a, 5, 's.x');
    expect(await counts(...heard)).toEqual([5, 0]);
    await publish(b, 5, 's.x');
    expect(await counts(...heard)).toEqual([10, 5]);
  });

  it('bring a message once for each import that matches', async () => {
    const { url } = await start(
      accounts({
        A: exportsAll,
        B: `imports: [{ stream: { account: A, subject: "s.*" } }, { stream: { account: A, subject: "s.x" } }]`,
      }),
    );
    const [a, b] = [await as(url, 'A'), await as(url, 'B')];
    const heard = [await listen(b, 's.x'), await listen(b, 's.x', 'q'), await listen(b, 's.y')];
    await publish(a, 10, 's.x', 's.y');
    expect(await counts(...heard)).toEqual([20, 10, 10]);
  });

  it('are of one account where a consumer delivers to a group', async () => {
    const folder = tempFolder();
    onTestFinished(folder.remove);
    const { url } = await start(
      `jetstream { store_dir: ${JSON.stringify(folder.path)} }\n${accounts({
        A: `jetstream: enabled\nexports: [{ stream: "out.>" }]`,
        B: imports('out.>'),
        C: imports('out.>', 'prefix: far'),
      })}`,
    );
    const [a, b, c] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'C')];
    const members = [await listen(a, 'out.x', 'q'), await listen(b, 'out.x', 'q'), await listen(c, 'far.out.x', 'q')];
    const manager = await jetstreamManager(a);
    await manager.streams.add({ name: 'S', subjects: ['stored'], storage: 'memory' as never });
    await manager.consumers.add('S', {
      durable_name: 'c',
      deliver_subject: 'out.x',
      deliver_group: 'q',
      ack_policy: AckPolicy.None,
    });
    for (let i = 0; i < 150; i++) await manager.jetstream().publish('stored', 'm');
    await until(() => sum(members.map(({ subjects }) => subjects.length)) >= 150, 'all of it', DEADLINE_MS);
    const shares = await counts(...members);
    expect(sum(shares)).toBe(150);
    for (const share of shares) expect(share).toBeGreaterThan(15);
  });
});
