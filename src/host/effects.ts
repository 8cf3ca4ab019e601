import { textOf, utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { composeMessage, type Message } from '../message/message.js';
import type { Fault } from '../sandbox/fault.js';
import type { EmitRecord, Outbox } from '../sandbox/outbox.js';
import { filterCovers } from '../subject/subject.js';
import type { Attachment } from './attachment.js';
import { EmitQueue } from './emit-queue.js';
import { headerBlock, isHeaderBlock } from './headers.js';
import { quoted, whyNotSubject } from './written-subject.js';

const HOPS_MAX = 4;
const LOG_LINES_PER_SECOND = 50;
const LOG_BYTES_MAX = 1024;
const METRIC_NAMES_MAX = 100;
const METRIC_NAME = /^[A-Za-z_][A-Za-z0-9_.:-]{0,99}$/;
const LEVELS = ['debug', 'info', 'warn', 'error'];

/** What plugins may do besides deciding: emit, log, count. Each kind needs its grant. */
export class Effects {
  readonly emits: EmitQueue;
  readonly payloadBytesMax: () => number;
  private readonly clock: Clock;

  constructor(emits: EmitQueue, payloadBytesMax: () => number, clock: Clock) {
    this.emits = emits;
    this.payloadBytesMax = payloadBytesMax;
    this.clock = clock;
  }

  /** The same rules, and nothing comes of what they allow. */
  muted(): Effects {
    return new Effects(new EmitQueue(), this.payloadBytesMax, this.clock);
  }

  /** Carries out what the outbox asks for, all of it or nothing; returns the fault of an effect that is not allowed. */
  apply(attachment: Attachment, message: Message, outbox: Outbox): Fault | null {
    if (!outbox.hasEffects) return null;
    const { grants = {} } = attachment.declaration;
    if (outbox.logs.length > 0 && !grants.log) return ungranted('log');
    if (outbox.metrics.length > 0 && !grants.metric) return ungranted('metric');
    const unnamed = outbox.metrics.find(({ name }) => !METRIC_NAME.test(name));
    if (unnamed !== undefined) {
      return output(
        `a metric is named ${JSON.stringify(unnamed.name.slice(0, 100))}; expected 1 to 100 letters, digits, "_", ".", ":" or "-", the first a letter or "_"`,
      );
    }
    const problem = this.checkEmits(attachment, outbox, message);
    if (problem !== null) return problem;
    for (const record of outbox.emits) this.emits.push(this.composeEmit(record, outbox, message), false);
    attachment.counters.emits += outbox.emits.length;
    for (const { level, text } of outbox.logs) this.log(attachment, level, text);
    for (const { type, name, value } of outbox.metrics) count(attachment, type, name, value);
    return null;
  }

  private checkEmits(attachment: Attachment, outbox: Outbox, message: Message): Fault | null {
    if (outbox.emits.length === 0) return null;
    const filters = attachment.declaration.grants?.emit ?? [];
    if (filters.length === 0) return ungranted('emit');
    if (outbox.emits.length > attachment.emitsMax) {
      return output(`${outbox.emits.length} emits for one message; at most ${attachment.emitsMax} are allowed`);
    }
    if (message.hops >= HOPS_MAX)
      return output(`this message is ${message.hops} emits away from a publisher; at most ${HOPS_MAX} are allowed`);
    for (const record of outbox.emits) {
      const problem = this.checkEmit(record, outbox.bytes, filters);
      if (problem !== null) return problem;
    }
    return null;
  }

  private checkEmit(record: EmitRecord, bytes: Uint8Array, filters: readonly string[]): Fault | null {
    const { subject, reply, headers, payload } = record;
    const problem = whyNotSubject('the emitted subject', bytes, subject.start, subject.end);
    if (problem !== null) return output(problem);
    const text = textOf(bytes, subject.start, subject.end);
    if (!filters.some((filter) => filterCovers(filter, text))) {
      const tried = quoted(bytes, subject.start, subject.end);
      return { cause: 'guest-error', text: `emitting to ${tried} is not granted; granted is ${filters.join(', ')}` };
    }
    const badReply = whyNotSubject('the reply subject of an emit', bytes, reply.start, reply.end);
    if (reply.end > reply.start && badReply !== null) return output(badReply);
    if (headers.end > headers.start && !isHeaderBlock(bytes, headers.start, headers.end)) {
      return output('the headers of an emit are not a header block');
    }
    const limit = this.payloadBytesMax();
    if (payload.end - headers.start <= limit) return null;
    return output(`an emit has ${payload.end - headers.start} bytes; at most ${limit} are allowed`);
  }

  private composeEmit({ subject, reply, headers, payload }: EmitRecord, outbox: Outbox, message: Message): Message {
    const part = (range: { start: number; end: number }) => outbox.bytes.subarray(range.start, range.end);
    const parts = { subject: part(subject), reply: part(reply), headers: part(headers), payload: part(payload) };
    return composeMessage(parts, message.hops + 1);
  }

  private log(attachment: Attachment, level: number, text: string): void {
    const second = Math.floor(this.clock.nowMs() / 1000);
    if (second !== attachment.logSecond) {
      attachment.logSecond = second;
      attachment.logLines = 0;
    }
    if (++attachment.logLines > LOG_LINES_PER_SECOND) {
      attachment.counters.logsDropped++;
      return;
    }
    attachment.counters.logs++;
    const headers = headerBlock([
      ['Weir-Attachment', attachment.name],
      ['Weir-Level', LEVELS[level]],
    ]);
    const subject = utf8(`$WEIR.LOG.${attachment.name}`);
    this.emits.push(composeMessage({ subject, reply: null, headers, payload: logLine(text) }), true);
  }
}

/** A line in UTF-8, cut between two characters. */
function logLine(text: string): Uint8Array {
  const bytes = utf8(text);
  let end = Math.min(bytes.length, LOG_BYTES_MAX);
  if (end < bytes.length) while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
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
