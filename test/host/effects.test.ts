import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { emit, log, metric, records, writingGuest } from '../hostile/guest.js';
import { AccountOfOne } from './account-of-one.js';

let account: AccountOfOne;
beforeEach(() => {
  account = new AccountOfOne();
});
afterEach(() => account.host.close());

const PASS = 0;
const DROP = 1;
const REJECT = 3;
const event = { subject: 'in.a', payload: 'p' };
const causeOf = (name: string) => account.host.attachments.get(name)!.fault;

describe('an emit', () => {
  const hot = emit('alerts.a', 'hot', { reply: 'answers', headers: 'NATS/1.0\r\nA: 1\r\n\r\n' });

  test('waits behind its message, and goes through plugins as any message', async () => {
    await account.bring('p', await writingGuest(PASS, hot), { grants: { emit: ['alerts.>'] } });
    expect(account.send(event)).toMatchObject({ outcome: 'pass', message: { payload: 'p' } });
    const parts = { reply: 'answers', headers: 'NATS/1.0\r\nA: 1\r\n\r\n', payload: 'hot' };
    expect(account.emitted()).toEqual([{ subject: 'alerts.a', ...parts, direct: false, hops: 1 }]);
  });

  test.each([
    ['a message that is dropped', DROP],
    ['one that is rejected', REJECT],
  ])('is made of %s, too', async (_what, verdict) => {
    await account.bring('p', await writingGuest(verdict, hot), { grants: { emit: ['alerts.>'] } });
    account.send(event);
    expect(account.emitted()).toMatchObject([{ subject: 'alerts.a' }]);
  });

  test('keeps the order in which the plugin wrote them', async () => {
    const four = records(emit('b.1'), emit('a.2'), emit('b.3'), emit('a.4'));
    await account.bring('p', await writingGuest(PASS, four), { grants: { emit: ['a.*', 'b.*'] } });
    account.send(event);
    expect(account.emitted().map(({ subject }) => subject)).toEqual(['b.1', 'a.2', 'b.3', 'a.4']);
    expect(account.host.attachments.get('p')?.counters.emits).toBe(4);
  });

  test.each<[what: string, grants: object, text: RegExp]>([
    ['no grant', {}, /^the effect "emit" is not granted/],
    ['an empty one', { emit: [] }, /^the effect "emit" is not granted/],
    [
      'one for other subjects',
      { emit: ['alerts', 'alerts.b', 'alarms.>'] },
      /"alerts\.a" is not granted; granted is alerts, /,
    ],
  ])('is a fault with %s: nothing of what was written is done', async (_what, grants, text) => {
    const outbox = records(log(1, 'seen'), hot);
    await account.bring('p', await writingGuest(PASS, outbox), { grants: { log: true, ...grants } });
    expect(account.send(event).outcome).toBe('drop');
    expect(causeOf('p')).toMatchObject({ cause: 'guest-error', text: expect.stringMatching(text) });
    expect(account.emitted()).toMatchObject([{ subject: '$WEIR.DEAD.p' }]);
  });
});

describe('a log line', () => {
  test('goes to the attachment’s own subject, past all plugins', async () => {
    await account.bring('p', await writingGuest(PASS, records(log(0, 'd'), log(3, 'é\n'))), { grants: { log: true } });
    account.send(event);
    const line = { subject: '$WEIR.LOG.p', reply: '', direct: true };
    expect(account.emitted()).toMatchObject([
      { ...line, headers: 'NATS/1.0\r\nWeir-Attachment: p\r\nWeir-Level: debug\r\n\r\n', payload: 'd' },
      { ...line, headers: 'NATS/1.0\r\nWeir-Attachment: p\r\nWeir-Level: error\r\n\r\n', payload: 'é\n' },
    ]);
  });

  test('is one of fifty in a second; the others are counted', async () => {
    await account.bring('p', await writingGuest(PASS, log(1, 'a')), { grants: { log: true } });
    for (let i = 0; i < 60; i++) account.send(event);
    expect(account.emitted()).toHaveLength(50);
    expect(account.host.attachments.get('p')?.counters).toMatchObject({ logs: 50, logsDropped: 10 });
    account.clock.advance(1_000);
    account.send(event);
    expect(account.emitted()).toHaveLength(1);
  });

  test('needs its grant', async () => {
    await account.bring('p', await writingGuest(PASS, log(1, 'a')), { grants: { metric: true, emit: ['>'] } });
    account.send(event);
    expect(causeOf('p').text).toBe('the effect "log" is not granted to this attachment');
  });
});

describe('a metric', () => {
  test('adds up when it counts, and is the last value otherwise', async () => {
    const three = records(metric(0, 'seen', 2), metric(1, 'level', -3), metric(2, 'took_ms', 0.5));
    await account.bring('p', await writingGuest(PASS, three), { grants: { metric: true } });
    for (let i = 0; i < 3; i++) account.send(event);
    expect(account.host.attachments.get('p')?.counters.metrics).toEqual({ seen: 6, level: -3, took_ms: 0.5 });
    expect(account.emitted()).toEqual([]);
  });

  test('needs its grant', async () => {
    await account.bring('p', await writingGuest(PASS, metric(0, 'a', 1)), { grants: { log: true } });
    account.send(event);
    expect(causeOf('p').text).toBe('the effect "metric" is not granted to this attachment');
  });
});

describe('the kill switch', () => {
  test('takes all plugins out of the path at once, and puts them back as they were', async () => {
    await account.bring('p', await writingGuest(DROP, new Uint8Array()));
    expect(account.send(event).outcome).toBe('drop');
    account.host.attachments.setEnabled(false);
    expect(account.send(event).outcome).toBe('no chain');
    account.host.attachments.setEnabled(true);
    expect(account.send(event).outcome).toBe('drop');
    expect(account.host.attachments.get('p')?.counters).toMatchObject({ calls: 2, dropped: 2, renewals: 1 });
  });
});
