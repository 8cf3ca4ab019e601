import { jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, expect, it } from 'vitest';
import { judged } from '../kit/judged.js';
import { tempFolder } from '../kit/temp-folder.js';

const DEADLINE_MS = 10_000;
const CONFIG = `
  server_name: traced
  accounts {
    A {
      users: [
        { user: ann, password: p }
        { user: low, password: p, permissions { publish: { allow: ["ok", "traces.>"] } } }
        { user: picky, password: p, permissions { subscribe: { allow: [">"], deny: ["secret.no"] } } }
      ]
      mappings: { "old.*": "new.$1" }
      msg_trace: { dest: "traces.account", sampling: "100%" }
      exports: [
        { stream: "public.>" }
        { stream: "hidden.>" }
      ]
      imports: [
        { service: { account: B, subject: "svc.open" } }
        { service: { account: B, subject: "svc.shut" }, to: "shut" }
      ]
    }
    B {
      users: [{ user: bob, password: p }]
      exports: [{ service: "svc.open", allow_trace: true }, { service: "svc.shut" }]
      imports: [
        { stream: { account: A, subject: "public.>" }, prefix: "a", allow_trace: true }
        { stream: { account: A, subject: "hidden.>" } }
      ]
    }
  }`;

// biome-ignore lint/suspicious/noExplicitAny: events are looked into at will, and every look is an expectation.
type Json = Record<string, any>;
const open: NatsConnection[] = [];
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
});

const client = async (url: string, user: string, more = {}) => {
  const options = { servers: url, reconnect: false, user, pass: 'p', timeout: DEADLINE_MS, ...more };
  const connection = await connect(options);
  open.push(connection);
  return connection;
};

const listen = async (connection: NatsConnection, ...filters: string[]) => {
  for (const filter of filters) connection.subscribe(filter, { callback: () => {} });
  await connection.flush();
};

let traces = 0;
/** Publishes with these headers and waits for the trace. */
async function trace(
  connection: NatsConnection,
  subject: string,
  { only = false, dest = `traces.${++traces}`, more = {} as Record<string, string>, reply = '' } = {},
): Promise<Json> {
  const subscription = connection.subscribe(dest, { max: 1, timeout: DEADLINE_MS });
  const set = headers();
  if (dest !== 'traces.account') set.set('Nats-Trace-Dest', dest);
  if (only) set.set('Nats-Trace-Only', 'true');
  for (const [name, value] of Object.entries(more)) set.set(name, value);
  await connection.flush();
  connection.publish(subject, 'hello', { headers: set, ...(reply !== '' && { reply }) });
  for await (const message of subscription) return message.json();
  throw new Error('no trace came');
}

/** Events without their times. */
const eventsOf = ({ events }: Json): Json[] =>
  events.map((event: Json) => {
    expect(event.ts).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/);
    return Object.fromEntries(Object.entries(event).filter(([key]) => key !== 'ts'));
  });
const any = { cid: expect.any(Number) };

judged('a traced message', (start) => {
  it('says where it came in and who got it', async () => {
    const { url } = await start(CONFIG);
    const [ann, other] = [await client(url, 'ann', { name: 'sender' }), await client(url, 'ann', { name: 'other' })];
    await listen(other, 'news.*');
    other.subscribe('news.>', { queue: 'q', callback: () => {} });
    await other.flush();
    const said = await trace(ann, 'news.one', { more: { 'X-Own': 'v' } });
    expect(Object.keys(said)).toEqual(['server', 'request', 'events']);
    expect(said.server).toMatchObject({ name: 'traced', id: expect.stringMatching(/^N/), ver: expect.any(String) });
    expect(said.request).toEqual({
      header: { 'Nats-Trace-Dest': [expect.stringMatching(/^traces/)], 'X-Own': ['v'] },
      msgsize: expect.any(Number),
    });
    expect(Object.keys(said.events[0])).toEqual(['type', 'ts', 'kind', 'cid', 'name', 'acc', 'subj']);
    expect(Object.keys(said.events[1])).toEqual(['type', 'ts', 'kind', 'cid', 'name', 'sub']);
    expect(eventsOf(said)).toEqual([
      { type: 'in', kind: 0, ...any, name: 'sender', acc: 'A', subj: 'news.one' },
      { type: 'eg', kind: 0, ...any, name: 'other', sub: 'news.*' },
      { type: 'eg', kind: 0, ...any, name: 'other', sub: 'news.>', queue: 'q' },
    ]);
  });

  it('is delivered, and not when only the trace is wanted', async () => {
    const { url } = await start(CONFIG);
    const ann = await client(url, 'ann');
    const got: string[] = [];
    ann.subscribe('news', { callback: (_, message) => void got.push(message.string()) });
    const only = await trace(ann, 'news', { only: true });
    expect(eventsOf(only).map(({ type }) => type)).toEqual(['in', 'eg']);
    expect(got).toEqual([]);
    await trace(ann, 'news');
    expect(got).toEqual(['hello']);
  });

  it('names the subject that a mapping gave it', async () => {
    const { url } = await start(CONFIG);
    const ann = await client(url, 'ann');
    await listen(ann, 'new.*');
    expect(eventsOf(await trace(ann, 'old.x'))).toEqual([
      { type: 'in', kind: 0, ...any, acc: 'A', subj: 'old.x' },
      { type: 'sm', to: 'new.x' },
      { type: 'eg', kind: 0, ...any, sub: 'new.*' },
    ]);
  });

  it('says what its sender may not do, and why a receiver did not get it', async () => {
    const { url } = await start(CONFIG);
    const low = await client(url, 'low');
    const denied = await trace(low, 'no');
    expect(eventsOf(denied)).toEqual([
      { type: 'in', kind: 0, ...any, acc: 'A', subj: 'no', error: 'Permissions Violation for Publish to "no"' },
    ]);
    const picky = await client(url, 'picky', { noEcho: true });
    await listen(picky, 'secret.*');
    const echo = await trace(picky, 'secret.yes');
    expect(eventsOf(echo)[1]).toMatchObject({ type: 'eg', error: 'Not delivered because of no echo' });
    const ann = await client(url, 'ann');
    expect(eventsOf(await trace(ann, 'secret.no'))[1]).toMatchObject({
      type: 'eg',
      error: 'Not delivered because subscription denies this subject',
    });
  });

  it('goes nowhere when its trace may not', async () => {
    const { url } = await start(CONFIG);
    const [low, ann] = [await client(url, 'low'), await client(url, 'ann')];
    const got: string[] = [];
    ann.subscribe('ok', { callback: (_, message) => void got.push(message.string()) });
    await ann.flush();
    const set = headers();
    set.set('Nats-Trace-Dest', 'elsewhere');
    low.publish('ok', 'lost', { headers: set });
    low.publish('ok', 'kept');
    await low.flush();
    await ann.flush();
    expect(got).toEqual(['kept']);
  });

  it('is followed into another account’s service as far as that allows', async () => {
    const { url } = await start(CONFIG);
    const [ann, bob] = [await client(url, 'ann'), await client(url, 'bob', { name: 'service' })];
    bob.subscribe('svc.*', { callback: (_, message) => void message.respond('done') });
    await bob.flush();
    const egress = { type: 'eg', kind: 0, ...any, name: 'service', acc: 'B', sub: 'svc.*' };
    expect(eventsOf(await trace(ann, 'svc.open')).slice(1)).toEqual([
      { type: 'si', acc: 'B', from: 'svc.open', to: 'svc.open' },
      egress,
    ]);
    expect(eventsOf(await trace(ann, 'shut')).slice(1)).toEqual([
      { type: 'si', acc: 'B', from: 'shut', to: 'svc.shut' },
    ]);
    const seen: Json[] = [];
    bob.subscribe('svc.shut', {
      queue: 'one',
      callback: (_, message) => void seen.push({ to: message.headers?.get('Nats-Trace-Dest') }),
    });
    await bob.flush();
    expect(eventsOf(await trace(ann, 'shut', { only: true })).slice(1)).toHaveLength(1);
    await bob.flush();
    expect(seen).toEqual([]);
    await trace(ann, 'shut');
    await bob.flush();
    expect(seen).toEqual([{ to: 'trace disabled' }]);
  });

  it('is followed into accounts that import it as part of a stream, as far as the import allows', async () => {
    const { url } = await start(CONFIG);
    const [ann, bob] = [await client(url, 'ann'), await client(url, 'bob', { name: 'reader' })];
    await listen(bob, 'a.public.*', 'hidden.*');
    expect(eventsOf(await trace(ann, 'public.x')).slice(1)).toEqual([
      { type: 'se', acc: 'B', to: 'a.public.x' },
      { type: 'eg', kind: 0, ...any, name: 'reader', acc: 'B', sub: expect.stringMatching(/public\.\*$/) },
    ]);
    expect(eventsOf(await trace(ann, 'hidden.x')).slice(1)).toEqual([{ type: 'se', acc: 'B', to: 'hidden.x' }]);
  });

  it('follows a sampled traceparent to where the account wants traces', async () => {
    const { url } = await start(CONFIG);
    const ann = await client(url, 'ann');
    const parent = (flags: string) => ({
      traceParent: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-${flags}`,
    });
    const said = await trace(ann, 'news', { dest: 'traces.account', more: parent('01') });
    expect(said.request.header).toEqual({ traceParent: [expect.stringMatching(/-01$/)] });
    const set = headers();
    set.set('traceparent', parent('00').traceParent);
    ann.publish('unsampled', '', { headers: set });
    expect(eventsOf(await trace(ann, 'after', { dest: 'traces.account', more: parent('03') }))[0].subj).toBe('after');
  });

  it('says what a stream makes of it', async () => {
    const folder = tempFolder();
    const { url } = await start(`jetstream { store_dir: ${JSON.stringify(folder.path)} }`);
    try {
      const ann = await connect({ servers: url, reconnect: false });
      open.push(ann);
      const { streams } = await jetstreamManager(ann);
      await streams.add({
        name: 'S',
        subjects: ['s.>'],
        subject_transform: { src: 's.*', dest: 's.t.{{wildcard(1)}}' },
      });
      await streams.add({ name: 'I', subjects: ['i'], retention: 'interest', max_msg_size: 100 });
      expect(eventsOf(await trace(ann, 's.x', { only: true })).slice(1)).toEqual([
        { type: 'js', stream: 'S', subject: 's.t.x' },
      ]);
      expect((await streams.info('S')).state.messages).toBe(0);
      await trace(ann, 's.x', { more: { 'Nats-Msg-Id': 'one' } });
      expect((await streams.info('S')).state.messages).toBe(1);
      expect((await streams.getMessage('S', { seq: 1 }))?.header.get('Nats-Trace-Dest')).toBe('trace disabled');
      expect(eventsOf(await trace(ann, 's.x', { more: { 'Nats-Msg-Id': 'one' } }))[1]).toMatchObject({
        type: 'js',
        stream: 'S',
        error: expect.stringMatching(/duplicate/),
      });
      expect(eventsOf(await trace(ann, 'i'))[1]).toEqual({ type: 'js', stream: 'I', subject: 'i', nointerest: true });
      expect(eventsOf(await trace(ann, 'i', { more: { 'X-Long': 'x'.repeat(100) } }))[1]).toMatchObject({
        type: 'js',
        error: expect.stringMatching(/exceed/),
      });
    } finally {
      folder.remove();
    }
  });
});
