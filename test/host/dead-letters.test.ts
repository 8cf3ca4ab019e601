import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailureAction } from '../../src/host/declarations.js';
import { guest, Kind, record, writingGuest } from '../hostile/guest.js';
import { AccountOfOne } from './account-of-one.js';

let account: AccountOfOne;
beforeEach(() => {
  account = new AccountOfOne();
});
afterEach(() => account.host.close());

const failing = (text: string) => writingGuest(-1, record(Kind.error, text));
const traps = () => guest({ message: 'unreachable' });

describe('a dead letter', () => {
  test('is the message as it was, behind headers that say what happened', async () => {
    await account.bring('broken', await failing('no temperature'));
    const headers = 'NATS/1.0\r\nUnit: C\r\nWeir-Cause: none\r\n\r\n';
    expect(account.send({ subject: 'in.a', headers, payload: '{"a":1}' }).outcome).toBe('drop');
    const [letter, ...rest] = account.emitted();
    expect(rest).toEqual([]);
    const fuel = /^Weir-Fuel: (\d+)\r$/m.exec(letter.headers)?.[1];
    expect(Number(fuel)).toBeGreaterThan(0);
    expect(letter).toEqual({
      subject: '$WEIR.DEAD.broken',
      reply: '',
      headers: [
        'NATS/1.0',
        'Weir-Attachment: broken',
        'Weir-Plugin: broken',
        'Weir-Version: 1',
        'Weir-Cause: guest-error',
        'Weir-Error: weir_message answered -1: no temperature',
        `Weir-Fuel: ${fuel}`,
        'Weir-Subject: in.a',
        'Unit: C',
        // The publisher's own come last: the first header of a name is Weir's.
        'Weir-Cause: none',
        '\r\n',
      ].join('\r\n'),
      payload: '{"a":1}',
      direct: true,
      hops: 0,
    });
  });

  test('names the reply subject, when the policy keeps a request', async () => {
    await account.bring('broken', await traps(), { failure: { default: 'dead-letter' } });
    account.send({ subject: 'in.a', reply: 'answers.1' });
    const [letter] = account.emitted();
    expect(letter.reply).toBe('');
    expect(letter.headers).toContain('\r\nWeir-Cause: trap\r\n');
    expect(letter.headers).toMatch(/\r\nWeir-Subject: in\.a\r\nWeir-Reply: answers\.1\r\n\r\n$/);
  });

  test('keeps the error to one line of a thousand characters', async () => {
    await account.bring('broken', await failing(`a\r\nWeir-Subject: b\r\n${'x'.repeat(2000)}`));
    account.send({ subject: 'in.a' });
    const [letter] = account.emitted();
    expect(letter.headers).toContain('\r\nWeir-Error: weir_message answered -1: a Weir-Subject: b xxx');
    expect(letter.headers.match(/^Weir-Subject: .*$/gm)).toEqual(['Weir-Subject: in.a']);
    expect(/^Weir-Error: (.*)\r$/m.exec(letter.headers)?.[1].length).toBeLessThanOrEqual(1001);
  });
});

describe('what is done with a message whose plugin failed', () => {
  const request = { subject: 'in.a', reply: 'answers', payload: 'p' };
  const event = { subject: 'in.a', payload: 'p' };

  test('without a policy: a request is told, an event is kept', async () => {
    await account.bring('broken', await traps());
    expect(account.send(request)).toMatchObject({ outcome: 'reject', code: 500, text: 'plugin broken failed (trap)' });
    expect(account.emitted()).toEqual([]);
    expect(account.send(event).outcome).toBe('drop');
    expect(account.emitted()).toMatchObject([{ subject: '$WEIR.DEAD.broken' }]);
  });

  test('of an observer, without a policy: it goes on', async () => {
    await account.bring('broken', await traps(), { phase: 'observe' });
    expect(account.send(event)).toMatchObject({ outcome: 'pass', message: { payload: 'p' } });
  });

  test.each<[action: FailureAction, outcome: string, letters: number]>([
    ['reject', 'reject', 0],
    ['dead-letter', 'drop', 1],
    ['drop', 'drop', 0],
    ['pass', 'replace', 0],
    ['bypass-chain', 'pass', 0],
  ])('%s', async (action, outcome, letters) => {
    await account.bring('broken', await traps(), { order: 1, failure: { default: 'drop', trap: action } });
    await account.bring('next', await writingGuest(2, record(Kind.payload, 'by the next')), { order: 2 });
    expect(account.send(event).outcome).toBe(outcome);
    expect(account.emitted()).toHaveLength(letters);
    // Only `pass` goes on through the chain.
    expect(account.host.attachments.get('next')?.counters.calls).toBe(action === 'pass' ? 1 : 0);
  });

  test('while the plugin is quarantined, by the policy for "unavailable"', async () => {
    await account.bring('broken', await traps(), { failure: { trap: 'drop', unavailable: 'bypass-chain' } });
    const seen = Array.from({ length: 7 }, () => account.send(event).outcome);
    expect(seen).toEqual(['drop', 'drop', 'drop', 'drop', 'drop', 'pass', 'pass']);
    const attachment = account.host.attachments.get('broken')!;
    expect(attachment.counters).toMatchObject({ calls: 5, faults: { trap: 5, unavailable: 2 } });
    account.clock.advance(1_000);
    expect(account.send(event).outcome).toBe('drop');
    expect(attachment.counters.calls).toBe(6);
  });
});
