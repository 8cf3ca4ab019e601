import { textOf, utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { composeMessage, type Message } from '../message/message.js';
import type { Fault } from '../sandbox/fault.js';
import type { EmitRecord, Outbox } from '../sandbox/outbox.js';
import { filterCovers, isLiteralSubject, isLiteralSubjectBytes } from '../subject/subject.js';
import type { Attachment } from './attachment.js';
import type { EmitQueue } from './emit-queue.js';
import { headerBlock, isHeaderBlock } from './headers.js';

const EMITS_PER_MESSAGE_MAX = 8;
const HOPS_MAX = 4;
const LOG_LINES_PER_SECOND = 50;
const LOG_BYTES_MAX = 1024;
const METRIC_NAMES_MAX = 100;
const LEVELS = ['debug', 'info', 'warn', 'error'];

/** What plugins may do besides deciding: emit, log, count. Each kind needs its grant. */
export class Effects {
  readonly emits: EmitQueue;
  readonly payloadBytesMax: () => number;
  private readonly clock: Clock;
  private logSecond = 0;
  private logLines = 0;

  constructor(emits: EmitQueue, payloadBytesMax: () => number, clock: Clock) {
    this.emits = emits;
    this.payloadBytesMax = payloadBytesMax;
    this.clock = clock;
  }

  /** Whether the last call of the attachment asked for anything. */
  any(attachment: Attachment): boolean {
    const { outbox } = attachment.instance!;
    return outbox.emits.length > 0 || outbox.logs.length > 0 || outbox.metrics.length > 0;
  }

  /** Carries out what the outbox asks for, all of it or nothing; returns the fault of an effect that is not allowed. */
  apply(attachment: Attachment, message: Message, outbox: Outbox): Fault | null {
    if (!this.any(attachment)) return null;
    const { grants = {} } = attachment.declaration;
    if (outbox.logs.length > 0 && !grants.log) return ungranted('log');
    if (outbox.metrics.length > 0 && !grants.metric) return ungranted('metric');
    const problem = this.checkEmits(outbox, grants.emit ?? [], message);
    if (problem !== null) return problem;
    for (const record of outbox.emits) this.emits.push(this.composeEmit(record, outbox, message), false);
    attachment.counters.emits += outbox.emits.length;
    for (const { level, text } of outbox.logs) this.log(attachment, level, text);
    for (const { type, name, value } of outbox.metrics) count(attachment, type, name, value);
    return null;
  }

  private checkEmits(outbox: Outbox, filters: readonly string[], message: Message): Fault | null {
    if (outbox.emits.length === 0) return null;
    if (filters.length === 0) return ungranted('emit');
    if (outbox.emits.length > EMITS_PER_MESSAGE_MAX) {
      return output(`${outbox.emits.length} emits for one message; at most ${EMITS_PER_MESSAGE_MAX} are allowed`);
    }
    if (message.hops >= HOPS_MAX)
      return output(`this message is ${message.hops} emits away from a publisher; at most ${HOPS_MAX} are allowed`);
    for (const { subject, reply, headers, payload } of outbox.emits) {
      const text = textOf(outbox.bytes, subject.start, subject.end);
      if (!isLiteralSubject(text)) return output(`the emitted subject ${JSON.stringify(text)} is not a valid subject`);
      if (text.startsWith('$') || !filters.some((filter) => filterCovers(filter, text))) {
        return {
          cause: 'guest-error',
          text: `emitting to ${JSON.stringify(text)} is not granted; granted is ${filters.join(', ')}`,
        };
      }
      if (reply.end > reply.start && !isLiteralSubjectBytes(outbox.bytes, reply.start, reply.end)) {
        return output('the reply subject of an emit is not a valid subject');
      }
      if (headers.end > headers.start && !isHeaderBlock(outbox.bytes, headers.start, headers.end)) {
        return output('the headers of an emit are not a header block');
      }
      if (payload.end - headers.start > this.payloadBytesMax())
        return output('an emit is larger than the payload limit');
    }
    return null;
  }

  private composeEmit({ subject, reply, headers, payload }: EmitRecord, outbox: Outbox, message: Message): Message {
    const part = (range: { start: number; end: number }) => outbox.bytes.subarray(range.start, range.end);
    const parts = { subject: part(subject), reply: part(reply), headers: part(headers), payload: part(payload) };
    return composeMessage(parts, message.hops + 1);
  }

  private log(attachment: Attachment, level: number, text: string): void {
    const second = Math.floor(this.clock.nowMs() / 1000);
    if (second !== this.logSecond) {
      this.logSecond = second;
      this.logLines = 0;
    }
    if (++this.logLines > LOG_LINES_PER_SECOND) {
      attachment.counters.logsDropped++;
      return;
    }
    attachment.counters.logs++;
    const headers = headerBlock([
      ['Weir-Attachment', attachment.name],
      ['Weir-Level', LEVELS[level]],
    ]);
    const payload = utf8(text).subarray(0, LOG_BYTES_MAX);
    this.emits.push(
      composeMessage({ subject: utf8(`$WEIR.LOG.${attachment.name}`), reply: null, headers, payload }),
      true,
    );
  }
}

/** Counters add up; gauges and histograms show their last value. */
function count(attachment: Attachment, type: number, name: string, value: number): void {
  const { metrics } = attachment.counters;
  if (metrics[name] === undefined && Object.keys(metrics).length >= METRIC_NAMES_MAX) return;
  metrics[name] = type === 0 ? (metrics[name] ?? 0) + value : value;
}

function ungranted(kind: string): Fault {
  return { cause: 'guest-error', text: `the effect "${kind}" is not granted to this attachment` };
}

function output(text: string): Fault {
  return { cause: 'output', text };
}
