import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Permissions } from '../../src/auth/permissions.js';
import { everySubject, filters, matchesByExpression, subjects } from '../kit/subject-arbitraries.js';

const lists = fc.array(filters, { maxLength: 4 });

function publishAllowed(permissions: Permissions, subject: string): boolean {
  const bytes = Buffer.from(`--${subject}--`);
  return permissions.publishAllowed(bytes, 2, bytes.length - 2);
}

function deliveryDenied(permissions: Permissions, subject: string, queue: string | null = null): boolean {
  return permissions.deliveryDenied(Buffer.from(subject), 0, subject.length, queue);
}

describe('publishing', () => {
  it('is what the lists say: allowed by one filter, or there is none, and denied by none (property)', () => {
    fc.assert(
      fc.property(lists, lists, subjects, (allow, deny, subject) => {
        const permissions = new Permissions({ publish: { allow, deny } });
        const listed = allow.length === 0 || allow.some((filter) => matchesByExpression(filter, subject));
        const expected = listed && !deny.some((filter) => matchesByExpression(filter, subject));
        expect(publishAllowed(permissions, subject)).toBe(expected);
      }),
    );
  });

  it('is answers only for a service that has no list', () => {
    const responses = { max: 1, expiresMs: 1000 };
    for (const rules of [
      { responses },
      { responses, publish: { deny: ['x'] } },
      { responses, publish: { allow: [] } },
    ]) {
      expect(publishAllowed(new Permissions(rules), 'a')).toBe(false);
    }
    expect(publishAllowed(new Permissions({ responses, publish: { allow: ['a'] } }), 'a')).toBe(true);
  });
});

describe('subscribing', () => {
  it('never shows a message that is not allowed (property)', () => {
    fc.assert(
      fc.property(lists, lists, filters, (allow, deny, filter) => {
        const permissions = new Permissions({ subscribe: { allow, deny } });
        if (permissions.subscribeAllowed(filter, null) === 'denied') return;
        for (const subject of everySubject) {
          if (!matchesByExpression(filter, subject) || deliveryDenied(permissions, subject)) continue;
          const listed = allow.length === 0 || allow.some((rule) => matchesByExpression(rule, subject));
          expect(listed, `${filter} shows ${subject}`).toBe(true);
          expect(deny.some((rule) => matchesByExpression(rule, subject))).toBe(false);
        }
      }),
    );
  });

  it('leaves nothing out but what is denied (property)', () => {
    fc.assert(
      fc.property(lists, lists, subjects, (allow, deny, subject) => {
        const permissions = new Permissions({ subscribe: { allow, deny } });
        expect(deliveryDenied(permissions, subject)).toBe(deny.some((rule) => matchesByExpression(rule, subject)));
      }),
    );
  });

  it('is allowed for what is listed and not denied (property)', () => {
    fc.assert(
      fc.property(lists, fc.nat(), (allow, index) => {
        fc.pre(allow.length > 0);
        const permissions = new Permissions({ subscribe: { allow } });
        const filter = allow[index % allow.length];
        expect(permissions.subscribeAllowed(filter, null)).toBe('allowed');
        expect(permissions.subscribeAllowed(filter, 'any.queue')).toBe('allowed');
      }),
    );
  });

  it.each([
    // allow, deny, filter, queue, verdict
    [['foo q'], [], 'foo', null, 'denied'],
    [['foo q'], [], 'foo', 'q', 'allowed'],
    [['foo q'], [], 'foo', 'r', 'denied'],
    [['foo', 'foo q'], [], 'foo', null, 'allowed'],
    [['foo', 'foo q'], [], 'foo', 'r', 'denied'],
    [['foo', 'bar q'], [], 'foo', 'r', 'allowed'],
    [['foo *.dev'], [], 'foo', 'a.dev', 'allowed'],
    [['foo v1.>'], [], 'foo', 'v1', 'denied'],
    [['foo  q'], [], 'foo', 'q', 'allowed'],
    [[], ['foo q'], 'foo', null, 'allowed'],
    [[], ['foo q'], 'foo', 'q', 'denied'],
    [[], ['foo q'], 'foo', 'r', 'allowed'],
    [[], ['foo', 'foo q'], 'foo', 'r', 'denied'],
    [[], ['a.*'], 'a.>', null, 'denied'],
    [[], ['a.b'], 'a.>', null, 'allowed'],
    [['a.*'], [], 'a.>', null, 'denied'],
    [['a.>'], [], 'a..b', null, 'denied'],
  ] as const)('allow %j deny %j: %s in queue %s is %s', (allow, deny, filter, queue, verdict) => {
    expect(new Permissions({ subscribe: { allow, deny } }).subscribeAllowed(filter, queue)).toBe(verdict);
  });

  it.each([
    // deny, subject, queue, denied
    [['a.b'], 'a.b', null, true],
    [['a.b'], 'a.b', 'q', true],
    [['a.b q'], 'a.b', null, false],
    [['a.b q'], 'a.b', 'q', true],
    [['a.b q'], 'a.b', 'r', false],
    [['a.* *.dev'], 'a.b', 'x.dev', true],
    [['a.* *.dev'], 'a.b', 'x.prod', false],
  ] as const)('deny %j: %s in queue %s is left out on delivery: %s', (deny, subject, queue, denied) => {
    const permissions = new Permissions({ subscribe: { deny } });
    expect(permissions.deliveryFilter).not.toBeNull();
    expect(deliveryDenied(permissions, subject, queue)).toBe(denied);
  });

  it('asks for a filter on delivery only where something is denied', () => {
    expect(new Permissions({ subscribe: { allow: ['a'] } }).deliveryFilter).toBeNull();
  });
});
