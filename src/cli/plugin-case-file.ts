import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { describe, Failure } from '../base/failure.js';

const verdicts = ['pass', 'drop', 'replace', 'reject', 'error'] as const;

const message = v.strictObject({
  subject: v.optional(v.string()),
  reply: v.optional(v.string()),
  headers: v.optional(v.record(v.string(), v.string())),
  /** A text, or a value that travels as JSON. */
  payload: v.optional(v.unknown()),
  payloadBase64: v.optional(v.string()),
});

const expectation = v.strictObject({
  verdict: v.picklist(verdicts),
  /** A text, or a JSON value that the payload is to be equal to. */
  payload: v.optional(v.unknown()),
  /** The payload, letter for letter. */
  payloadText: v.optional(v.string()),
  subject: v.optional(v.string()),
  reply: v.optional(v.string()),
  /** The header block, letter for letter. */
  headers: v.optional(v.string()),
  code: v.optional(v.number()),
  /** Part of the text of a reject or an error. */
  error: v.optional(v.string()),
});

const testCase = v.strictObject({ name: v.string(), message, expect: expectation });

/** Either cases, or a configuration that is to be refused with a text that holds `expectConfigError`. */
const caseFile = v.union([
  v.strictObject({ config: v.optional(v.unknown()), cases: v.pipe(v.array(testCase), v.minLength(1)) }),
  v.strictObject({ config: v.optional(v.unknown()), expectConfigError: v.string() }),
]);

export type CaseMessage = v.InferOutput<typeof message>;
export type Expectation = v.InferOutput<typeof expectation>;
export type Case = v.InferOutput<typeof testCase>;
export type CaseFile = v.InferOutput<typeof caseFile>;

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Failure('cases', `cannot read the cases of "${file}": ${describe(error)}`, { cause: error });
  }
}

/** Reads a file of test cases: messages in, what is to come out. Throws a `Failure` that says where it is not one. */
export function readCases(file: string): CaseFile {
  const value = parse(file);
  // By the shape that is meant: the issues of a union name no field.
  const schema = caseFile.options[v.is(v.object({ expectConfigError: v.unknown() }), value) ? 1 : 0];
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const place = v.getDotPath(issue) ?? 'the file';
  throw new Failure('cases', `cannot use the cases of "${file}": ${place}: ${issue.message}`);
}
