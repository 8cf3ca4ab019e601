import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, Failure } from '../base/failure.js';
import { Verdict } from '../sandbox/abi.js';
import { DEFAULT_BUDGET } from '../sandbox/budget.js';
import { FAULT, Instance } from '../sandbox/instance.js';
import type { PreparedModule } from '../sandbox/prepare.js';

/** A file of test cases: messages in, what is to come out. `plugins/README.md` describes it. */
interface CaseFile {
  config?: unknown;
  /** The configuration is to be refused with a text that holds this one. */
  expectConfigError?: string;
  cases?: Case[];
}

interface Case {
  name: string;
  message: {
    subject?: string;
    reply?: string;
    headers?: Record<string, string>;
    payload?: unknown;
    payloadBase64?: string;
  };
  expect: Expectation;
}

interface Expectation {
  verdict: 'pass' | 'drop' | 'replace' | 'reject' | 'error';
  /** A text, or a JSON value that the payload is to be equal to. */
  payload?: unknown;
  /** The payload, letter for letter. */
  payloadText?: string;
  subject?: string;
  reply?: string;
  /** The header block, letter for letter. */
  headers?: string;
  code?: number;
  /** Part of the text of a reject or an error. */
  error?: string;
}

/** What became of one case. */
export interface CaseResult {
  name: string;
  /** What is not as expected; null when everything is. */
  difference: string | null;
  fuel: number;
}

const VERDICTS = new Map<number, Expectation['verdict']>([
  [Verdict.pass, 'pass'],
  [Verdict.drop, 'drop'],
  [Verdict.replace, 'replace'],
  [Verdict.reject, 'reject'],
  [FAULT, 'error'],
]);

/** Runs every case of a file on an instance of its own. Throws a `Failure` for a file that is not one of cases. */
export function runCases(prepared: PreparedModule, file: string): CaseResult[] {
  const { config = {}, expectConfigError, cases = [] } = readCases(file);
  const create = () => Instance.create(prepared, DEFAULT_BUDGET, JSON.stringify(config));
  if (expectConfigError !== undefined) return [configRefused(create(), expectConfigError)];
  return cases.map((one) => {
    const instance = create();
    if (instance instanceof Instance) return runCase(instance, one);
    return { name: one.name, difference: `the configuration was refused: ${instance.text}`, fuel: 0 };
  });
}

function readCases(file: string): CaseFile {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as CaseFile;
  } catch (error) {
    throw new Failure('cases', `cannot read the cases of "${file}": ${describe(error)}`, { cause: error });
  }
}

function configRefused(made: Instance | { text: string }, expected: string): CaseResult {
  const name = 'the configuration is refused';
  if (made instanceof Instance) return { name, difference: 'it was accepted', fuel: 0 };
  const fits = made.text.includes(expected);
  return {
    name,
    difference: fits ? null : `expected ${JSON.stringify(expected)} in ${JSON.stringify(made.text)}`,
    fuel: 0,
  };
}

function runCase(instance: Instance, { name, message, expect }: Case): CaseResult {
  const parts = [message.subject ?? 'test', message.reply ?? '', headerBlock(message.headers)].map((text) =>
    Buffer.from(text),
  );
  const payload = payloadOf(message);
  const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, part) => sum + part.length, 0));
  const [subjectEnd, replyEnd, headersEnd] = ends;
  const frame = Buffer.concat([...parts, payload]);
  const verdict = instance.call(
    frame,
    0,
    subjectEnd,
    subjectEnd,
    replyEnd,
    replyEnd,
    headersEnd,
    frame.length,
    Date.UTC(2025, 0, 1),
  );
  return { name, difference: differenceOf(instance, VERDICTS.get(verdict), expect), fuel: instance.fuelUsed };
}

function payloadOf({ payload, payloadBase64 }: Case['message']): Buffer {
  if (payloadBase64 !== undefined) return Buffer.from(payloadBase64, 'base64');
  if (payload === undefined) return Buffer.alloc(0);
  return Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
}

function headerBlock(headers: Record<string, string> | undefined): string {
  if (headers === undefined) return '';
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `NATS/1.0\r\n${lines.join('')}\r\n`;
}

function differenceOf(instance: Instance, verdict: string | undefined, expect: Expectation): string | null {
  const { outbox, fault } = instance;
  const error = verdict === 'error' ? `${fault.cause}: ${fault.text}` : outbox.error;
  if (verdict !== expect.verdict) {
    return `expected the verdict ${expect.verdict}, found ${verdict}${error === '' ? '' : ` (${error})`}`;
  }
  if (expect.error !== undefined && !error.includes(expect.error)) {
    return `expected ${JSON.stringify(expect.error)} in the error ${JSON.stringify(error)}`;
  }
  if (expect.code !== undefined && outbox.code !== expect.code)
    return `expected the code ${expect.code}, found ${outbox.code}`;
  for (const part of ['subject', 'reply', 'headers'] as const) {
    const found = textOf(instance, part);
    if (expect[part] !== undefined && found !== expect[part]) {
      return `expected the ${part} ${JSON.stringify(expect[part])}, found ${JSON.stringify(found)}`;
    }
  }
  return payloadDifference(textOf(instance, 'payload'), expect);
}

function payloadDifference(found: string | null, { payload, payloadText }: Expectation): string | null {
  if (payloadText !== undefined && found !== payloadText) {
    return `expected the payload ${JSON.stringify(payloadText)}, found ${JSON.stringify(found)}`;
  }
  if (payload === undefined) return null;
  if (typeof payload === 'string') return found === payload ? null : `expected the payload ${payload}, found ${found}`;
  return isDeepStrictEqual(parse(found), payload)
    ? null
    : `expected the payload ${JSON.stringify(payload)}, found ${found}`;
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** A part that the call replaced; null when it was left alone. */
function textOf({ outbox }: Instance, part: 'subject' | 'reply' | 'headers' | 'payload'): string | null {
  const range = outbox[part];
  return range === null ? null : Buffer.from(outbox.bytes.subarray(range.start, range.end)).toString('utf8');
}
