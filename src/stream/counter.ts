import { textOf, utf8 } from '../base/bytes.js';
import { parseJson } from '../base/json.js';
import { composeMessage, type Message } from '../message/message.js';
import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import { type ApiErrorJson, errorJson } from './api-error.js';
import { changeHeaders, HEADER, type Headers, readHeaders } from './headers.js';

type Counted = { message: Message; value: bigint } | { error: ApiErrorJson };

/** By stream and subject, what other streams' counters were when they were last added. */
type Sources = Record<string, Record<string, string>>;

/** Makes the message that holds a counter's new value of one that says by how much it grows. */
export function countUp(log: MessageLog, message: Message, headers: Headers | null): Counted {
  const increment = headers?.get(HEADER.increment);
  if (increment === undefined) return { error: errorJson('messageIncrMissing') };
  const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
  const subject = bytes.subarray(subjectStart, subjectEnd);
  const before = lastValue(log, subject);
  if (before === null) return { error: errorJson('messageCounterBroken') };
  const changes: [string, string][] = [];
  let grows = BigInt(increment.replace(/^\+/, ''));
  const source = headers?.get(HEADER.streamSource) ?? '';
  if (source !== '') {
    const there = readValue(textOf(bytes, payloadStart, payloadEnd));
    if (there === null) return { error: errorJson('messageCounterBroken') };
    const [stream, , , , itsSubject = textOf(subject)] = source.split(' ');
    before.sources[stream] ??= {};
    grows = there - BigInt(before.sources[stream][itsSubject] ?? '0');
    before.sources[stream][itsSubject] = String(there);
    changes.push([HEADER.increment, String(grows)]);
  }
  if (Object.keys(before.sources).length > 0) changes.push([HEADER.counterSources, JSON.stringify(before.sources)]);
  const value = before.value + grows;
  const names = changes.map(([name]) => name);
  const old = bytes.subarray(headersStart, payloadStart);
  return {
    value,
    message: composeMessage({
      subject,
      reply: bytes.subarray(replyStart, replyEnd),
      headers: changes.length === 0 ? old : changeHeaders(old, names, changes),
      payload: utf8(`{"val":"${value}"}`),
    }),
  };
}

/** What a subject's counter stands at; null when it is not a counter's message. */
function lastValue(log: MessageLog, subject: Uint8Array): { value: bigint; sources: Sources } | null {
  const found = new StoredMessage();
  const state = log.subject(subject);
  if (state === null || !log.read(state.lastSequence, found)) return { value: 0n, sources: {} };
  const { bytes, payloadStart, payloadEnd } = found.message;
  const value = readValue(textOf(bytes, payloadStart, payloadEnd));
  if (value === null) return null;
  try {
    const sources = parseJson(readHeaders(found.message)?.get(HEADER.counterSources) ?? '{}') as Sources;
    return { value, sources };
  } catch {
    return null;
  }
}

function readValue(payload: string): bigint | null {
  try {
    const { val } = parseJson(payload) as { val?: unknown };
    return typeof val === 'string' && isInteger(val) ? BigInt(val) : null;
  } catch {
    return null;
  }
}

/** Whether the text is a whole number of any size, with or without a sign. */
export function isInteger(text: string): boolean {
  return /^[+-]?\d{1,1000}$/.test(text);
}
