import { $init } from '@bytecodealliance/jco-transpile/component';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { type Outcome as Called, outcomeOf } from '../../src/sandbox/self-test.js';
import { Kind, record, records, writingGuest } from '../hostile/guest.js';
import { answering, component, ECHO, Layout, type Outcome } from './component.js';
import { calledByGlue, MESSAGE } from './glue.js';
import { linked } from './linked.js';

function called(wasm: Uint8Array): Called {
  return outcomeOf(prepareModule(wasm), DEFAULT_BUDGET, { name: '', message: MESSAGE });
}

const part = { subject: record(Kind.subject, 'a.ü'), payload: record(Kind.payload, 'new') };
const removed = [Kind.subject, Kind.headers, Kind.payload, Kind.reply].map((kind) =>
  record(kind, kind === Kind.subject ? 'a.ü' : ''),
);

/** An answer, and what a core module does that answers the same. */
const VECTORS: Record<string, [outcome: Outcome, verdict: number, outbox: Uint8Array, code?: number]> = {
  pass: [{ verdict: 'pass' }, 0, records()],
  drop: [{ verdict: 'drop' }, 1, records()],
  'a new payload': [{ verdict: { replace: { payload: 'new' } } }, 2, part.payload],
  'a new subject and payload': [
    { verdict: { replace: { subject: 'a.ü', payload: 'new' } } },
    2,
    records(part.subject, part.payload),
  ],
  'empty parts': [
    { verdict: { replace: { subject: 'a.ü', reply: '', headers: '', payload: '' } } },
    2,
    records(...removed),
  ],
  reject: [{ verdict: { reject: { code: 422, text: 'zu heiß' } } }, 3, record(Kind.error, 'zu heiß'), 422],
};

describe('the same by generated glue, by the fast path and by a core module', () => {
  beforeAll(() => $init);

  it.each(Object.entries(VECTORS))('%s', async (_, [outcome, verdict, outbox, code = 0]) => {
    const wasm = await answering(outcome);
    const fast = called(wasm);
    expect(fast).toEqual(calledByGlue(wasm));
    // Of four core modules.
    const several = await linked({ answer: Layout.outcome(outcome) });
    expect(called(several)).toEqual(fast);
    expect(calledByGlue(several)).toEqual(fast);
    expect(fast).toEqual(called(await writingGuest(verdict, outbox, { code })));
  });

  it('every part of the message', async () => {
    for (const wasm of [await component({ process: ECHO }), await linked({ process: ECHO })]) {
      expect(called(wasm)).toEqual({ verdict: 'replace', ...MESSAGE });
      expect(calledByGlue(wasm)).toEqual({ verdict: 'replace', ...MESSAGE });
    }
  });

  it('failures, traps and discriminants that are none', async () => {
    const bad = Buffer.from(Layout.outcome({ verdict: 'pass' }));
    bad[4] = 9;
    const parts = [{ answer: Layout.failure('no') }, { process: 'unreachable' }, { answer: bad }];
    const made = [...parts.map(component), ...parts.map((one) => linked(one)), linked({}, { before: 'unreachable' })];
    for (const wasm of await Promise.all(made)) {
      expect(called(wasm)).toEqual({ verdict: 'error' });
      expect(calledByGlue(wasm)).toEqual({ verdict: 'error' });
    }
  });
});
