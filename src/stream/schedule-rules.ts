import { textOf } from '../base/bytes.js';
import type { Message } from '../message/message.js';
import { filtersOverlap, isLiteralSubject } from '../subject/subject.js';
import { type ApiErrorJson, errorJson } from './api-error.js';
import type { ErrorName } from './error-table.js';
import { HEADER, type Headers } from './headers.js';
import { isZone, nextDue } from './schedule-pattern.js';
import type { StreamConfig } from './stream-config.js';
import { readTtl } from './ttl.js';

/** What is wrong with a message that wants to be a schedule, or to end one; null when nothing is. */
export function checkSchedule(
  config: Readonly<StreamConfig>,
  message: Message,
  headers: Headers,
  nowMs: number,
): ApiErrorJson | null {
  const subject = textOf(message.bytes, message.subjectStart, message.subjectEnd);
  const pattern = headers.get(HEADER.schedule) ?? '';
  const error = pattern === '' ? null : whyNoSchedule(config, { subject, pattern, headers, nowMs });
  const name = error ?? whyNoPurge(subject, headers);
  return name === null ? null : errorJson(name);
}

interface Candidate {
  subject: string;
  pattern: string;
  headers: Headers;
  nowMs: number;
}

function whyNoSchedule(
  config: Readonly<StreamConfig>,
  { subject, pattern, headers, nowMs }: Candidate,
): ErrorName | null {
  if (!config.allow_msg_schedules) return 'messageSchedulesDisabled';
  const zone = headers.get(HEADER.scheduleZone);
  if (zone !== undefined && !isZone(zone)) return 'messageSchedulesTimeZoneInvalid';
  if (nextDue(pattern, zone, nowMs, nowMs) === null) return 'messageSchedulesPatternInvalid';
  const ttl = headers.get(HEADER.scheduleTtl) ?? '';
  if (ttl !== '' && readTtl(ttl) === null) return 'messageSchedulesTtlInvalid';
  const rollup = headers.get(HEADER.scheduleRollup) ?? '';
  if (rollup !== '' && rollup !== 'sub') return 'messageSchedulesRollupInvalid';
  if (ttl !== '' && !config.allow_msg_ttl) return 'messageTtlDisabled';
  const target = headers.get(HEADER.scheduleTarget) ?? '';
  const taken = (other: string) => (config.subjects ?? []).some((filter) => filtersOverlap(filter, other));
  if (!isLiteralSubject(target) || target === subject || !taken(target)) return 'messageSchedulesTargetInvalid';
  const source = headers.get(HEADER.scheduleSource) ?? '';
  if (source !== '' && (source === target || source === subject || !isLiteralSubject(source) || !taken(source)))
    return 'messageSchedulesSourceInvalid';
  const own = headers.get(HEADER.rollup) ?? '';
  return own === '' || own === 'sub' ? null : 'messageSchedulesRollupInvalid';
}

/** Only the server says which schedule a message comes from; a client may say which one is to end. */
function whyNoPurge(subject: string, headers: Headers): ErrorName | null {
  const next = headers.get(HEADER.scheduleNext) ?? '';
  const scheduler = headers.get(HEADER.scheduler) ?? '';
  if (next === '' && scheduler === '') return null;
  const right = next === 'purge' && isLiteralSubject(scheduler) && scheduler !== subject;
  return right ? null : 'messageSchedulesSchedulerInvalid';
}
