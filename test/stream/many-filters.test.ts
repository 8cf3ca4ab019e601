import { expect, test } from 'vitest';
import { completeConsumer } from '../../src/stream/consumer-rules.js';
import type { StreamConfig } from '../../src/stream/stream-config.js';
import { completeStream } from '../../src/stream/stream-rules.js';

const FILTERS = 30_000;
/** Comparing each with each takes several times as long, and all of that in one turn of the event loop. */
const MS_MAX = 4_000;
const CONTEXT = { pedantic: false, duplicateWindowMax: 0, find: () => undefined, hasListener: () => false, domain: '' };

function stream(subjects: string[]): StreamConfig {
  return completeStream({ name: 'WIDE', subjects }, CONTEXT);
}

function consumer(filter_subjects: string[]): void {
  const context = { stream: stream(['wide.>']), pedantic: false, maxAckPending: -1, maxRequestBatch: 0 };
  completeConsumer({ durable_name: 'c', filter_subjects }, context);
}

const wide = Array.from({ length: FILTERS }, (_, i) => `wide.${i}.*.>`);

test('a stream of many subjects, and a consumer of as many filters, are judged at once', () => {
  for (const judge of [stream, consumer]) {
    const started = performance.now();
    judge(wide);
    expect(performance.now() - started).toBeLessThan(MS_MAX);
  }
});

test('the last of many that overlaps is found, and named', () => {
  expect(() => consumer([...wide, 'wide.7.a.b'])).toThrow('consumer subject filters cannot overlap');
  expect(() => stream([...wide, 'wide.7.a.b', 'wide.7.c.d', 'wide.8.a.b'])).toThrow(
    'subject "wide.7.*.>" overlaps with "wide.7.a.b"',
  );
});
