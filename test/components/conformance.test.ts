import { $init, generate } from '@bytecodealliance/jco-transpile/component';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { type Outcome as Called, outcomeOf, TEST_TIME_MS } from '../../src/sandbox/self-test.js';
import { Kind, record, records, writingGuest } from '../hostile/guest.js';
import { answering, component, ECHO, Layout, type Outcome } from './component.js';

const MESSAGE = {
  subject: 'plant.größe',
  reply: '_INBOX.1',
  headers: 'NATS/1.0\r\nA: b\r\n\r\n',
  payload: '{"temp":21}',
};

interface GlueVerdict {
  tag: Called['verdict'] | 'drop';
  val?: { code?: number; text?: string } & Partial<Record<'subject' | 'reply' | 'headers' | 'payload', unknown>>;
}
type Process = (message: object) => { verdict: GlueVerdict };
interface Glue {
  processor: { process: Process };
}

/** The component as the code runs it that jco generates. */
function glueOf(wasm: Uint8Array): Process {
  const { files } = generate(wasm, { name: 'glue', map: [], instantiation: { tag: 'sync' }, base64Cutoff: 0 } as never);
  const code = files.find(([name]) => name.endsWith('.js'))![1];
  const module = files.find(([name]) => name.endsWith('.wasm'))![1];
  const text = Buffer.from(code)
    .toString()
    .replace(/export function instantiate/, 'return function instantiate');
  const instantiate = new Function(text.replace(/^export .*$/gm, 'const unused = {'))() as (
    core: () => unknown,
    imports: object,
  ) => Glue;
  return instantiate(() => new WebAssembly.Module(module as Uint8Array<ArrayBuffer>), {}).processor.process;
}

/** What the glue answers, in the words of the sandbox. */
function calledByGlue(wasm: Uint8Array): Called {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text));
  const { subject, reply, headers, payload } = MESSAGE;
  const message = { subject, reply, headers: bytes(headers), payload: bytes(payload), timestampMs: TEST_TIME_MS };
  let answer: ReturnType<Process>;
  try {
    answer = glueOf(wasm)(message);
  } catch {
    return { verdict: 'error' };
  }
  const { tag, val } = answer.verdict;
  if (tag === 'reject') return { verdict: tag, code: val!.code || 400, error: val!.text ?? '' };
  const outcome: Called = { verdict: tag };
  for (const part of ['subject', 'reply', 'headers', 'payload'] as const) {
    const value = val?.[part];
    if (value !== undefined) outcome[part] = Buffer.from(value as string).toString();
  }
  return outcome;
}

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
    expect(fast).toEqual(called(await writingGuest(verdict, outbox, { code })));
  });

  it('every part of the message', async () => {
    const wasm = await component({ process: ECHO });
    expect(called(wasm)).toEqual({ verdict: 'replace', ...MESSAGE });
    expect(calledByGlue(wasm)).toEqual({ verdict: 'replace', ...MESSAGE });
  });

  it('failures, traps and discriminants that are none', async () => {
    const bad = Buffer.from(Layout.outcome({ verdict: 'pass' }));
    bad[4] = 9;
    const parts = [{ answer: Layout.failure('no') }, { process: 'unreachable' }, { answer: bad }];
    for (const wasm of await Promise.all(parts.map(component))) {
      expect(called(wasm)).toEqual({ verdict: 'error' });
      expect(calledByGlue(wasm)).toEqual({ verdict: 'error' });
    }
  });
});
