import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { composeMessage } from '../../src/message/message.js';
import { mayAskForTrace, readTraceHeaders } from '../../src/message/trace-headers.js';

function withHeaders(lines: readonly string[]) {
  const headers = utf8(`NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  return composeMessage({ subject: utf8('a'), reply: null, headers, payload: utf8('traceparent:') });
}

const others = fc.array(
  fc.oneof(
    fc.constantFrom('Nats-Msg-Id: 1', 'X-Trace-Destination: b', 'Race: trace', 'traceparent2: c', 'Nats-Trace-Only: 1'),
    fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' }).map((name) => `X${name}: y`),
  ),
  { maxLength: 6 },
);
const asking = fc.constantFrom(
  'Nats-Trace-Dest: there',
  'traceparent: 00-1-2-01',
  'Traceparent: 00-1-2-01',
  'TRACEPARENT: 00-1-2-01',
);

describe('headers that ask for a trace', () => {
  it('are read in a moment, however often one is there', () => {
    const lines = Array.from({ length: 200_000 }, () => 'a:b');
    const startMs = performance.now();
    const read = readTraceHeaders(withHeaders([...lines, 'Nats-Trace-Dest: there']));
    expect(read?.all.a).toHaveLength(200_000);
    // Half a second on a machine that is busy; a minute when each of them copies those before it.
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });
});

describe('the quick look for headers that ask for a trace', () => {
  it('misses none, wherever it stands', () => {
    fc.assert(
      fc.property(others, asking, others, (before, line, after) => {
        const message = withHeaders([...before, line, ...after]);
        expect(readTraceHeaders(message)).not.toBeNull();
        expect(mayAskForTrace(message)).toBe(true);
      }),
    );
  });

  it.each([['Nats-Msg-Id: 7'], ['Content-Type: text/plain'], ['X-Destination: trace-dest'], ['Race: ace-']])(
    'finds none in %s',
    (line) => {
      expect(mayAskForTrace(withHeaders([line]))).toBe(false);
    },
  );
});
