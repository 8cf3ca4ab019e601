import { isDeepStrictEqual } from 'node:util';
import type { Instance } from '../sandbox/instance.js';
import type { EmitRecord, Range } from '../sandbox/outbox.js';
import {
  type Expectation,
  type ExpectedEffects,
  type ExpectedEmit,
  type ExpectedPayload,
  LOG_LEVELS,
  METRIC_TYPES,
  type TickExpectation,
} from './plugin-case-file.js';

/** What of a call's outcome is not as expected, for people; null when everything is. */
export function differenceOf(instance: Instance, verdict: string | undefined, expect: Expectation): string | null {
  const { outbox, fault } = instance;
  const error = verdict === 'error' ? `${fault.cause}: ${fault.text}` : outbox.error;
  if (verdict !== expect.verdict) {
    return `expected the verdict ${expect.verdict}, found ${verdict}${error === '' ? '' : ` (${error})`}`;
  }
  if (expect.error !== undefined && !error.includes(expect.error)) return errorDifference(expect.error, error);
  if (expect.code !== undefined && outbox.code !== expect.code)
    return `expected the code ${expect.code}, found ${outbox.code}`;
  for (const part of ['subject', 'reply', 'headers'] as const) {
    const difference = textDifference(part, expect[part], partOf(instance, outbox[part]));
    if (difference !== null) return difference;
  }
  return (
    payloadDifference('payload', expect, partOf(instance, outbox.payload)) ??
    // A fault's effects are void: the broker carries out none of them.
    effectsDifference(instance, expect, verdict === 'error')
  );
}

/** The same of a tick. */
export function tickDifferenceOf(instance: Instance, isDone: boolean, expect: TickExpectation): string | null {
  const { fault } = instance;
  const error = isDone ? '' : `${fault.cause}: ${fault.text}`;
  if (isDone && expect.verdict === 'error') return 'expected an error, found none';
  if (!isDone && expect.verdict !== 'error') return `expected no error, found ${JSON.stringify(error)}`;
  if (expect.error !== undefined && !error.includes(expect.error)) return errorDifference(expect.error, error);
  return effectsDifference(instance, expect, !isDone);
}

function errorDifference(expected: string, found: string): string {
  return `expected ${JSON.stringify(expected)} in the error ${JSON.stringify(found)}`;
}

function effectsDifference(instance: Instance, expect: ExpectedEffects, areVoid: boolean): string | null {
  const { emits, logs, metrics } = instance.outbox;
  if (expect.logs !== undefined) {
    const found = areVoid ? [] : logs.map(({ level, text }) => ({ level: LOG_LEVELS[level], text }));
    if (!isDeepStrictEqual(found, expect.logs)) return unlike('logs', expect.logs, found);
  }
  if (expect.metrics !== undefined) {
    const found = areVoid ? [] : metrics.map(({ type, name, value }) => ({ type: METRIC_TYPES[type], name, value }));
    if (!isDeepStrictEqual(found, expect.metrics)) return unlike('metrics', expect.metrics, found);
  }
  return expect.emits === undefined ? null : emitsDifference(instance, areVoid ? [] : emits, expect.emits);
}

function emitsDifference(instance: Instance, found: readonly EmitRecord[], expected: ExpectedEmit[]): string | null {
  if (found.length !== expected.length) {
    const subjects = found.map(({ subject }) => JSON.stringify(partOf(instance, subject))).join(', ');
    return `expected ${expected.length} emits, found ${found.length}${found.length === 0 ? '' : ` (${subjects})`}`;
  }
  for (const [i, record] of found.entries()) {
    const difference = emitDifference(instance, record, expected[i]);
    if (difference !== null) return `emit ${i + 1}: ${difference}`;
  }
  return null;
}

function emitDifference(instance: Instance, record: EmitRecord, expected: ExpectedEmit): string | null {
  for (const part of ['subject', 'reply', 'headers'] as const) {
    const difference = textDifference(part, expected[part], partOf(instance, record[part]));
    if (difference !== null) return difference;
  }
  return payloadDifference('payload', expected, partOf(instance, record.payload));
}

function textDifference(what: string, expected: string | undefined, found: string | null): string | null {
  return expected === undefined || found === expected ? null : unlike(what, expected, found);
}

function payloadDifference(what: string, expected: ExpectedPayload, found: string | null): string | null {
  const { payload, payloadText } = expected;
  if (payloadText !== undefined && found !== payloadText) return unlike(what, payloadText, found);
  if (payload === undefined) return null;
  const isLike = typeof payload === 'string' ? found === payload : isDeepStrictEqual(parse(found), payload);
  return isLike ? null : `expected the ${what} ${JSON.stringify(payload)}, found ${found}`;
}

function unlike(what: string, expected: unknown, found: unknown): string {
  return `expected the ${what} ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`;
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** A part that the call wrote; null when it was left alone. */
function partOf({ outbox }: Instance, range: Range | null): string | null {
  return range === null ? null : Buffer.from(outbox.bytes.subarray(range.start, range.end)).toString('utf8');
}
