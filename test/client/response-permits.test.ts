import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResponsePermits } from '../../src/client/response-permits.js';
import { composeMessage, type Message, NO_BYTES } from '../../src/message/message.js';
import { ManualClock } from '../kit/manual-clock.js';

const request = (reply: string): Message =>
  composeMessage({ subject: Buffer.from('service'), reply: Buffer.from(reply), headers: null, payload: NO_BYTES });
const answer = (subject: string): Message =>
  composeMessage({ subject: Buffer.from(subject), reply: null, headers: null, payload: NO_BYTES });

const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('request' as const, 'answer' as const), inbox: fc.constantFrom('a', 'b', 'c') }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 80 }) }),
);

describe('the right to answer', () => {
  it('lasts for so many answers and so long (property)', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(-1, 1, 2, 5),
        fc.constantFrom(-1, 50, 200),
        fc.array(step, { maxLength: 60 }),
        (max, expiresMs, steps) => {
          const clock = new ManualClock();
          const permits = new ResponsePermits({ max, expiresMs }, clock);
          const model = new Map<string, { left: number; untilMs: number }>();
          for (const step of steps) {
            if (step.kind === 'wait') clock.advance(step.ms);
            else if (step.kind === 'request') {
              permits.allow(request(step.inbox));
              const untilMs = expiresMs < 0 ? Number.MAX_VALUE : clock.nowMs() + expiresMs;
              model.set(step.inbox, { left: max < 0 ? Number.MAX_VALUE : max, untilMs });
            } else {
              const known = model.get(step.inbox);
              const allowed = known !== undefined && known.left > 0 && clock.nowMs() < known.untilMs;
              if (allowed) known.left--;
              expect(permits.use(answer(step.inbox))).toBe(allowed);
            }
          }
        },
      ),
    );
  });

  it('is held for a bounded number of requests: the oldest go first', () => {
    const permits = new ResponsePermits({ max: 1, expiresMs: 1_000 }, new ManualClock());
    for (let i = 0; i < 5_000; i++) permits.allow(request(`inbox.${i}`));
    expect(permits.use(answer('inbox.4999'))).toBe(true);
    expect(permits.use(answer('inbox.1000'))).toBe(true);
    expect(permits.use(answer('inbox.0'))).toBe(false);
  });
});
