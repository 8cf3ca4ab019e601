import { textOf, wordsOf } from '../base/bytes.js';
import { RECORD_HEAD_BYTES, RecordKind } from './abi.js';
import type { GuestMemory } from './guest-memory.js';

/** A half-open range of `Outbox.bytes`. */
export interface Range {
  start: number;
  end: number;
}

export interface EmitRecord {
  subject: Range;
  reply: Range;
  headers: Range;
  payload: Range;
}

export interface LogRecord {
  /** 0 debug, 1 info, 2 warn, 3 error. */
  level: number;
  text: string;
}

export interface MetricRecord {
  /** 0 counter, 1 gauge, 2 histogram. */
  type: number;
  name: string;
  value: number;
}

/** Records of one call: reading them is the event loop's time, not the guest's fuel. */
const RECORDS_MAX = 1000;
/** Bytes of one text (log line, metric name, error) that are read; the rest is cut. */
const TEXT_BYTES_MAX = 4096;

/** Shared by all calls that ask for nothing, which are most: replaced, never filled. */
const NO_EMITS: EmitRecord[] = [];
const NO_LOGS: LogRecord[] = [];
const NO_METRICS: MetricRecord[] = [];

/**
 * The records of one call. Ranges point into the guest's memory and hold until its next call: whoever keeps bytes copies
 * them.
 */
export class Outbox {
  bytes: Uint8Array = new Uint8Array(0);
  /** The same bytes. */
  words: DataView = wordsOf(this.bytes);
  subject: Range | null = null;
  reply: Range | null = null;
  headers: Range | null = null;
  payload: Range | null = null;
  /** What `weir_save` wrote; only allowed while `acceptsState`. */
  state: Range | null = null;
  acceptsState = false;
  /** Text of a reject, a guest error or a refused configuration. */
  error = '';
  /** Status code of a reject. */
  code = 0;
  emits: EmitRecord[] = NO_EMITS;
  logs: LogRecord[] = NO_LOGS;
  metrics: MetricRecord[] = NO_METRICS;
  isEmpty = true;
  /** Whether there are emits, logs or metrics. */
  hasEffects = false;

  clear(): void {
    this.isEmpty = true;
    this.hasEffects = false;
    this.subject = null;
    this.reply = null;
    this.headers = null;
    this.payload = null;
    this.error = '';
    this.code = 0;
    this.state = null;
    this.emits = NO_EMITS;
    this.logs = NO_LOGS;
    this.metrics = NO_METRICS;
  }

  /** Reads the records in `memory[start, end)`, `start` a multiple of 4. Returns what is wrong, or null. */
  read(memory: Pick<GuestMemory, 'bytes' | 'words'>, start: number, end: number): string | null {
    this.bytes = memory.bytes;
    this.words = memory.words;
    this.isEmpty = false;
    const view = memory.words;
    let at = start;
    for (let count = 0; at < end; count++) {
      if (count === RECORDS_MAX) return `the outbox holds more than ${RECORDS_MAX} records`;
      if (end - at < RECORD_HEAD_BYTES) return `a record's head at byte ${at - start} of the outbox is cut off`;
      const kind = view.getUint32(at, true);
      const length = view.getUint32(at + 4, true);
      const body = at + RECORD_HEAD_BYTES;
      if (length > end - body) return `a record of kind ${kind} has ${length} bytes and ends behind the outbox length`;
      const problem = this.record(view, kind, body, body + length);
      if (problem !== null) return problem;
      at = body + Math.ceil(length / 4) * 4;
    }
    return null;
  }

  private record(view: DataView, kind: number, start: number, end: number): string | null {
    switch (kind) {
      case RecordKind.payload:
        if (this.payload !== null) return repeated('payload');
        this.payload = { start, end };
        return null;
      case RecordKind.subject:
        if (this.subject !== null) return repeated('subject');
        this.subject = { start, end };
        return null;
      case RecordKind.headers:
        if (this.headers !== null) return repeated('headers');
        this.headers = { start, end };
        return null;
      case RecordKind.reply:
        if (this.reply !== null) return repeated('reply');
        this.reply = { start, end };
        return null;
      case RecordKind.state:
        if (!this.acceptsState) return 'the outbox has a state record; only weir_save may write one';
        if (this.state !== null) return repeated('state');
        this.state = { start, end };
        return null;
      case RecordKind.error:
        if (this.error !== '') return repeated('error');
        this.error = this.text(start, end) || 'no text';
        return null;
      case RecordKind.emit:
        this.hasEffects = true;
        return this.emit(view, start, end);
      case RecordKind.log:
        this.hasEffects = true;
        return this.log(view, start, end);
      case RecordKind.metric:
        this.hasEffects = true;
        return this.metric(view, start, end);
      default:
        return `a record has the kind ${kind}; kinds 1 to 9 are allowed`;
    }
  }

  private emit(view: DataView, start: number, end: number): string | null {
    if (end - start < 16) return 'an emit record is shorter than its four lengths';
    const lengths = [0, 4, 8, 12].map((offset) => view.getUint32(start + offset, true));
    const total = lengths.reduce((sum, length) => sum + length, 16);
    if (total > end - start) return `an emit record promises ${total} bytes and has ${end - start}`;
    let at = start + 16;
    const [subject, reply, headers, payload] = lengths.map((length) => ({ start: at, end: (at += length) }));
    if (this.emits === NO_EMITS) this.emits = [];
    this.emits.push({ subject, reply, headers, payload });
    return null;
  }

  private log(view: DataView, start: number, end: number): string | null {
    if (end - start < 4) return 'a log record is shorter than its level';
    const level = view.getUint32(start, true);
    if (level > 3) return `a log record has the level ${level}; 0 to 3 are allowed`;
    if (this.logs === NO_LOGS) this.logs = [];
    this.logs.push({ level, text: this.text(start + 4, end) });
    return null;
  }

  private metric(view: DataView, start: number, end: number): string | null {
    if (end - start < 12) return 'a metric record is shorter than its type and value';
    const type = view.getUint32(start, true);
    if (type > 2) return `a metric record has the type ${type}; 0 to 2 are allowed`;
    const value = view.getFloat64(start + 4, true);
    if (!Number.isFinite(value)) return `a metric record has the value ${value}; a finite number is expected`;
    if (this.metrics === NO_METRICS) this.metrics = [];
    // Adding 0 makes 0 of -0.
    this.metrics.push({ type, name: this.text(start + 12, end), value: value + 0 });
    return null;
  }

  /** A range as text; invalid UTF-8 becomes U+FFFD. */
  private text(start: number, end: number): string {
    const cut = end - start > TEXT_BYTES_MAX;
    const text = textOf(this.bytes, start, cut ? start + TEXT_BYTES_MAX : end);
    return cut ? `${text}…` : text;
  }
}

function repeated(what: string): string {
  return `the outbox has a second ${what} record`;
}
