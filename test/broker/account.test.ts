import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Account } from '../../src/broker/account.js';
import { type Leg, type Publisher, type Subscriber, Subscription } from '../../src/broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../../src/message/message.js';
import { filters, matchesByExpression, subjects } from '../kit/subject-arbitraries.js';

/** Takes messages, or not, and notes those it took. */
class Listener implements Subscriber {
  readonly taken: string[] = [];
  willing = true;

  deliver(leg: Leg, message: Message, _publisher: Publisher | null): boolean {
    if (!this.willing || leg.subscription.closed) return false;
    this.taken.push(textOf(message, message.payloadStart, message.payloadEnd));
    return true;
  }
}

function textOf({ bytes }: Message, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString();
}

function messageOn(subject: string, payload: string): Message {
  return composeMessage({
    subject: Buffer.from(subject),
    reply: null,
    headers: NO_BYTES,
    payload: Buffer.from(payload),
  });
}

function subscribe(account: Account, listener: Listener, filter: string, queue: string | null = null): Subscription {
  const subscription = new Subscription(listener, Buffer.from(filter), queue, Buffer.from('1'));
  account.subscribe(subscription);
  return subscription;
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('publish' as const), subject: subjects }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('answer' as const), subject: subjects }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('subscribe' as const),
      filter: filters,
      queue: fc.constantFrom(null, null, 'q', 'r'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unsubscribe' as const), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('willing' as const), which: fc.nat(), willing: fc.boolean() }),
  },
);

interface Entry {
  filter: string;
  queue: string | null;
  listener: Listener;
  subscription: Subscription;
}

describe('an account', () => {
  it('delivers to all plain subscriptions and one willing member of each queue group, whatever changed before (property)', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        // What is kept for a while is so by chance: often enough here.
        fc.infiniteStream(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.999, noNaN: true }))),
        (steps, chance) => {
          const account = new Account('A', null, () => chance.next().value as number);
          const entries: Entry[] = [];
          const all: Entry[] = [];
          steps.forEach((step, i) => {
            if (step.kind === 'subscribe') {
              const listener = new Listener();
              const subscription = subscribe(account, listener, step.filter, step.queue);
              entries.push({ filter: step.filter, queue: step.queue, listener, subscription });
              all.push(entries.at(-1)!);
            } else if (step.kind === 'unsubscribe' && entries.length > 0) {
              const [gone] = entries.splice(step.which % entries.length, 1);
              account.unsubscribe(gone.subscription);
            } else if (step.kind === 'willing' && entries.length > 0) {
              entries[step.which % entries.length].listener.willing = step.willing;
            } else if (step.kind === 'publish' || step.kind === 'answer') {
              const message = messageOn(step.subject, String(i));
              checkDelivered(entries, message, () =>
                step.kind === 'publish' ? account.publish(message) : account.answer(message),
              );
            }
            expect(account.subscriptions).toBe(entries.length);
          });
          const held = new Set(entries);
          for (const entry of all)
            if (!held.has(entry)) expect(new Set(entry.listener.taken).size).toBe(entry.listener.taken.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('chooses among the members of a group by chance alone', () => {
    let at = 0;
    const account = new Account('A', null, () => [0, 0.34, 0.67, 0.99][at++ % 4]);
    const listeners = [new Listener(), new Listener(), new Listener()];
    for (const listener of listeners) subscribe(account, listener, 'a', 'q');
    for (let i = 0; i < 8; i++) account.publish(messageOn('a', String(i)));
    expect(listeners.map((listener) => listener.taken.length)).toEqual([2, 2, 4]);
  });

  it('remembers who gets answers that begin alike only while no literal subscription is among them', () => {
    // What is kept by chance always is.
    const account = new Account('A', null, () => 0);
    const [wide, literal, late] = [new Listener(), new Listener(), new Listener()];
    subscribe(account, wide, '_INBOX.one.*');
    const answer = (subject: string, payload: string) => account.answer(messageOn(subject, payload));
    for (const token of ['1', '2', '3']) expect(answer(`_INBOX.one.${token}`, token)).toBe(1);
    expect(answer('_INBOX.one.4.5', 'deeper')).toBe(0);
    expect(answer('_INBOX.one.', 'empty')).toBe(0);
    const subscription = subscribe(account, literal, '_INBOX.one.5');
    for (const token of ['4', '5', '6']) expect(answer(`_INBOX.one.${token}`, token)).toBe(token === '5' ? 2 : 1);
    account.unsubscribe(subscription);
    expect(answer('_INBOX.one.5', 'again')).toBe(1);
    subscribe(account, late, '_INBOX.>');
    expect(answer('_INBOX.one.7', '7')).toBe(2);
    expect(wide.taken).toEqual(['1', '2', '3', '4', '5', '6', 'again', '7']);
    expect([literal.taken, late.taken]).toEqual([['5'], ['7']]);
  });

  it('passes a message on when a member does not take it', () => {
    const account = new Account('A', null, () => 0);
    const listeners = [new Listener(), new Listener()];
    for (const listener of listeners) subscribe(account, listener, 'a', 'q');
    listeners[0].willing = false;
    expect(account.publish(messageOn('a', 'x'))).toBe(1);
    expect(listeners[1].taken).toEqual(['x']);
    listeners[1].willing = false;
    expect(account.publish(messageOn('a', 'y'))).toBe(0);
  });

  it('sees interest that came after a subject was first published to, also where the subject looks like a filter', () => {
    const account = new Account('A', null, Math.random);
    for (const [subject, filter] of [
      ['x.y', 'x.*'],
      ['x.>', 'x.*'],
      ['y.*', 'y.>'],
      ['z', '>'],
      ['*', '*'],
    ]) {
      account.publish(messageOn(subject, 'early'));
      const listener = new Listener();
      const subscription = subscribe(account, listener, filter);
      account.publish(messageOn(subject, 'late'));
      account.unsubscribe(subscription);
      account.publish(messageOn(subject, 'later'));
      expect(listener.taken, `${filter} for ${subject}`).toEqual(['late']);
    }
  });

  it('keeps its routes within bounds, and forgets none that matters', () => {
    const account = new Account('A', null, Math.random);
    const listener = new Listener();
    subscribe(account, listener, 'many.*');
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 70_000; i++) account.publish(messageOn(`many.${i}`, ''));
    }
    expect(listener.taken.length).toBe(140_000);
    expect(account.interestStats().cachedRoutes).toBeLessThanOrEqual(65_536);
  });

  it('knows whether anybody is interested', () => {
    const account = new Account('A', null, Math.random);
    expect(account.hasInterest('a.b')).toBe(false);
    const subscription = subscribe(account, new Listener(), 'a.*');
    expect(account.hasInterest('a.b')).toBe(true);
    expect(account.hasInterest('a')).toBe(false);
    account.unsubscribe(subscription);
    expect(account.hasInterest('a.b')).toBe(false);
  });

  it('lets a listener subscribe and unsubscribe while a message is delivered', () => {
    const account = new Account('A', null, Math.random);
    const late = new Listener();
    class Restless extends Listener {
      own: Subscription | null = null;

      override deliver(leg: Leg, message: Message, publisher: Publisher | null): boolean {
        const taken = super.deliver(leg, message, publisher);
        if (this.own !== null) {
          this.own.closed = true;
          account.unsubscribe(this.own);
          this.own = null;
          subscribe(account, late, 'a');
        }
        return taken;
      }
    }
    const restless = new Restless();
    restless.own = subscribe(account, restless, 'a');
    const other = new Listener();
    subscribe(account, other, 'a');
    account.publish(messageOn('a', '1'));
    account.publish(messageOn('a', '2'));
    expect([restless.taken, other.taken, late.taken]).toEqual([['1'], ['1', '2'], ['2']]);
  });
});

/** Publishes, and compares who got it with what the entries say. */
function checkDelivered(entries: readonly Entry[], message: Message, deliver: () => number): void {
  const subject = textOf(message, message.subjectStart, message.subjectEnd);
  const payload = textOf(message, message.payloadStart, message.payloadEnd);
  const matching = entries.filter(({ filter }) => matchesByExpression(filter, subject));
  const willing = matching.filter(({ listener }) => listener.willing);
  const delivered = deliver();
  const got = entries.filter(({ listener }) => listener.taken.at(-1) === payload);
  const groups = new Set(willing.map(({ queue }) => queue).filter((queue) => queue !== null));
  expect(got.filter(({ queue }) => queue === null)).toEqual(willing.filter(({ queue }) => queue === null));
  for (const group of groups) expect(got.filter(({ queue }) => queue === group)).toHaveLength(1);
  for (const entry of got) expect(willing).toContain(entry);
  expect(delivered).toBe(got.length);
}
