import { textOf } from '../base/bytes.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import { Alarm } from './alarm.js';
import { HEADER, type Headers, headerBlock, readHeaders } from './headers.js';
import type { StreamConfig } from './stream-config.js';
import type { Surroundings } from './surroundings.js';
import { durationText } from './time.js';
import { TimeHeap } from './time-heap.js';
import { readTtl } from './ttl.js';

interface Expiring {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly surroundings: Surroundings;
  appendOwn(message: ReturnType<typeof composeMessage>): void;
}

/** Not before this: messages that are due within it go together. */
const GRAIN_MS = 20;
/** Messages that one turn removes. */
const AT_ONCE_MAX = 10_000;

/** Removes messages that are too old, and leaves a marker where a subject has none any more, if the configuration asks for one. */
export class Expiry {
  private readonly stream: Expiring;
  private readonly alarm: Alarm;
  private readonly due = new TimeHeap((sequence) => this.stream.log.has(sequence));
  /** Messages that stay for ever. */
  private readonly kept = new Set<number>();
  private readonly stored = new StoredMessage();
  /** What is at work, if markers are wanted: subjects that lost a message by their age. */
  private losing: Set<string> | null = null;

  constructor(stream: Expiring) {
    this.stream = stream;
    this.alarm = new Alarm(stream.surroundings.clock, () => this.onTime());
  }

  configure(): void {
    this.alarm.cancel();
    this.schedule();
  }

  /** A message that was found in the log. */
  remember({ sequence, timeMs }: StoredMessage, headers: Headers | null): void {
    const ttl = readTtl(headers?.get(HEADER.ttl) ?? '');
    if (ttl !== null) this.add(sequence, ttl, timeMs);
  }

  /** A message with a time to live of its own; -1 is for ever. */
  add(sequence: number, ttlSeconds: number, storedMs: number): void {
    if (ttlSeconds < 0) this.kept.add(sequence);
    else {
      this.due.add(storedMs + ttlSeconds * 1000, sequence);
      this.schedule();
    }
  }

  onAppended(timeMs: number): void {
    const { max_age } = this.stream.config;
    if (max_age > 0) this.alarm.set(timeMs + max_age / 1e6);
  }

  onRemoved(sequence: number, { bytes, subjectStart, subjectEnd }: Message): void {
    if (this.kept.size > 0) this.kept.delete(sequence);
    this.losing?.add(Buffer.from(bytes.subarray(subjectStart, subjectEnd)).toString('latin1'));
  }

  /** All messages were removed at once, and nobody told of each. */
  onPurged(): void {
    this.due.clear();
    this.kept.clear();
    this.configure();
  }

  /** Messages that it remembers, because they go earlier or later than others. */
  get remembered(): number {
    return this.due.size + this.kept.size;
  }

  close(): void {
    this.alarm.cancel();
  }

  private onTime(): void {
    const { config } = this.stream;
    const markers = (config.subject_delete_marker_ttl ?? 0) > 0;
    this.losing = markers ? new Set() : null;
    const nowMs = this.stream.surroundings.clock.nowMs();
    this.removeDue(nowMs);
    if (config.max_age > 0) this.removeOld(nowMs - config.max_age / 1e6);
    const lost = this.losing;
    this.losing = null;
    if (lost !== null) for (const subject of lost) this.mark(Buffer.from(subject, 'latin1'));
    this.schedule();
  }

  private removeDue(nowMs: number): void {
    for (let sequence = this.due.take(nowMs); sequence > 0; sequence = this.due.take(nowMs)) this.remove(sequence);
  }

  private removeOld(beforeMs: number): void {
    const { log } = this.stream;
    const time = { timeMs: Math.floor(beforeMs), timeNs: 999_999 };
    if (this.kept.size === 0 && this.losing === null) {
      // What is left goes when the alarm rings again, which is soon.
      log.trimOlderThan(time, AT_ONCE_MAX);
      return;
    }
    const end = log.sequenceAtTime(time);
    for (let from = log.state.firstSequence; log.next(from, null, this.stored); from = this.stored.sequence + 1) {
      if (this.stored.sequence >= end) return;
      if (!this.kept.has(this.stored.sequence)) this.remove(this.stored.sequence);
    }
  }

  /** A marker that goes leaves none behind. */
  private remove(sequence: number): void {
    const { log } = this.stream;
    const found = new StoredMessage();
    const { losing } = this;
    if (losing !== null && log.read(sequence, found) && isMarker(found.message)) this.losing = null;
    log.remove(sequence);
    this.losing = losing;
  }

  private mark(subject: Uint8Array): void {
    const { log, config } = this.stream;
    if (log.subject(subject) !== null) return;
    const headers = headerBlock([
      [HEADER.markerReason, 'MaxAge'],
      [HEADER.ttl, durationText(config.subject_delete_marker_ttl!)],
      [HEADER.rollup, 'sub'],
    ]);
    this.stream.appendOwn(composeMessage({ subject, reply: null, headers, payload: NO_BYTES }));
  }

  private schedule(): void {
    const { log, config } = this.stream;
    // While the stream is being opened there is no log yet.
    if (log === undefined) return;
    const nowMs = this.stream.surroundings.clock.nowMs();
    let atMs = this.due.firstMs;
    if (config.max_age > 0 && log.state.messages > this.kept.size)
      atMs = Math.min(atMs, this.oldestMs() + config.max_age / 1e6 + 1);
    this.alarm.set(Math.max(atMs, nowMs + GRAIN_MS));
  }

  /** When the first message was stored that is not kept for ever. */
  private oldestMs(): number {
    const { log } = this.stream;
    for (let from = log.state.firstSequence; log.next(from, null, this.stored); from = this.stored.sequence + 1)
      if (!this.kept.has(this.stored.sequence)) return this.stored.timeMs;
    return log.state.firstTimeMs;
  }
}

/** Whether a message says that its subject has none any more: the server's own marker, or the purge of a key by a client. */
function isMarker(message: Message): boolean {
  const { bytes, headersStart, payloadStart } = message;
  if (readHeaders(message)?.has(HEADER.markerReason)) return true;
  return /\r\nKV-Operation: *PURGE\r\n/.test(textOf(bytes, headersStart, payloadStart));
}
