// Traces of messages that wait for plugins beside the event loop.
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { guest, Kind, record, writingGuest } from '../hostile/guest.js';
import { addressOf, RawClient } from '../kit/raw-client.js';
import { optionsOf } from '../kit/servers.js';
import { until } from '../kit/wait.js';
import { countingGuest, numberIn } from './counting.js';
import { callApi, Stage, verdictGuest } from './stage.js';
import { type Json, traceOf } from './traces.js';

const DEADLINE_MS = 20_000;
vi.setConfig({ testTimeout: 60_000 });
const PASS = 0;
const DROP = 1;
const REPLACE = 2;
const BESIDE = { tier: 'worker', metering: 'off' };
const STUCK_AT_ONE_BYTE = '(if (i32.eq (local.get 7) (i32.const 1)) (then (loop (br 0)))) i32.const 0';
const FOR_EVER = '(loop (br 0)) i32.const 0';

const traced = (block: string, payload: string) =>
  `HPUB slow.in ${block.length} ${block.length + payload.length}\r\n${block}${payload}\r\n`;
const told = ({ events }: Json) =>
  events.map(({ type, acc, sub, to, error }: Json) => ({ type, acc, sub, to, error: error?.toString() }));
const named = ({ plugins = [] }: Json) => plugins.map(({ attachment, verdict }: Json) => `${attachment} ${verdict}`);

describe('the trace of a message that waits for a plugin in a worker', () => {
  let stage: Stage;
  const opened: NatsConnection[] = [];
  beforeEach(async () => {
    stage = await Stage.open();
  });
  afterEach(async () => {
    for (const connection of opened.splice(0)) await connection.close();
    await stage.close();
  });
  const another = async () => {
    const connection = await connect({ servers: stage.server.clientUrl });
    opened.push(connection);
    return connection;
  };
  const attachmentOf = (name: string) => stage.server.host.attachments.get(name)!;

  it('names those before and behind it on the event loop, and those of its receivers, in their order', async () => {
    const common = { subject: 'mixed' };
    await stage.bring('first', await verdictGuest(PASS), { ...common, phase: 'validate' });
    await stage.bring('beside', await writingGuest(REPLACE, record(Kind.payload, 'new')), { ...common, ...BESIDE });
    await stage.bring('last', await writingGuest(REPLACE, record(Kind.subject, 'other')), {
      ...{ ...common, order: 3 },
    });
    await stage.bring('receivers', await verdictGuest(DROP), {
      ...{ subject: 'other', stage: 'deliver', receivers: { queue: 'q' } },
    });
    const got = await stage.listen('other');
    stage.client.subscribe('other', { queue: 'q', callback: () => {} });
    // Calls are timed now and then: those that are traced always are.
    for (let i = 1; i <= 3; i++) {
      const said = await traceOf(stage.client, 'mixed');
      const cost = { ns: expect.any(Number), fuel: expect.any(Number), version: 1, acc: '$G' };
      expect(said.plugins).toEqual([
        expect.objectContaining({ attachment: 'first', phase: 'validate', verdict: 'pass', ...cost }),
        expect.objectContaining({ attachment: 'beside', stage: 'publish', verdict: 'replace', ...cost }),
        expect.objectContaining({ attachment: 'last', stage: 'publish', verdict: 'replace', to: 'other', ...cost }),
        expect.objectContaining({ attachment: 'receivers', stage: 'deliver', verdict: 'drop', ...cost }),
      ]);
      expect(said.plugins.every(({ ns }: Json) => ns > 0)).toBe(true);
      const times = said.plugins.map(({ ts }: Json) => ts);
      expect(times).toEqual([...times].sort());
      expect(told(said)).toMatchObject([
        { type: 'in', error: undefined },
        { type: 'eg', sub: 'other', error: undefined },
        { type: 'eg', sub: 'other', error: 'Not delivered because a plugin dropped it for this receiver' },
      ]);
      // It was delivered when the trace came.
      expect(got.map((message) => message.string())).toEqual(Array(i).fill('new'));
    }
  });

  it('says what the failure policy made of it when the worker was stuck, and why nobody was asked afterwards', async () => {
    const stuck = { ...BESIDE, budget: { watchdog_ms: 20 } };
    await stage.bring('slow', await guest({ message: FOR_EVER }), { ...stuck, failure: { watchdog: 'pass' } });
    const got = await stage.listen('slow.in');
    const said = await traceOf(stage.client, 'slow.in');
    expect(said.plugins).toEqual([
      expect.objectContaining({
        ...{ attachment: 'slow', verdict: 'fault', action: 'pass', fuel: 0, ns: expect.any(Number) },
        error: expect.stringMatching(/^watchdog: the call had not ended after \d+ ms; 20 are allowed/),
      }),
    ]);
    expect(said.plugins[0].ns).toBeGreaterThan(19e6);
    expect(told(said).map(({ type }: Json) => type)).toEqual(['in', 'eg']);
    await until(() => got.length === 1, 'the message', DEADLINE_MS);
    let last = said;
    for (let i = 0; i < 20 && !attachmentOf('slow').breaker.quarantined; i++)
      last = await traceOf(stage.client, 'slow.in');
    last = await traceOf(stage.client, 'slow.in');
    expect(last.plugins).toEqual([
      expect.objectContaining({ verdict: 'fault', action: 'dead-letter', fuel: 0, ns: 0 }),
    ]);
    expect(last.plugins[0].error).toBe('unavailable: the attachment is quarantined after repeated faults');
    expect(last.events[0].error).toBe('Dropped by a plugin');
  });

  it('tells a publisher of a reject, and that nobody answers, as without a trace', async () => {
    await stage.bring('no', await writingGuest(3, record(Kind.error, 'no'), { code: 403 }), BESIDE);
    await stage.bring('gone', await verdictGuest(DROP), BESIDE);
    const answers = await stage.listen('answers');
    const rejected = await traceOf(stage.client, 'no.in', { reply: 'answers' });
    expect(rejected.events[0].error).toBe('Rejected by a plugin: 403 no');
    const dropped = await traceOf(stage.client, 'gone.in', { reply: 'answers' });
    expect(dropped.events[0].error).toBe('Dropped by a plugin');
    await until(() => answers.length === 2, 'both answers', DEADLINE_MS);
    expect(answers.map(({ headers }) => headers?.code)).toEqual([403, 503]);
  });

  it('comes for each of many, which stay in their order among others, and are not counted as samples', async () => {
    const messages = 3_000;
    await stage.bring('pass', await verdictGuest(PASS), BESIDE);
    const seen: string[] = [];
    for (const subject of ['pass.in', 'plain'])
      stage.client.subscribe(subject, { callback: (_, message) => void seen.push(message.string()) });
    const saidOf: number[] = [];
    stage.client.subscribe('traces', {
      callback: (_, message) => {
        const said = message.json<Json>();
        expect(named(said)).toEqual(said.events[0].subj === 'plain' ? [] : ['pass pass']);
        saidOf.push(said.request.header.At[0]);
      },
    });
    await stage.client.flush();
    const publisher = await another();
    const sent: string[] = [];
    for (let i = 0; i < messages; i++) {
      const set = headers();
      set.set('Nats-Trace-Dest', 'traces');
      set.set('At', String(i));
      publisher.publish(i % 3 === 0 ? 'plain' : 'pass.in', String(i), i % 5 === 0 ? {} : { headers: set });
      sent.push(String(i));
    }
    await publisher.flush();
    await until(() => seen.length >= messages, 'all messages', DEADLINE_MS);
    expect(seen).toEqual(sent);
    const asked = sent.filter((_, i) => i % 5 !== 0);
    await until(() => saidOf.length >= asked.length, 'all traces', DEADLINE_MS);
    expect(saidOf).toEqual(asked);
    const { calls, timedCalls } = attachmentOf('pass').counters;
    expect(calls).toBe((messages * 2) / 3);
    expect(timedCalls).toBeLessThan(calls / 32);
  });

  it('holds its publisher while too many wait', async () => {
    const messages = 3_000;
    await stage.bring('slow', await guest({ message: STUCK_AT_ONE_BYTE }), {
      ...BESIDE,
      budget: { watchdog_ms: 2_000 },
    });
    const got = await stage.listen('slow.in');
    const publisher = await another();
    publisher.publish('slow.in', 'x');
    const set = headers();
    set.set('Nats-Trace-Dest', 'traces');
    for (let i = 0; i < messages; i++) publisher.publish('slow.in', 'many', { headers: set });
    const { seat } = attachmentOf('slow');
    await until(() => seat!.depth > 1, 'some of them', DEADLINE_MS);
    let most = 0;
    await until(
      () => {
        most = Math.max(most, seat!.depth);
        return got.length >= messages;
      },
      'all of them',
      DEADLINE_MS,
    );
    expect(most).toBeGreaterThan(100);
    expect(most).toBeLessThanOrEqual(1_024);
    expect(got.length).toBe(messages);
  });

  it('comes when its client is gone, in the place of the message among those before and behind it', async () => {
    await stage.bring('slow', await guest({ message: STUCK_AT_ONE_BYTE }), {
      ...{ ...BESIDE, budget: { watchdog_ms: 2_000 }, failure: { watchdog: 'pass' } },
    });
    const got = await stage.listen('slow.in');
    const traces = await stage.listen('traces');
    const raw = await RawClient.connected(addressOf(stage.server.clientUrl), { headers: true });
    const dest = 'NATS/1.0\r\nNats-Trace-Dest: traces\r\n';
    raw.send(`PUB slow.in 1\r\nx\r\n${traced(`${dest}\r\n`, 'traced')}`);
    raw.send(`${traced(`${dest}Nats-Trace-Only: 1\r\n\r\n`, 'only')}PUB slow.in 6\r\nbehind\r\n`);
    await until(() => attachmentOf('slow').seat!.depth === 2, 'the traced message', DEADLINE_MS);
    await raw.close();
    await until(() => stage.server.door.sessions.size === 1, 'the client to be gone', DEADLINE_MS);
    expect(got).toHaveLength(0);
    await until(() => traces.length === 2 && got.length === 3, 'all of it', DEADLINE_MS);
    expect(got.map((message) => message.string())).toEqual(['x', 'traced', 'behind']);
    const [delivered, only] = traces.map((message) => message.json<Json>());
    expect(named(delivered)).toEqual(['slow pass']);
    expect(told(delivered).map(({ type }: Json) => type)).toEqual(['in', 'eg']);
    // Without metering no copy is asked on the event loop.
    expect(named(only)).toEqual(['slow fault']);
  });

  it('names the version that judged it when another one took over while it waited', async () => {
    await stage.bring('count', await countingGuest(), { ...BESIDE, grants: { state: true } });
    const got = await stage.listen('count.in');
    await stage.done('PLUGIN.INSTALL.count', await countingGuest({ step: 10 }));
    const { seat } = attachmentOf('count');
    const save = seat!.save.bind(seat);
    let goOn = () => {};
    const saving = vi.spyOn(seat!, 'save').mockImplementation(async () => {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      return save();
    });
    const swapped = stage.done('ATTACHMENT.SWAP.count');
    await until(() => saving.mock.calls.length > 0, 'the swap', DEADLINE_MS);
    const trace = traceOf(await another(), 'count.in');
    await until(() => seat!.depth === 1, 'the traced message', DEADLINE_MS);
    goOn();
    await swapped;
    const said = await trace;
    expect(said.plugins).toEqual([
      expect.objectContaining({ attachment: 'count', version: 2, verdict: 'replace', ns: expect.any(Number) }),
    ]);
    expect(got.map(({ data }) => numberIn(data))).toEqual([10]);
  });
});

const CONFIG = `accounts {
  A {
    users: [{ user: a, password: x }]
    exports: [{ stream: "s.>" }, { stream: "h.>" }]
    imports: [{ service: { account: B, subject: "svc" } }]
  }
  B {
    users: [{ user: b, password: x }]
    exports: [{ service: "svc", allow_trace: true }]
    imports: [
      { stream: { account: A, subject: "s.>" }, allow_trace: true }
      { stream: { account: A, subject: "h.>" } }
    ]
  }
}`;

describe('the trace of a message that waits in the account that imports it', () => {
  let stage: Stage;
  let b: NatsConnection;
  beforeEach(async () => {
    stage = await Stage.open(await optionsOf(CONFIG), {}, { user: 'a', pass: 'x' });
    b = await connect({ servers: stage.server.clientUrl, user: 'b', pass: 'x', name: 'reader' });
  });
  afterEach(async () => {
    await b.close();
    await stage.close();
  });
  const bringToB = async (name: string, wasm: Uint8Array, definition: object) => {
    for (const [operation, body] of [
      [`PLUGIN.INSTALL.${name}`, wasm],
      [`ATTACHMENT.CREATE.${name}`, { plugin: name, ...BESIDE, ...definition }],
    ] as const)
      expect((await callApi(b, operation, body)).error).toBeUndefined();
  };
  const listen = async (subject: string, queue?: string) => {
    const got: string[] = [];
    b.subscribe(subject, { ...(queue && { queue }), callback: (_, message) => void got.push(message.string()) });
    await b.flush();
    return got;
  };

  it('is whole when plugins of both accounts have answered', async () => {
    await stage.bring('here', await verdictGuest(PASS), { ...BESIDE, subject: 's.*' });
    await bringToB('there', await writingGuest(REPLACE, record(Kind.payload, 'new')), { subject: 's.*' });
    const [plain, queued] = [await listen('s.x'), await listen('s.x', 'q')];
    const inA = await stage.listen('s.x');
    const said = await traceOf(stage.client, 's.x');
    expect(said.plugins).toMatchObject([
      { attachment: 'here', acc: 'A', verdict: 'pass', ns: expect.any(Number) },
      { attachment: 'there', acc: 'B', verdict: 'replace', ns: expect.any(Number) },
    ]);
    const sorted = told(said).map(({ type, acc, sub }: Json) => [type, acc, sub].join(' '));
    expect(sorted).toEqual(['in A ', 'eg  s.x', 'se B ', 'eg B s.x', 'se B ', 'eg B s.x']);
    await b.flush();
    expect([inA.map((message) => message.string()), plain, queued]).toEqual([['hello'], ['new'], ['new']]);
  });

  it('says nothing of plugins where the import does not allow it, and names no reject of there as the publisher’s', async () => {
    await bringToB('hidden', await verdictGuest(PASS), { subject: 'h.*' });
    await bringToB('rejects', await writingGuest(3, record(Kind.error, 'no'), { code: 403 }), { subject: 's.*' });
    const got = await listen('h.x');
    const hidden = await traceOf(stage.client, 'h.x');
    expect(hidden.plugins).toBeUndefined();
    expect(told(hidden).map(({ type }: Json) => type)).toEqual(['in', 'se']);
    await b.flush();
    expect(got).toEqual(['hello']);
    await listen('s.x');
    const rejected = await traceOf(stage.client, 's.x');
    expect(named(rejected)).toEqual(['rejects reject']);
    expect(told(rejected)).toMatchObject([{ type: 'in', error: undefined }]);
  });

  it('follows a request to a service, and its answer comes', async () => {
    await bringToB('ask', await verdictGuest(PASS), { subject: 'svc' });
    b.subscribe('svc', { callback: (_, message) => void message.respond('done') });
    await b.flush();
    const answers = await stage.listen('answers');
    const said = await traceOf(stage.client, 'svc', { reply: 'answers' });
    expect(named(said)).toEqual(['ask pass']);
    expect(told(said).map(({ type, acc }: Json) => [type, acc])).toEqual([
      ['in', 'A'],
      ['si', 'B'],
      ['eg', 'B'],
    ]);
    await until(() => answers.length === 1, 'the answer', DEADLINE_MS);
    expect(answers[0].string()).toBe('done');
  });

  it('says when there is no room for it before the plugins there', async () => {
    const requests = 5 * 1024;
    await bringToB('slow', await guest({ message: FOR_EVER }), { subject: 'svc', budget: { watchdog_ms: 5_000 } });
    for (let i = 0; i < requests; i++) stage.client.publish('svc', 'x');
    const said = await traceOf(stage.client, 'svc');
    expect(said.plugins).toEqual([
      expect.objectContaining({
        ...{ attachment: 'slow', acc: 'B', verdict: 'fault', action: 'dead-letter', fuel: 0, ns: 0 },
        error: 'overload: too many messages wait for its worker already',
      }),
    ]);
  });
});
