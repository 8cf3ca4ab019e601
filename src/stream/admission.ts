import { utf8 } from '../base/bytes.js';
import type { Message } from '../message/message.js';
import { LogFilter } from '../storage/log-filter.js';
import type { MessageLog } from '../storage/message-log.js';
import { type ApiErrorJson, errorJson } from './api-error.js';
import { isInteger } from './counter.js';
import type { DedupeWindow } from './dedupe.js';
import { HEADER, type Headers } from './headers.js';
import { checkSchedule } from './schedule-rules.js';
import type { StreamConfig } from './stream-config.js';
import { readTtl } from './ttl.js';

const HEADERS_BYTES_MAX = 65535;

/** What becomes of a message that wants to be stored. */
export interface Verdict {
  /** Why not; null when it may. */
  error: ApiErrorJson | null;
  /** The sequence of the message that this one repeats, or 0. */
  duplicateOf: number;
  msgId: string;
  rollup: '' | 'sub' | 'all';
  /** Seconds that it may be kept; 0 as long as others, -1 for ever. */
  ttlSeconds: number;
  /** Part of a batch that has room as a whole: more of it comes at once, or this is its last message. */
  batch: '' | 'continues' | 'ends';
}

/** A message that was found to be as it should be. */
export interface Admitted {
  message: Message;
  verdict: Readonly<Verdict>;
  headers: Headers | null;
}

/** What a message without any wishes gets. */
export const WELCOME: Readonly<Verdict> = {
  ...{ error: null, duplicateOf: 0, msgId: '', rollup: '', ttlSeconds: 0 },
  batch: '',
};

function refused(error: ApiErrorJson): Verdict {
  return { ...WELCOME, error };
}

/** What a message is judged by. */
export interface AdmissionRules {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly dedupe: DedupeWindow;
  readonly nowMs: number;
}

/** Whether a message may be stored, by its size and its headers, in nats-server's order of checks. Changes nothing. */
export function judge(rules: AdmissionRules, message: Message, headers: Headers | null): Readonly<Verdict> {
  const { config } = rules;
  if (config.sealed) return refused(errorJson('streamSealed'));
  const { headersStart, payloadStart, payloadEnd } = message;
  if (config.max_msg_size >= 0 && payloadEnd - headersStart > config.max_msg_size)
    return refused(errorJson('streamMessageExceedsMaximum'));
  if (payloadStart - headersStart > HEADERS_BYTES_MAX) return refused(errorJson('streamHeaderExceedsMaximum'));
  return headers === null ? WELCOME : judgeHeaders(rules, message, headers);
}

function judgeHeaders(rules: AdmissionRules, message: Message, headers: Headers): Readonly<Verdict> {
  const { config, dedupe, nowMs } = rules;
  const increment = headers.get(HEADER.increment);
  if (increment !== undefined) {
    const error = checkIncrement(config, message, headers);
    if (error !== null) return refused(error);
  }
  const expectedStream = headers.get(HEADER.expectedStream) ?? '';
  if (expectedStream !== '' && expectedStream !== config.name) return refused(errorJson('streamNotMatch'));
  const ttlText = headers.get(HEADER.ttl) ?? '';
  const ttlSeconds = ttlText === '' ? 0 : readTtl(ttlText);
  if (ttlSeconds && !config.allow_msg_ttl) return refused(errorJson('messageTtlDisabled'));
  const sequenceError = checkSequences(rules, message, headers);
  if (sequenceError !== null) return refused(sequenceError);
  const scheduleError = checkSchedule(config, message, headers, nowMs);
  if (scheduleError !== null) return refused(scheduleError);
  if (headers.has(HEADER.streamSource)) return refused(errorJson('messageSourceHdrNotAllowed'));
  const msgId = headers.get(HEADER.msgId) ?? '';
  const duplicateOf = msgId === '' ? 0 : dedupe.find(msgId, nowMs);
  if (duplicateOf > 0) return { ...WELCOME, duplicateOf, msgId };
  const expectedId = headers.get(HEADER.expectedLastMsgId) ?? '';
  if (expectedId !== '' && expectedId !== dedupe.lastId)
    return refused(errorJson('streamWrongLastMsgId', { id: dedupe.lastId }));
  const rollup = headers.get(HEADER.rollup) ?? '';
  if (rollup !== '' && (!config.allow_rollup_hdrs || config.deny_purge))
    return refused(errorJson('streamRollupFailed', { err: 'rollup not permitted' }));
  if (rollup !== '' && rollup !== 'sub' && rollup !== 'all')
    return refused(errorJson('streamRollupFailed', { err: `rollup value invalid: ${JSON.stringify(rollup)}` }));
  if (ttlSeconds === null) return refused(errorJson('messageTtlInvalid'));
  return { ...WELCOME, msgId, rollup: rollup as Verdict['rollup'], ttlSeconds };
}

const NOT_WITH_INCREMENT = [
  ...[HEADER.rollup, HEADER.expectedStream, HEADER.expectedLastMsgId, HEADER.expectedLastSequence],
  ...[HEADER.expectedLastSubjectSequence, HEADER.expectedLastSubjectSequenceSubject],
];

function checkIncrement(config: Readonly<StreamConfig>, message: Message, headers: Headers): ApiErrorJson | null {
  if (!isInteger(headers.get(HEADER.increment)!)) return errorJson('messageIncrInvalid');
  if (!config.allow_msg_counter) return errorJson('messageIncrDisabled');
  if (message.payloadEnd > message.payloadStart) return errorJson('messageIncrPayload');
  return NOT_WITH_INCREMENT.some((name) => headers.has(name)) ? errorJson('messageIncrInvalid') : null;
}

function checkSequences({ log }: AdmissionRules, message: Message, headers: Headers): ApiErrorJson | null {
  const { bytes, subjectStart, subjectEnd } = message;
  const ofSubject = headers.get(HEADER.expectedLastSubjectSequence);
  const other = headers.get(HEADER.expectedLastSubjectSequenceSubject) ?? '';
  if (ofSubject !== undefined) {
    const subject = other === '' ? bytes.subarray(subjectStart, subjectEnd) : utf8(other);
    const last = lastOf(log, subject, other);
    if (last !== sequenceOf(ofSubject)) return errorJson('streamWrongLastSequence', { seq: last });
  } else if (other !== '') return errorJson('streamExpectedLastSeqPerSubjectInvalid');
  const expected = headers.get(HEADER.expectedLastSequence) ?? '';
  const { lastSequence } = log.state;
  if (expected !== '' && sequenceOf(expected) !== lastSequence)
    return errorJson('streamWrongLastSequence', { seq: lastSequence });
  return null;
}

/** What is no sequence is none that a stream ever has. */
function sequenceOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : -1;
}

/** The last sequence of a subject, or of all that a filter matches; 0 when there is none. */
function lastOf(log: MessageLog, subject: Uint8Array, filter: string): number {
  if (!/(?:^|\.)[*>](?:\.|$)/.test(filter)) return log.subject(subject)?.lastSequence ?? 0;
  let last = 0;
  log.subjects(LogFilter.of([filter]), (_subject, { lastSequence }) => {
    last = Math.max(last, lastSequence);
    return true;
  });
  return last;
}
