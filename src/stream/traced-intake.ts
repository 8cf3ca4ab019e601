import type { TracedDelivery } from '../broker/subscription.js';
import { subjectOf } from '../broker/traced-publish.js';
import { composeMessage, type Message } from '../message/message.js';
import { untracedHeaders } from '../message/trace-headers.js';
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
  const stored = intake.transformed(message);
  const noInterest = stream.config.retention === 'interest' && !intake.isWanted(stored);
  const before = intake.error;
  let error = whyRefused(stream, stored);
  if (!trace.only) {
    intake.take(untraced(message));
    if (intake.error !== before) error ??= intake.error.description;
  }
  if (!hidden) trace.stream({ stream: stream.config.name, subject: subjectOf(stored), noInterest, error });
  return true;
}

/** What the stream finds wrong with the message before it makes room for it, or null. */
function whyRefused({ config, log, dedupe, surroundings }: IntakeOwner, message: Message): string | null {
  const headers = readHeaders(message);
  const { error, duplicateOf } = judge({ config, log, dedupe, nowMs: surroundings.clock.nowMs() }, message, headers);
  return duplicateOf > 0 ? 'msgid is duplicate' : (error?.description ?? null);
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
