import { expect, test } from 'vitest';
import { textOf } from '../../src/base/bytes.js';
import { StoredMessage } from '../../src/storage/message-log.js';
import { AckReply } from '../../src/stream/ack-reply.js';

interface Delivery {
  deliveries: number;
  sequence: number;
  consumer: number;
  timeMs: number;
  timeNs: number;
  pending: number;
}

const START: Delivery = {
  ...{ deliveries: 1, sequence: 1, consumer: 1, pending: 2_500 },
  ...{ timeMs: 1_764_000_000_000, timeNs: 0 },
};

function written(reply: AckReply, { deliveries, consumer, pending, ...stored }: Delivery): string {
  reply.write(Object.assign(new StoredMessage(), stored), deliveries, consumer, pending);
  return textOf(reply.bytes, 0, reply.length);
}

function expected({ deliveries, sequence, consumer, timeMs, timeNs, pending }: Delivery): string {
  const time = `${timeMs}${String(timeNs).padStart(6, '0')}`;
  return `$JS.ACK.ORDERS.c1.${deliveries}.${sequence}.${consumer}.${time}.${pending}`;
}

/** Checks each of them behind those before it. */
function check(deliveries: Iterable<Delivery>): void {
  const reply = new AckReply('ORDERS', 'c1');
  for (const delivery of deliveries) expect(written(reply, delivery)).toBe(expected(delivery));
}

test('one message behind the other, until none is left', () => {
  check(
    Array.from({ length: 2_501 }, (_, i) => ({
      ...START,
      ...{ sequence: 95 + i, consumer: 1 + i, pending: 2_500 - i },
      ...{ timeMs: START.timeMs + Math.floor(i / 7), timeNs: i % 3 === 0 ? 0 : 999_000 + (i % 1_000) },
    })),
  );
});

test('counts beyond 2^31 go on', () => {
  const sequence = 9_999_999_998;
  check([0, 1, 2, 3].map((i) => ({ ...START, sequence: sequence + i, consumer: 998 + i, pending: 101 - i })));
});

test('a time of other length moves what is behind it', () => {
  check(
    [998, 999, 1_000, 1_001, 5].map((timeMs, i) => ({
      ...START,
      timeMs,
      sequence: i + 1,
      consumer: i + 1,
      pending: 50 - i,
    })),
  );
});

test('any change of any count', () => {
  let delivery = START;
  const jumps: Partial<Delivery>[] = [
    { deliveries: 2 },
    { sequence: 17 },
    { consumer: 3 },
    { pending: 40 },
    { timeNs: 5 },
  ];
  const all: Delivery[] = [];
  for (const jump of jumps) {
    const { sequence, consumer, pending } = delivery;
    const next = { ...delivery, sequence: sequence + 1, consumer: consumer + 1, pending: pending - 1 };
    delivery = { ...next, ...jump };
    all.push(next, delivery, delivery);
  }
  check(all);
});
