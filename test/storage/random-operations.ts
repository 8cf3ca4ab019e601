import { expect } from 'vitest';
import { textOf, utf8 } from '../../src/base/bytes.js';
import { composeMessage } from '../../src/message/message.js';
import { LogFilter } from '../../src/storage/log-filter.js';
import { type LogListener, type MessageLog, StoredMessage } from '../../src/storage/message-log.js';
import { ModelLog, type ModelMessage } from './model-log.js';
import type { Random } from './random.js';

const SUBJECTS = ['a', 'b', 'a.b', 'a.c', 'a.b.c', 'a.b.d', 'x.y.z', 'long.subject.of.several.tokens'];
const FILTERS: (string[] | null)[] = [
  null,
  ['>'],
  ['a'],
  ['a.*'],
  ['a.>'],
  ['*.b.*'],
  ['a.b.c', 'x.>'],
  ['nothing.here'],
];

export function messageOf(subject: string, payload: string, headers = '') {
  return composeMessage({
    subject: utf8(subject),
    reply: null,
    headers: headers === '' ? null : utf8(headers),
    payload: utf8(payload),
  });
}

/** A message as read, in the model's terms. */
export function readOut(into: StoredMessage): ModelMessage {
  const { message, sequence, timeMs, timeNs } = into;
  return {
    sequence,
    subject: textOf(message.bytes, message.subjectStart, message.subjectEnd),
    headers: textOf(message.bytes, message.headersStart, message.payloadStart),
    payload: textOf(message.bytes, message.payloadStart, message.payloadEnd),
    timeMs,
    timeNs,
  };
}

/** Does the same to a log and to its model, and compares what they say. */
export class RandomOperations {
  readonly model = new ModelLog();
  readonly removedTold: number[] = [];
  log: MessageLog;
  private readonly random: Random;
  private readonly into = new StoredMessage();
  private timeMs = 1_700_000_000_000;
  /** Bytes of the largest payload, but for a few. */
  payloadBytesMax = 200;

  constructor(random: Random, log: MessageLog) {
    this.random = random;
    this.log = log;
  }

  listener(): LogListener {
    return {
      onCommit: () => {},
      onTrouble: () => {},
      onDamage: () => {},
      onRemoved: (sequence) => this.removedTold.push(sequence),
    };
  }

  step(): void {
    const roll = this.random.next(100);
    if (roll < 60) this.append();
    else if (roll < 72) this.remove();
    else if (roll < 74) this.purge();
    else if (roll < 78) this.trim();
    else if (roll < 79) this.skip();
    else this.look();
  }

  append(): void {
    const { random } = this;
    const subject = random.next(4) === 0 ? `many.${random.next(50)}` : random.pick(SUBJECTS);
    const bytes = random.next(200) === 0 ? 100_000 : random.next(this.payloadBytesMax);
    const payload = String.fromCharCode(97 + random.next(26)).repeat(bytes);
    const headers = random.next(3) === 0 ? `NATS/1.0\r\nA: ${random.next(1000)}\r\n\r\n` : '';
    this.timeMs += random.next(3);
    const time = { timeMs: this.timeMs, timeNs: random.next(1_000_000) };
    const sequence = this.log.append(messageOf(subject, payload, headers), time);
    expect(sequence).toBe(this.model.append({ subject, headers, payload, ...time }));
  }

  /** The log says of everything what the model says. */
  compare(): void {
    const { log, model, into } = this;
    this.compareState();
    let from = 0;
    for (const message of model.messages) {
      if (message.sequence > log.committedSequence) break;
      expect(log.next(from, null, into)).toBe(true);
      expect(readOut(into)).toEqual(message);
      from = into.sequence + 1;
    }
    expect(log.next(from, null, into)).toBe(false);
    const subjects = model.subjects();
    let found = 0;
    log.subjects(null, (subject, state) => {
      const list = subjects.get(textOf(subject))!;
      expect(state).toEqual({
        messages: list.length,
        firstSequence: list[0]!.sequence,
        lastSequence: list.at(-1)!.sequence,
      });
      found++;
      return true;
    });
    expect(found).toBe(subjects.size);
    const gaps: [number, number][] = [];
    log.deleted((first, last) => gaps.push([first, last]) > 0);
    expect(gaps).toEqual(model.gaps());
  }

  compareState(): void {
    const { log, model } = this;
    const first = model.messages[0];
    const last = model.messages.at(-1);
    expect({ ...log.state, bytes: 0, lastTimeMs: 0, lastTimeNs: 0, firstTimeMs: log.state.firstTimeMs }).toMatchObject({
      messages: model.messages.length,
      firstSequence: model.first(),
      lastSequence: model.last,
      deleted: model.last - model.first() + 1 - model.messages.length,
      firstTimeMs: first?.timeMs ?? 0,
    });
    if (last !== undefined && last.sequence === model.last) expect(log.state.lastTimeMs).toBe(last.timeMs);
    const bytes = model.messages.reduce(
      (sum, { subject, headers, payload }) => sum + log.sizeOf(subject.length, headers.length, payload.length),
      0,
    );
    expect(log.state.bytes).toBe(bytes);
    expect(log.state.subjects).toBe(model.subjects().size);
  }

  private anySequence(): number {
    const { model, random } = this;
    return model.messages.length > 0 && random.next(4) > 0
      ? random.pick(model.messages).sequence
      : random.next(model.last + 3);
  }

  private remove(): void {
    const sequence = this.anySequence();
    const message = this.model.get(sequence);
    expect(this.log.remove(sequence)).toBe(message !== undefined);
    if (message !== undefined) this.model.removeAll([message]);
  }

  private purge(): void {
    const { random, model } = this;
    if (random.next(40) === 0) {
      expect(this.log.purge()).toBe(model.purge({}));
      return;
    }
    const filters = random.pick(FILTERS) ?? undefined;
    const keep = random.next(2) === 0 ? random.next(5) : undefined;
    const before = filters === undefined || random.next(2) === 0 ? Math.floor(this.anySequence() / 2) : undefined;
    const gone = this.log.purge({
      filter: filters === undefined ? null : LogFilter.of(filters),
      ...(keep === undefined ? {} : { keep }),
      ...(before === undefined ? {} : { before }),
    });
    expect(gone).toBe(model.purge({ filters, keep, before }));
  }

  private trim(): void {
    const { log, model, random } = this;
    const kind = random.next(5);
    if (kind === 0) {
      const max = Math.max(0, model.messages.length - random.next(20));
      expect(log.trimMessages(max)).toBe(model.trimMessages(max));
    } else if (kind === 1) {
      const subject = random.pick(SUBJECTS);
      const max = 1 + random.next(5);
      expect(log.trimSubject(messageOf(subject, ''), max)).toBe(model.trimSubject(subject, max));
    } else if (kind === 2 && random.next(10) === 0) {
      const max = 5 + random.next(40);
      let gone = 0;
      for (const subject of model.subjects().keys()) gone += model.trimSubject(subject, max);
      expect(trimSubjects(log, max)).toBe(gone);
    } else if (kind === 3) {
      const before = model.messages.length;
      const gone = log.trimBytes(log.state.bytes - random.next(1000));
      expect(model.trimMessages(before - gone)).toBe(gone);
    } else {
      const at = model.messages[random.next(Math.min(10, model.messages.length))];
      if (at === undefined) return;
      const gone = model.messages.findIndex((message) => !isBefore(message, at));
      expect(log.trimOlderThan(at)).toBe(gone);
      model.removeAll(model.messages.slice(0, gone));
    }
  }

  private skip(): void {
    const sequence = this.model.last + this.random.next(5);
    this.log.skipTo(sequence);
    this.model.skipTo(sequence);
  }

  private look(): void {
    const { log, model, random, into } = this;
    const sequence = this.anySequence();
    const message = model.get(sequence);
    expect(log.read(sequence, into)).toBe(message !== undefined);
    if (message !== undefined) expect(readOut(into)).toEqual(message);
    const filters = random.pick(FILTERS);
    const filter = filters === null ? null : LogFilter.of(filters);
    const matching = model.matching(filters);
    const committed = matching.filter((each) => each.sequence <= log.committedSequence);
    const kind = random.next(8);
    if (kind === 0) {
      expect(log.count(filter, sequence)).toBe(matching.filter((each) => each.sequence >= sequence).length);
    } else if (kind === 1) {
      const lasts = new Map(
        matching.filter((each) => each.sequence <= sequence).map((each) => [each.subject, each.sequence]),
      );
      expect(log.lastSequences(filter, sequence)).toEqual([...lasts.values()].sort((a, b) => a - b));
    } else if (kind === 2) {
      const expected = committed.findLast((each) => each.sequence <= sequence);
      expect(log.previous(sequence, filter, into)).toBe(expected !== undefined);
      if (expected !== undefined) expect(readOut(into)).toEqual(expected);
    } else if (kind === 3 && message !== undefined) {
      const expected = model.messages.find((each) => !isBefore(each, message));
      expect(log.sequenceAtTime(message)).toBe(expected!.sequence);
    } else {
      const expected = committed.find((each) => each.sequence >= sequence);
      expect(log.next(sequence, filter, into)).toBe(expected !== undefined);
      if (expected !== undefined) expect(readOut(into)).toEqual(expected);
    }
  }
}

function isBefore(one: { timeMs: number; timeNs: number }, other: { timeMs: number; timeNs: number }): boolean {
  return one.timeMs < other.timeMs || (one.timeMs === other.timeMs && one.timeNs < other.timeNs);
}

/** Removes the oldest messages of each subject, part by part. */
export function trimSubjects(log: MessageLog, messagesMax: number): number {
  let gone = 0;
  for (const cursor = { from: 0 }; cursor.from <= log.state.lastSequence; )
    gone += log.trimSubjectsPart(messagesMax, cursor);
  return gone;
}
