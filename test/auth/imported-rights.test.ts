import { expect, it } from 'vitest';
import { as, rawAs } from '../kit/connections.js';
import { judged } from '../kit/judged.js';

const DEADLINE_MS = 10_000;

judged('permissions, where accounts import from each other', (start) => {
  const user = (name: string, permissions = '') => `{ user: ${name}, password: p, permissions { ${permissions} } }`;

  it('are judged by the subject that the importer sees', async () => {
    const { url } = await start(`accounts {
      A { users: [${user('a')}], exports: [{ stream: "s.*" }] }
      B {
        users: [${user('b', 'subscribe: { allow: ["in.>", "_INBOX.>"], deny: [in.secret] }')}]
        imports: [{ stream: { account: A, subject: "s.*" }, to: "in.$1" }]
      }
    }`);
    const [a, b] = [await as(url, 'a'), await as(url, 'b')];
    const heard: string[] = [];
    b.subscribe('in.*', { callback: (_, { subject }) => void heard.push(subject) });
    b.subscribe('in.*', { queue: 'q', callback: (_, { subject }) => void heard.push(`${subject} q`) });
    await b.flush();
    for (const subject of ['s.open', 's.secret']) a.publish(subject);
    await a.flush();
    await b.flush();
    expect(heard.sort()).toEqual(['in.open', 'in.open q']);
  });

  it('let who may only answer answer those who ask from elsewhere', async () => {
    const { url } = await start(`accounts {
      A { users: [${user('a', 'subscribe: [svc], allow_responses: { max: 1, expires: "1m" }')}], exports: [{ service: svc }] }
      B {
        users: [${user('b', 'publish: [ask], subscribe: ["_INBOX.>"]')}, ${user('c', 'publish: [nothing]')}]
        imports: [{ service: { account: A, subject: svc }, to: ask }]
      }
    }`);
    const [a, b, c] = [await as(url, 'a'), await as(url, 'b'), await as(url, 'c')];
    a.subscribe('svc', { callback: (_, message) => void (message.respond('1') && message.respond('2')) });
    await a.flush();
    for (let i = 0; i < 3; i++) expect((await b.request('ask')).string()).toBe('1');
    await expect(c.request('ask', '', { timeout: DEADLINE_MS })).rejects.toThrow(/permissions violation/i);
  });

  it('have nothing to say about where mappings of the other account lead, by their weights', async () => {
    const { url } = await start(`accounts {
      A {
        users: [${user('a')}], exports: [{ service: svc }]
        mappings: { svc: [{ destination: svc.one, weight: 30% }, { destination: svc.two, weight: 70% }] }
      }
      B {
        users: [${user('b', 'publish: [ask], subscribe: ["_INBOX.>"]')}]
        imports: [{ service: { account: A, subject: svc }, to: ask }]
      }
    }`);
    const [a, b] = [await as(url, 'a'), await as(url, 'b')];
    for (let i = 0; i < 2; i++)
      a.subscribe('svc.*', { queue: 'workers', callback: (_, message) => void message.respond(message.subject) });
    await a.flush();
    const answers = await Promise.all(Array.from({ length: 400 }, async () => (await b.request('ask')).string()));
    const ones = answers.filter((subject) => subject === 'svc.one').length;
    expect(answers.every((subject) => subject === 'svc.one' || subject === 'svc.two')).toBe(true);
    expect(ones).toBeGreaterThan(70);
    expect(ones).toBeLessThan(170);
  });

  it('know that somebody is there when only another account listens', async () => {
    const { address } = await start(`accounts {
      A { users: [${user('a')}], exports: [{ stream: s }] }
      B { users: [${user('b')}], imports: [{ stream: { account: A, subject: s } }] }
    }`);
    const raw = (name: string) => rawAs(address, name, { headers: true, no_responders: true });
    const [a, b] = [await raw('a'), await raw('b')];
    a.send('SUB back 1\r\nPUB s back 0\r\n\r\n');
    expect(await a.line()).toMatch(/^HMSG back 1 /);
    b.send('SUB s q 1\r\n');
    await b.expectQuiet();
    const c = await raw('a');
    c.send('SUB back 1\r\nPUB s back 0\r\n\r\n');
    await c.expectQuiet();
    await b.expect('MSG s 1 back 0\r\n\r\n');
    // An answer stays where it is given.
    b.send('PUB back 2\r\nno\r\n');
    await b.expectQuiet();
    await c.expectQuiet();
  });

  it('hold for kinds of connections', async () => {
    const { url } = await start(`accounts {
      A { users: [
        { user: a, password: p, allowed_connection_types: [WEBSOCKET] }
        { user: b, password: p, allowed_connection_types: [STANDARD, MQTT] }
      ] }
    }`);
    await expect(as(url, 'a')).rejects.toThrow(/authorization/i);
    await as(url, 'b');
  });

  it('are the account’s where a user has none', async () => {
    const { address } = await start(`accounts {
      A {
        default_permissions: { publish: [x], subscribe: { deny: [y] } }
        users: [{ user: a, password: p }, ${user('b', 'publish: [z]')}]
      }
    }`);
    const refusals = async (name: string) => {
      const client = await rawAs(address, name);
      client.send('PUB x 0\r\n\r\nPUB z 0\r\n\r\nSUB y 1\r\nPING\r\n');
      const lines: string[] = [];
      for (let line = await client.line(); line !== 'PONG'; line = await client.line()) lines.push(line);
      return lines.map((line) => /for (\w+) to "(\w)"/.exec(line)!.slice(1).join(' '));
    };
    expect(await refusals('a')).toEqual(['Publish z', 'Subscription y']);
    expect(await refusals('b')).toEqual(['Publish x']);
  });
});
