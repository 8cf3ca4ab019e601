import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, Failure } from '../base/failure.js';
import { issueText } from '../base/issues.js';

const verdicts = ['pass', 'drop', 'replace', 'reject', 'error'] as const;

/** By their numbers in the contract. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export const METRIC_TYPES = ['count', 'gauge', 'observe'] as const;

const message = v.strictObject({
  subject: v.optional(v.string()),
  reply: v.optional(v.string()),
  headers: v.optional(v.record(v.string(), v.string())),
  /** A text, or a value that travels as JSON. */
  payload: v.optional(v.unknown()),
  payloadBase64: v.optional(v.string()),
  /** When the broker got it: milliseconds since 1970. */
  timestamp: v.optional(v.number()),
});

/** A text, or a JSON value that the payload is to be equal to; or the payload letter for letter. */
const payload = { payload: v.optional(v.unknown()), payloadText: v.optional(v.string()) };

const emit = v.strictObject({
  subject: v.string(),
  reply: v.optional(v.string()),
  headers: v.optional(v.string()),
  ...payload,
});

const log = v.strictObject({ level: v.picklist(LOG_LEVELS), text: v.string() });

const metric = v.strictObject({ type: v.picklist(METRIC_TYPES), name: v.string(), value: v.number() });

const effects = {
  error: v.optional(v.string()),
  /** All of them, in the order in which the plugin asked for them; an empty list for none. */
  emits: v.optional(v.array(emit)),
  logs: v.optional(v.array(log)),
  metrics: v.optional(v.array(metric)),
};

const expectation = v.strictObject({
  verdict: v.picklist(verdicts),
  ...payload,
  subject: v.optional(v.string()),
  reply: v.optional(v.string()),
  /** The header block, letter for letter. */
  headers: v.optional(v.string()),
  code: v.optional(v.number()),
  /** `error` is part of the text of a reject or an error. */
  ...effects,
});

/** A tick has no verdict; `error` when it is to fail. */
const tickExpectation = v.strictObject({ verdict: v.optional(v.literal('error')), ...effects });

const tickStep = v.strictObject({ tick: v.number() });
const swapStep = v.strictObject({ swap: v.literal(true) });
const messageStep = v.strictObject({
  ...message.entries,
  times: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});
/** An entry of the table; without a value it is removed. */
const entryStep = v.strictObject({ entry: v.string(), value: v.optional(v.unknown()) });
/** What a plugin that remembers sees before: messages, ticks, entries, or a swap, in which a new instance takes on its state. */
const step = v.lazy((value) => {
  if (holds(value, 'tick')) return tickStep;
  if (holds(value, 'entry')) return entryStep;
  return holds(value, 'swap') ? swapStep : messageStep;
});

const named = { name: v.string(), before: v.optional(v.array(step)) };
const messageCase = v.strictObject({ ...named, message, expect: expectation });
/** About a tick at this time. */
const tickCase = v.strictObject({ ...named, tick: v.number(), expect: tickExpectation });
// By the shape that is meant: the issues of a union name no field.
const testCase = v.lazy((value) => (holds(value, 'tick') ? tickCase : messageCase));

function holds(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

/** Either cases, or a configuration that is to be refused with a text that holds `expectConfigError`. */
const caseFile = v.union([
  v.strictObject({
    config: v.optional(v.unknown()),
    /** Entries of the table, by their keys. */
    table: v.optional(v.record(v.string(), v.unknown())),
    cases: v.pipe(v.array(testCase), v.minLength(1)),
  }),
  v.strictObject({ config: v.optional(v.unknown()), expectConfigError: v.string() }),
]);

export type CaseMessage = v.InferOutput<typeof message>;
export type ExpectedPayload = Pick<Expectation, 'payload' | 'payloadText'>;
export type ExpectedEmit = v.InferOutput<typeof emit>;
export type ExpectedEffects = Pick<Expectation, 'emits' | 'logs' | 'metrics'>;
export type Expectation = v.InferOutput<typeof expectation>;
export type TickExpectation = v.InferOutput<typeof tickExpectation>;
export type Case = v.InferOutput<typeof testCase>;
export type CaseFile = v.InferOutput<typeof caseFile>;

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Failure('cases', `cannot read the cases of "${file}": ${describe(error)}`, { cause: error });
  }
}

/** The files of test cases in a plugin's folder, in their order. */
export function caseFilesOf(folder: string): string[] {
  const tests = join(folder, 'tests');
  const names = existsSync(tests) ? readdirSync(tests).filter((name) => name.endsWith('.json')) : [];
  return names.sort().map((name) => join(tests, name));
}

/** Reads a file of test cases: messages in, what is to come out. Throws a `Failure` that says where it is not one. */
export function readCases(file: string): CaseFile {
  const value = parse(file);
  // By the shape that is meant: the issues of a union name no field.
  const schema = caseFile.options[v.is(v.object({ expectConfigError: v.unknown() }), value) ? 1 : 0];
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new Failure('cases', `cannot use the cases of "${file}": ${issueText(result.issues[0], 'the file')}`);
}
