import { utf8 } from '../base/bytes.js';
import type { TracedDelivery } from '../broker/subscription.js';
import { subjectOf } from '../broker/traced-publish.js';
import { composeMessage, type Message } from '../message/message.js';
import { untracedHeaders } from '../message/trace-headers.js';
import { SubjectTransform } from '../subject/transform.js';
import { judge } from './admission.js';
import { readHeaders } from './headers.js';
import type { Intake, IntakeOwner } from './intake.js';

/** A message that asks for a trace, and what came with it. */
interface Traced {
  message: Message;
  delivery: TracedDelivery;
}

/** Takes a message in, unless only its trace is wanted, and says there what the stream makes of it. */
export function takeTraced(stream: IntakeOwner, intake: Intake, { message, delivery }: Traced): boolean {
  const { trace, imported, hidden, withheld } = delivery;
  if (imported) trace.streamExport(stream.surroundings.broker.name, subjectOf(message));
  if (withheld !== null) return true;
  const stored = transformedSubject(stream, subjectOf(message));
  const noInterest = stream.config.retention === 'interest' && !isWanted(stream, stored);
  const before = intake.error;
  let error = whyRefused(stream, message);
  if (!trace.only) {
    intake.take(untraced(message));
    if (intake.error !== before) error ??= intake.error.description;
  }
  if (!hidden) trace.stream({ stream: stream.config.name, subject: stored, noInterest, error });
  return true;
}

/** What the stream finds wrong with the message before it makes room for it, or null. */
function whyRefused({ config, log, dedupe, surroundings }: IntakeOwner, message: Message): string | null {
  const headers = readHeaders(message);
  const { error, duplicateOf } = judge({ config, log, dedupe, nowMs: surroundings.clock.nowMs() }, message, headers);
  return duplicateOf > 0 ? 'msgid is duplicate' : (error?.description ?? null);
}

function transformedSubject({ config }: IntakeOwner, subject: string): string {
  const { src = '', dest = '' } = config.subject_transform ?? {};
  if (config.subject_transform === undefined) return subject;
  return new SubjectTransform(src, dest).match(subject) ?? subject;
}

function isWanted({ consumers, followers }: IntakeOwner, subject: string): boolean {
  const bytes = utf8(subject);
  if (followers.size > 0) return true;
  return [...consumers.values()].some(({ feed }) => feed.filter?.matches(bytes, 0, bytes.length) ?? true);
}

/** When the message is handed out it is not traced again. */
function untraced({ bytes, subjectStart, subjectEnd, replyStart, replyEnd, ...rest }: Message): Message {
  const { headersStart, payloadStart, payloadEnd } = rest;
  return composeMessage({
    subject: bytes.subarray(subjectStart, subjectEnd),
    reply: bytes.subarray(replyStart, replyEnd),
    headers: untracedHeaders(bytes.subarray(headersStart, payloadStart)),
    payload: bytes.subarray(payloadStart, payloadEnd),
  });
}
