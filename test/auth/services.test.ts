import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { as } from '../kit/connections.js';
import { judged } from '../kit/judged.js';
import { sleep, until } from '../kit/wait.js';

const DEADLINE_MS = 10_000;
// biome-ignore lint/suspicious/noExplicitAny: measurements are looked into at will, and every look is an expectation.
type Json = Record<string, any>;

/** What goes between accounts that ask and accounts that answer. */
judged('services of another account', (start) => {
  /** A offers, B and C import; each account has one user of its own name. */
  const accounts = (offer: string, { imports = 'svc', share = false, more = '' } = {}) => `accounts {
    A { users: [{ user: A, password: p }], exports: [${offer}] }
    B { users: [{ user: B, password: p }], imports: [{ service: { account: A, subject: ${imports} }, share: ${share} }] }
    ${more}
  }`;

  /** What is published of the service's answers. */
  const measured = async (connection: NatsConnection) => {
    const metrics: Json[] = [];
    connection.subscribe('lat', { callback: (_, message) => void metrics.push(message.json() as Json) });
    await connection.flush();
    return metrics;
  };
  const measuredOne = async (metrics: Json[]) => {
    await until(() => metrics.length > 0, 'a measurement', DEADLINE_MS);
    return metrics.splice(0)[0];
  };
  const echo = async (connection: NatsConnection) => {
    connection.subscribe('svc', { callback: (_, message) => void message.respond(message.data) });
    await connection.flush();
  };
  const ask = (connection: NatsConnection, options = {}) =>
    connection.request('svc', '', { timeout: DEADLINE_MS, ...options });

  it.each([true, false])('are measured, share: %s', async (share) => {
    const { url } = await start(accounts('{ service: svc, latency: lat }', { share }));
    const [a, b] = [await as(url, 'A', { name: 'service' }), await as(url, 'B', { name: 'client' })];
    const metrics = await measured(a);
    await echo(a);
    await ask(b);
    const metric = await measuredOne(metrics);
    expect(Object.keys(metric)).toEqual(
      'type id timestamp status requestor responder start service system total'.split(' '),
    );
    expect(metric).toMatchObject({
      type: 'io.nats.server.metric.v1.service_latency',
      id: expect.stringMatching(/^\w{22}$/),
      status: 200,
      requestor: { acc: 'B' },
      responder: { acc: 'A', user: 'A', name: 'service', kind: 'Client', host: '127.0.0.1' },
      service: expect.any(Number),
      total: expect.any(Number),
    });
    expect(metric.requestor.name).toBe(share ? 'client' : undefined);
    expect(metric.total).toBeGreaterThanOrEqual(metric.service);
    expect(Math.abs(Date.parse(metric.timestamp) - Date.parse(metric.start))).toBeLessThan(DEADLINE_MS);
  });

  it('are measured when they fail, too', async () => {
    const { url } = await start(accounts('{ service: svc, latency: lat, threshold: "200ms" }'));
    const [a, b] = [await as(url, 'A'), await as(url, 'B')];
    const metrics = await measured(a);
    const failure = async (status: number, description: string) => {
      const metric = await measuredOne(metrics);
      const keys = Object.keys(metric).filter((key) => key !== 'requestor');
      expect(keys.join(' ')).toBe('type id timestamp status description start service system total');
      expect(metric).toMatchObject({ status, description, service: 0, total: 0 });
      if (metric.requestor !== undefined) expect(metric.requestor.acc).toBe('B');
    };
    await expect(ask(b)).rejects.toThrow(/no responders/i);
    await failure(503, 'Service Unavailable');
    b.publish('svc', '');
    await failure(400, 'Bad Request');
    const silent = a.subscribe('svc', { callback: () => {} });
    await a.flush();
    const inbox = b.subscribe('answers', { callback: () => {} });
    b.publish('svc', '', { reply: 'answers' });
    await failure(504, 'Service Timeout');
    b.publish('svc', '', { reply: 'answers' });
    inbox.unsubscribe();
    await failure(408, 'Request Timeout');
    silent.unsubscribe();
  });

  it.each([
    [
      { 'X-B3-Sampled': '1', 'X-B3-TraceId': 'abc', other: 'x' },
      { 'X-B3-Sampled': ['1'], 'X-B3-Traceid': ['abc'] },
    ],
    [
      { 'x-b3-traceid': 'abc', 'X-B3-SpanId': 'd' },
      { 'X-B3-Spanid': ['d'], 'X-B3-Traceid': ['abc'] },
    ],
    [{ b3: '80f198ee56343ba8-e457b5a2e4d86bd1-1' }, { B3: ['80f198ee56343ba8-e457b5a2e4d86bd1-1'] }],
    [
      { 'Uber-Trace-Id': '1:2:3:1', 'uberctx-x': 'y' },
      { 'Uber-Trace-Id': ['1:2:3:1'], 'Uberctx-X': ['y'] },
    ],
    [
      { traceparent: '00-1-2-01', tracestate: 's' },
      { Traceparent: ['00-1-2-01'], Tracestate: ['s'] },
    ],
    [{ 'X-B3-Sampled': '0', 'X-B3-TraceId': 'abc' }, null],
    [{ b3: '0' }, null],
    [{ b3: 'a-b-0' }, null],
    [{ 'Uber-Trace-Id': '1:2:3:2' }, null],
    [{ traceparent: '00-1-2-00' }, null],
    [{ traceparent: '00-1-2' }, null],
    [{ other: 'x' }, null],
  ])('are measured where the headers say so: %j', async (sent, shown) => {
    const { url } = await start(accounts('{ service: svc, latency: { subject: lat, sampling: headers } }'));
    const [a, b] = [await as(url, 'A'), await as(url, 'B')];
    const metrics = await measured(a);
    await echo(a);
    const own = headers();
    for (const [name, value] of Object.entries(sent)) own.set(name, value as string);
    await ask(b, { headers: own });
    const sure = headers();
    sure.set('b3', '1');
    await ask(b, { headers: sure });
    await until(() => metrics.at(-1)?.header?.B3?.[0] === '1', 'what is surely measured', DEADLINE_MS);
    expect(metrics.slice(0, -1).map(({ header }) => header)).toEqual(shown === null ? [] : [shown]);
  });

  it('are measured by chance', async () => {
    const { url } = await start(accounts('{ service: svc, latency: { subject: lat, sampling: "40%" } }'));
    const [a, b] = [await as(url, 'A'), await as(url, 'B')];
    const metrics = await measured(a);
    await echo(a);
    await Promise.all(Array.from({ length: 300 }, () => ask(b)));
    await a.flush();
    expect(metrics.length).toBeGreaterThan(70);
    expect(metrics.length).toBeLessThan(180);
  });

  it('refuse to be measured for nothing', async () => {
    const refused = async (offer: string, why: RegExp) => {
      await expect(start(accounts(offer))).rejects.toThrow(why);
    };
    const what = (results: string) => `Error adding service latency sampling for "svc" on subject "${results}": `;
    await refused(
      '{ service: svc, response_type: stream, latency: lat }',
      new RegExp(`${what('lat')}bad service response type`),
    );
    await refused('{ service: svc, latency: svc }', new RegExp(`${what('svc')}invalid publish subject`));
    await refused('{ service: svc, latency: { subject: lat, sampling: 101 } }', /bad sampling percentage/);
    await refused('{ service: svc, latency: { sampling: 10 } }', /Latency subject required, but missing/);
    await refused('{ stream: svc, latency: lat }', /Detected latency directive on non-service/);
  });

  /** Sends the answers one after the other, `gapMs` apart, and says what came. */
  const answersOf = async (offer: string, { answers, gapMs }: { answers: string[]; gapMs: number }) => {
    const { url } = await start(accounts(offer));
    const [a, b] = [await as(url, 'A'), await as(url, 'B')];
    const heard: string[] = [];
    b.subscribe('answers', { callback: (_, message) => void heard.push(message.string()) });
    let request: Msg | null = null;
    a.subscribe('svc', { callback: (_, message) => void (request = message) });
    await Promise.all([a.flush(), b.flush()]);
    b.publish('svc', '', { reply: 'answers' });
    await until(() => request !== null, 'the request', DEADLINE_MS);
    for (const answer of answers) {
      if (gapMs > 0) await sleep(gapMs);
      request!.respond(answer);
    }
    await a.flush();
    await b.flush();
    return heard;
  };

  it.each([
    ['singleton', ['one', 'two'], ['one']],
    ['stream', ['one', 'two', '', 'after the end'], ['one', 'two', '']],
    ['chunked', ['one', 'two', '', 'after the end'], ['one', 'two', '']],
  ])('answer as often as their type says: %s', async (type, answers, heard) => {
    expect(await answersOf(`{ service: svc, response_type: ${type} }`, { answers, gapMs: 0 })).toEqual(heard);
  });

  it('answer in time, or not at all; each answer of many gives the next one as much time', async () => {
    const single = '{ service: svc, threshold: "300ms" }';
    expect(await answersOf(single, { answers: ['late'], gapMs: 1000 })).toEqual([]);
    const many = '{ service: svc, response_type: stream, threshold: "1s" }';
    expect(await answersOf(many, { answers: ['a', 'b', 'c'], gapMs: 500 })).toEqual(['a', 'b', 'c']);
  });

  it('may ask back with their answer', async () => {
    const { url } = await start(accounts('{ service: svc }'));
    const [a, b] = [await as(url, 'A'), await as(url, 'B')];
    const heard: string[] = [];
    a.subscribe('back', {
      callback: (_, message) => {
        heard.push(message.string());
        message.respond('and again');
      },
    });
    a.subscribe('svc', { callback: (_, message) => void message.respond('why?', { reply: 'back' }) });
    await a.flush();
    const question = await ask(b);
    expect([question.string(), question.reply?.startsWith('_R_.')]).toEqual(['why?', true]);
    expect((await b.request(question.reply!, 'because', { timeout: DEADLINE_MS })).string()).toBe('and again');
    expect(heard).toEqual(['because']);
  });

  it('are asked through another account, and are told who asked and through whom', async () => {
    const { url } = await start(`accounts {
      A { users: [{ user: A, password: p }], exports: [{ service: deep, latency: lat }] }
      B {
        users: [{ user: B, password: p }]
        imports: [{ service: { account: A, subject: deep }, to: mid }]
        exports: [{ service: mid, latency: lat }]
      }
      C { users: [{ user: C, password: p }], imports: [{ service: { account: B, subject: mid }, to: top, share: true }] }
    }`);
    const [a, b, c] = [await as(url, 'A'), await as(url, 'B'), await as(url, 'C', { name: 'client of C' })];
    const [ofA, ofB] = [await measured(a), await measured(b)];
    a.subscribe('deep', { callback: (_, m) => void m.respond(m.headers?.get('Nats-Request-Info')) });
    await a.flush();
    const info = (await c.request('top', '', { timeout: DEADLINE_MS })).json() as Json;
    expect(info).toMatchObject({ acc: 'C', svc: 'B', user: 'C', name: 'client of C' });
    const own = (await b.request('mid', '', { timeout: DEADLINE_MS })).json() as Json;
    expect(own.acc).toBe('B');
    expect(own.svc).toBeUndefined();
    await until(() => ofA.length === 2 && ofB.length === 1, 'the measurements', DEADLINE_MS);
    expect(ofA[0]).toMatchObject({ status: 200, requestor: { acc: 'C' }, responder: { acc: 'A' } });
    expect(ofB[0]).toMatchObject({ status: 200, requestor: { acc: 'C', name: 'client of C' } });
  });
});
