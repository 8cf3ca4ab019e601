import { Verdict } from './abi.js';
import type { Budget } from './budget.js';
import { frameOf } from './frame.js';
import { FAULT, Instance } from './instance.js';
import type { Range } from './outbox.js';
import type { PreparedModule } from './prepare.js';

/** A message in, and what came out of it, byte for byte. Parts are text; `base64:` is in front of what is not. */
export interface SelfTest {
  name: string;
  config?: unknown;
  message: { subject: string; reply?: string; headers?: string; payload?: string };
  expect: Outcome;
}

/** What a call came to; parts that it did not replace are not there. */
export interface Outcome {
  verdict: 'pass' | 'drop' | 'replace' | 'reject' | 'error';
  subject?: string;
  reply?: string;
  headers?: string;
  payload?: string;
  code?: number;
  error?: string;
}

const BASE64 = 'base64:';
/** What tests tell a plugin of the time: the same always. */
export const TEST_TIME_MS = Date.UTC(2025, 0, 1);
/** By what `Instance.call` answers. */
export const VERDICT_NAMES: ReadonlyMap<number, Outcome['verdict']> = new Map<number, Outcome['verdict']>([
  [Verdict.pass, 'pass'],
  [Verdict.drop, 'drop'],
  [Verdict.replace, 'replace'],
  [Verdict.reject, 'reject'],
  [FAULT, 'error'],
]);

/** Runs a plugin's own tests, each on a new instance. Answers what did not come out as it should, or null. */
export function runSelfTests(prepared: PreparedModule, budget: Budget, tests: readonly SelfTest[]): string | null {
  for (const test of tests) {
    const found = outcomeOf(prepared, budget, test);
    const [expected, got] = [JSON.stringify(sorted(test.expect)), JSON.stringify(sorted(found))];
    if (expected !== got)
      return `its test ${JSON.stringify(test.name)} expects ${cut(expected)}, here it gives ${cut(got)}`;
  }
  return null;
}

/** What the plugin makes of a message. A guest computes and nothing else: it makes the same of it everywhere. */
export function outcomeOf(
  prepared: PreparedModule,
  budget: Budget,
  { config, message }: Omit<SelfTest, 'expect'>,
): Outcome {
  const instance = Instance.create(prepared, budget, JSON.stringify(config ?? {}));
  return instance instanceof Instance ? outcomeOn(instance, message) : { verdict: 'error' };
}

/** What a running plugin makes of a message. */
function outcomeOn(instance: Instance, message: SelfTest['message']): Outcome {
  const [subject, reply, headers, payload] = [message.subject, message.reply, message.headers, message.payload].map(
    bytesOf,
  );
  const verdict = instance.call(frameOf(subject, reply, headers, payload), { wallMs: TEST_TIME_MS });
  return outcomeAfter(instance, verdict);
}

/** What the call came to that just was. */
export function outcomeAfter({ outbox }: Instance, verdict: number): Outcome {
  const outcome: Outcome = { verdict: VERDICT_NAMES.get(verdict)! };
  // How an engine words a trap is its own affair.
  if (verdict === FAULT) return outcome;
  if (verdict === Verdict.reject) {
    outcome.code = outbox.code;
    outcome.error = outbox.error;
  } else if (verdict === Verdict.replace) {
    for (const part of ['subject', 'reply', 'headers', 'payload'] as const) {
      const range = outbox[part];
      if (range !== null) outcome[part] = textOf(outbox.bytes, range);
    }
  }
  return outcome;
}

function bytesOf(text: string | undefined): Buffer {
  if (text === undefined) return Buffer.alloc(0);
  return text.startsWith(BASE64) ? Buffer.from(text.slice(BASE64.length), 'base64') : Buffer.from(text, 'utf8');
}

function textOf(bytes: Uint8Array, { start, end }: Range): string {
  const found = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  const text = found.toString('utf8');
  const plain = !text.startsWith(BASE64) && Buffer.from(text, 'utf8').equals(found);
  return plain ? text : BASE64 + found.toString('base64');
}

function sorted(outcome: Outcome): [string, unknown][] {
  return Object.entries(outcome).sort(([one], [other]) => (one < other ? -1 : 1));
}

function cut(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
