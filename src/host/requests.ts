import * as v from 'valibot';
import { textOf } from '../base/bytes.js';
import { describe, Failure } from '../base/failure.js';
import { issueText } from '../base/issues.js';
import { parseJson } from '../base/json.js';
import { isFilter } from '../subject/subject.js';
import { budgetSchema, checkAttachment } from './attachment-schema.js';
import type { BacktestRequest } from './backtests.js';
import type { TrialRequest } from './candidates.js';
import type { AttachmentDeclaration, BudgetRequest } from './declarations.js';
import type { SwapRequest } from './deployments.js';

const number = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 31));
const swap = v.strictObject({ version: v.optional(number), config: v.optional(v.unknown()) });
const trial = v.strictObject({ ...swap.entries, share: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1))) });
const backtest = v.strictObject({
  ...swap.entries,
  stream: v.string(),
  last: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000))),
  since: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  filter: v.optional(v.pipe(v.string(), v.check(isFilter, 'expected a subject, or a filter with wildcards'))),
  against: v.optional(number),
});
const redelivery = v.strictObject({ stream: v.optional(v.string()) });
const upload = v.strictObject({ bytes: v.number(), sha256: v.string() });

/** Reads the body of a request that makes an attachment. */
export function readAttachment(
  name: string,
  payload: Uint8Array,
): { declaration: AttachmentDeclaration; replace: boolean } {
  const read = checkAttachment(name, parse(`attachment ${JSON.stringify(name)}`, payload));
  if (read.declaration.table?.file === undefined) return read;
  // The server's files are not for whoever may send requests.
  throw new Failure(
    'request-invalid',
    `attachment ${JSON.stringify(name)}: "table.file" is for the configuration file; expected the "entries" themselves`,
  );
}

/** Reads what is to be changed by a swap; nothing at all is the newest version. */
export function readSwap(name: string, payload: Uint8Array): SwapRequest {
  return read(swap, `attachment ${JSON.stringify(name)}`, payload) as SwapRequest;
}

/** Reads what is to be tried out. */
export function readTrial(name: string, payload: Uint8Array): TrialRequest {
  return read(trial, `attachment ${JSON.stringify(name)}`, payload) as TrialRequest;
}

/** Reads what is to be tried on the messages of a stream. */
export function readBacktest(what: string, payload: Uint8Array): BacktestRequest {
  return read(backtest, what, payload) as BacktestRequest;
}

/** Reads where dead letters are: in a stream, or in memory. */
export function readRedelivery(name: string, payload: Uint8Array): { stream?: string | undefined } {
  return read(redelivery, `attachment ${JSON.stringify(name)}`, payload);
}

export function readBudget(name: string, payload: Uint8Array): BudgetRequest {
  return read(budgetSchema, `attachment ${JSON.stringify(name)}`, payload) as BudgetRequest;
}

export function readUpload(name: string, payload: Uint8Array): { bytes: number; sha256: string } {
  return read(upload, `upload of ${JSON.stringify(name)}`, payload);
}

function read<Schema extends v.GenericSchema>(
  schema: Schema,
  what: string,
  payload: Uint8Array,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, parse(what, payload));
  if (result.success) return result.output;
  const texts = result.issues.map((issue) => issueText(issue, 'the request'));
  throw new Failure('request-invalid', `${what}: ${texts.join('; ')}`);
}

function parse(what: string, payload: Uint8Array): unknown {
  if (payload.length === 0) return {};
  try {
    return parseJson(textOf(payload));
  } catch (error) {
    throw new Failure('request-invalid', `${what}: the request is not JSON: ${describe(error)}`);
  }
}
