import { DEFAULT_BUDGET } from '../sandbox/budget.js';
import { frameOf } from '../sandbox/frame.js';
import { FAULT, Instance } from '../sandbox/instance.js';
import type { PreparedModule } from '../sandbox/prepare.js';
import { TEST_TIME_MS, VERDICT_NAMES } from '../sandbox/self-test.js';
import { differenceOf } from './plugin-case-difference.js';
import { type Case, type CaseMessage, readCases } from './plugin-case-file.js';

/** What became of one case. */
export interface CaseResult {
  name: string;
  /** What is not as expected; null when everything is. */
  difference: string | null;
  fuel: number;
  /** Nanoseconds of a call when the engine has optimised the code; null when there was no call, or a fault. */
  ns: number | null;
}

/** Runs every case of a file on an instance of its own. Throws a `Failure` for a file that is not one of cases. */
export function runCases(prepared: PreparedModule, file: string): CaseResult[] {
  const read = readCases(file);
  const create = () => Instance.create(prepared, DEFAULT_BUDGET, JSON.stringify(read.config ?? {}));
  if ('expectConfigError' in read) return [configRefused(create(), read.expectConfigError)];
  return read.cases.map((one) => {
    const instance = create();
    if (instance instanceof Instance) return runCase(instance, one);
    return { name: one.name, difference: `the configuration was refused: ${instance.text}`, fuel: 0, ns: null };
  });
}

function configRefused(made: Instance | { text: string }, expected: string): CaseResult {
  const name = 'the configuration is refused';
  if (made instanceof Instance) return { name, difference: 'it was accepted', fuel: 0, ns: null };
  const fits = made.text.includes(expected);
  return {
    name,
    difference: fits ? null : `expected ${JSON.stringify(expected)} in ${JSON.stringify(made.text)}`,
    fuel: 0,
    ns: null,
  };
}

function runCase(instance: Instance, { name, message, expect }: Case): CaseResult {
  const parts = [message.subject ?? 'test', message.reply ?? '', headerBlock(message.headers)].map((text) =>
    Buffer.from(text),
  );
  const frame = frameOf(parts[0], parts[1], parts[2], payloadOf(message));
  const now = { wallMs: message.timestamp ?? TEST_TIME_MS };
  const call = () => instance.call(frame, now);
  const verdict = call();
  const difference = differenceOf(instance, VERDICT_NAMES.get(verdict), expect);
  return { name, difference, fuel: instance.fuelUsed, ns: verdict === FAULT ? null : nsPerCall(call) };
}

/** Calls in a row that are timed as one, and for how long, or how often at least, that is done again. */
const BATCH_CALLS = 50;
const BATCHES_MIN = 5;
const TIMING_MS = 20;

/** The fastest of many batches: the first run code that the engine has not optimised yet, others were interrupted. Null after a fault. */
function nsPerCall(call: () => number): number | null {
  let fastestMs = Number.POSITIVE_INFINITY;
  const endsMs = performance.now() + TIMING_MS;
  for (let batch = 0; batch < BATCHES_MIN || performance.now() < endsMs; batch++) {
    const startedMs = performance.now();
    for (let i = 0; i < BATCH_CALLS; i++) if (call() === FAULT) return null;
    fastestMs = Math.min(fastestMs, performance.now() - startedMs);
  }
  return (fastestMs / BATCH_CALLS) * 1e6;
}

function payloadOf({ payload, payloadBase64 }: CaseMessage): Buffer {
  if (payloadBase64 !== undefined) return Buffer.from(payloadBase64, 'base64');
  if (payload === undefined) return Buffer.alloc(0);
  return Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
}

function headerBlock(headers: Record<string, string> | undefined): string {
  if (headers === undefined) return '';
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `NATS/1.0\r\n${lines.join('')}\r\n`;
}
