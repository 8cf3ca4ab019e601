import { textOf, utf8 } from '../base/bytes.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import { Alarm } from './alarm.js';
import { changeHeaders, HEADER, type Headers, readHeaders } from './headers.js';
import { nextDue } from './schedule-pattern.js';
import type { Surroundings } from './surroundings.js';
import { timeText } from './time.js';
import { TimeHeap } from './time-heap.js';

interface Scheduling {
  readonly log: MessageLog;
  readonly surroundings: Surroundings;
  /** Stores a message that a schedule made. */
  takeScheduled(message: Message): boolean;
  /** Removes all messages of a subject. */
  purgeSubject(subject: Uint8Array): void;
}

/** Schedules are not looked at more often than this. */
const GRAIN_MS = 20;

/** Messages that are to be stored again on another subject when their time comes: the last one of each subject counts. */
export class Schedules {
  private readonly stream: Scheduling;
  private readonly alarm: Alarm;
  private readonly heap = new TimeHeap((sequence) => this.dueMs.has(sequence));
  /** When each schedule's message is due. */
  private readonly dueMs = new Map<number, number>();

  constructor(stream: Scheduling) {
    this.stream = stream;
    this.alarm = new Alarm(stream.surroundings.clock, () => this.onTime());
  }

  /** A schedule was stored, or found in the log. */
  add(sequence: number, headers: Headers, storedMs: number): void {
    const { clock } = this.stream.surroundings;
    const pattern = headers.get(HEADER.schedule) ?? '';
    const due = nextDue(pattern, headers.get(HEADER.scheduleZone), storedMs, clock.nowMs());
    if (due !== null) this.set(sequence, due.timeMs);
  }

  onRemoved(sequence: number): void {
    this.dueMs.delete(sequence);
  }

  /** All messages were removed at once, and nobody told of each. */
  onPurged(): void {
    this.heap.clear();
    this.dueMs.clear();
  }

  close(): void {
    this.alarm.cancel();
  }

  private set(sequence: number, timeMs: number): void {
    this.dueMs.set(sequence, timeMs);
    this.heap.add(timeMs, sequence);
    this.alarm.set(Math.max(timeMs, this.stream.surroundings.clock.nowMs() + GRAIN_MS));
  }

  private onTime(): void {
    const nowMs = this.stream.surroundings.clock.nowMs();
    for (let sequence = this.heap.take(nowMs); sequence > 0; sequence = this.heap.take(nowMs)) {
      const dueMs = this.dueMs.get(sequence);
      // It was removed, or set to another time.
      if (dueMs === undefined || dueMs > nowMs) continue;
      this.dueMs.delete(sequence);
      this.run(sequence, dueMs);
    }
    if (this.heap.firstMs < Number.POSITIVE_INFINITY) this.alarm.set(Math.max(this.heap.firstMs, nowMs + GRAIN_MS));
  }

  private run(sequence: number, dueMs: number): void {
    const { log, surroundings } = this.stream;
    const stored = new StoredMessage();
    if (!log.read(sequence, stored)) return;
    const headers = readHeaders(stored.message);
    if (headers === null) return;
    const pattern = headers.get(HEADER.schedule) ?? '';
    const next = nextDue(pattern, headers.get(HEADER.scheduleZone), dueMs, surroundings.clock.nowMs());
    if (next === null) return;
    const { bytes, subjectStart, subjectEnd } = stored.message;
    const subject = bytes.slice(subjectStart, subjectEnd);
    const made = this.make(stored.message, headers, next.repeats ? timeText(next.timeMs) : 'purge');
    const taken = this.stream.takeScheduled(made);
    if (!taken) this.set(sequence, surroundings.clock.nowMs() + 1000);
    else if (next.repeats) this.set(sequence, next.timeMs);
    else this.stream.purgeSubject(subject);
  }

  /** The message to be stored: the schedule's own, or the last one of another subject. */
  private make(schedule: Message, headers: Headers, next: string): Message {
    const { log } = this.stream;
    const source = headers.get(HEADER.scheduleSource) ?? '';
    const other = new StoredMessage();
    const state = source === '' ? null : log.subject(utf8(source));
    const from = state !== null && log.read(state.lastSequence, other) ? other.message : schedule;
    const { bytes, headersStart, payloadStart, payloadEnd } = from;
    const own = from === schedule ? headers : (readHeaders(from) ?? new Map<string, string>());
    const removed = [...own.keys()].filter((name) => /^Nats-(?:Schedule|Expected-|Msg-Id$|TTL$|Rollup$)/.test(name));
    const ttl = headers.get(HEADER.scheduleTtl) ?? '';
    const rollup = headers.get(HEADER.scheduleRollup) ?? '';
    return composeMessage({
      subject: utf8(headers.get(HEADER.scheduleTarget)!),
      reply: NO_BYTES,
      headers: changeHeaders(bytes.subarray(headersStart, payloadStart), removed, [
        [HEADER.scheduler, textOf(schedule.bytes, schedule.subjectStart, schedule.subjectEnd)],
        [HEADER.scheduleNext, next],
        ...(ttl === '' ? [] : [[HEADER.ttl, ttl] as const]),
        ...(rollup === '' ? [] : [[HEADER.rollup, rollup] as const]),
      ]),
      payload: bytes.subarray(payloadStart, payloadEnd),
    });
  }
}
