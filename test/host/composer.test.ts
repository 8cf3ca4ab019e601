import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wordsOf } from '../../src/base/bytes.js';
import { composeReplaced, releaseReplaced } from '../../src/host/composer.js';
import { composeMessage, hashSubject, type Message } from '../../src/message/message.js';
import { Outbox, type Range } from '../../src/sandbox/outbox.js';
import { encodeTail } from '../../src/wire/nats/encoder.js';

const part = fc.uint8Array({ maxLength: 400 });
const parts = fc.record({
  subject: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  reply: part,
  headers: part,
  payload: part,
});
const changes = fc.record({
  subject: fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 })),
  reply: fc.option(part),
  headers: fc.option(part),
  payload: fc.option(part),
});

function outboxOf(change: Record<'subject' | 'reply' | 'headers' | 'payload', Uint8Array | null>): Outbox {
  const outbox = new Outbox();
  const names = ['subject', 'reply', 'headers', 'payload'] as const;
  outbox.bytes = Uint8Array.from(Buffer.concat(names.map((name) => change[name] ?? new Uint8Array(0))));
  outbox.words = wordsOf(outbox.bytes);
  let at = 0;
  const range = (bytes: Uint8Array | null): Range | null =>
    bytes === null ? null : { start: at, end: (at += bytes.length) };
  for (const name of names) outbox[name] = range(change[name]);
  return outbox;
}

function partsOf(message: Message): Record<string, Buffer> {
  const slice = (start: number, end: number) => Buffer.from(message.bytes.slice(start, end));
  return {
    subject: slice(message.subjectStart, message.subjectEnd),
    reply: slice(message.replyStart, message.replyEnd),
    headers: slice(message.headersStart, message.payloadStart),
    payload: slice(message.payloadStart, message.payloadEnd),
  };
}

describe('composeReplaced', () => {
  it('puts new parts in the place of old ones and keeps the others, with a tail as receivers get it', () => {
    fc.assert(
      fc.property(parts, changes, changes, (before, first, second) => {
        const message = composeMessage(before, 3);
        const once = composeReplaced(message, outboxOf(first));
        const twice = composeReplaced(once, outboxOf(second));
        releaseReplaced(once);
        for (const name of ['subject', 'reply', 'headers', 'payload'] as const) {
          expect(partsOf(twice)[name]).toEqual(Buffer.from(second[name] ?? first[name] ?? before[name]));
        }
        expect(twice.subjectHash).toBe(hashSubject(twice.bytes, twice.subjectStart, twice.subjectEnd));
        expect(twice.hops).toBe(3);
        const tail = Buffer.from(twice.bytes.slice(twice.tailStart, twice.tailEnd));
        expect(tail).toEqual(Buffer.from(encodeTail(twice)));
        releaseReplaced(twice);
      }),
    );
  });

  it('gives the bytes of a message that is still on its way to no other', () => {
    const message = composeMessage({
      subject: Buffer.from('s'),
      reply: null,
      headers: null,
      payload: Buffer.from('p'),
    });
    const made = Array.from({ length: 20 }, (_, i) => {
      const payload = Buffer.from(`payload ${i}`);
      return composeReplaced(message, outboxOf({ subject: null, reply: null, headers: null, payload }));
    });
    made.forEach((one, i) => {
      expect(partsOf(one).payload.toString()).toBe(`payload ${i}`);
    });
    for (const one of made) releaseReplaced(one);
    const again = composeReplaced(message, outboxOf({ subject: null, reply: null, headers: null, payload: null }));
    expect(made).toContain(again);
  });

  it('takes messages that are larger than a sheet', () => {
    const payload = Buffer.alloc(200_000, 'x');
    const message = composeMessage({ subject: Buffer.from('s'), reply: null, headers: null, payload });
    const made = composeReplaced(
      message,
      outboxOf({ subject: Buffer.from('t'), reply: null, headers: null, payload: null }),
    );
    expect(partsOf(made)).toMatchObject({ subject: Buffer.from('t'), payload });
  });
});
