import { utf8 } from '../base/bytes.js';
import { DEFAULT_BUDGET, FUEL_FOR_ENTRY } from '../sandbox/budget.js';
import type { Fault } from '../sandbox/fault.js';
import { frameOf } from '../sandbox/frame.js';
import { FAULT, Instance } from '../sandbox/instance.js';
import type { PreparedModule } from '../sandbox/prepare.js';
import { TEST_TIME_MS, VERDICT_NAMES } from '../sandbox/self-test.js';
import { differenceOf, tickDifferenceOf } from './plugin-case-difference.js';
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

/** Runs every case of a file on an instance of its own, with what comes before it. Throws a `Failure` for a file that is not one of cases. */
export function runCases(prepared: PreparedModule, file: string): CaseResult[] {
  const read = readCases(file);
  const entries = 'table' in read ? Object.entries(read.table ?? {}) : [];
  const create = () => withTable(Instance.create(prepared, DEFAULT_BUDGET, JSON.stringify(read.config ?? {})), entries);
  if ('expectConfigError' in read) return [configRefused(create(), read.expectConfigError)];
  return read.cases.map((one) => runCase(create, one));
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

function runCase(create: () => Instance | Fault, one: Case): CaseResult {
  const { name } = one;
  let instance = create();
  for (const step of one.before ?? []) {
    if (!(instance instanceof Instance)) break;
    if ('swap' in step) instance = swapped(instance, create());
    else if ('tick' in step) instance.tick(step.tick);
    else if ('entry' in step) instance = withTable(instance, [[step.entry, step.value]]);
    else for (let i = 0; i < (step.times ?? 1); i++) callOf(instance, step)();
    // As on a server: after a trap there is a new instance.
    if (instance instanceof Instance && instance.poisoned) instance = create();
  }
  if (!(instance instanceof Instance)) {
    const { text } = instance;
    const difference = one.before === undefined ? text : `what came before was refused: ${text}`;
    return { name, difference, fuel: 0, ns: null };
  }
  if ('tick' in one) {
    const isDone = instance.tick(one.tick);
    return { name, difference: tickDifferenceOf(instance, isDone, one.expect), fuel: instance.fuelUsed, ns: null };
  }
  const call = callOf(instance, one.message);
  const verdict = call();
  const difference = differenceOf(instance, VERDICT_NAMES.get(verdict), one.expect);
  return { name, difference, fuel: instance.fuelUsed, ns: verdict === FAULT ? null : nsPerCall(call) };
}

/** An instance that was told of entries; undefined is one that was removed. */
function withTable(
  made: Instance | Fault,
  entries: readonly (readonly [key: string, value: unknown])[],
): Instance | Fault {
  if (!(made instanceof Instance)) return made;
  for (const [key, value] of entries) {
    const bytes = value === undefined ? null : utf8(JSON.stringify(value));
    if (!made.takeEntry(utf8(key), bytes, FUEL_FOR_ENTRY)) return made.fault;
  }
  return made;
}

/** The next instance, with the state of the one before it. */
function swapped(before: Instance, after: Instance | Fault): Instance | Fault {
  const state = before.save();
  if (state === null) return before.fault;
  return after instanceof Instance && !after.restoreState(state) ? after.fault : after;
}

/** One call with a message. */
function callOf(instance: Instance, message: CaseMessage): () => number {
  const parts = [message.subject ?? 'test', message.reply ?? '', headerBlock(message.headers)].map((text) =>
    Buffer.from(text),
  );
  const frame = frameOf(parts[0], parts[1], parts[2], payloadOf(message));
  const now = { wallMs: message.timestamp ?? TEST_TIME_MS };
  return () => instance.call(frame, now);
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
