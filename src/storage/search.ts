import { hashSubject } from '../message/message.js';
import type { Ledger } from './ledger.js';
import type { LogFilter } from './log-filter.js';
import type { Cursor, LogTime, StoredMessage, SubjectState } from './message-log.js';
import { FLAG, recordFlags, recordLength, recordSequence, recordTimeMs, recordTimeNs } from './record.js';
import { NO_SUBJECT, type Segment } from './segment.js';

/** Looking at so many subjects takes less time than making one segment's catalogue. */
const LOOKED_AT_MAX = 100_000;

/** Finds messages of a ledger by sequence, subject and time. */
export class Search {
  private readonly ledger: Ledger;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  /** Reads the first message from `from` to `upTo` that matches. */
  next(from: number, upTo: number, filter: LogFilter | null, into: StoredMessage): boolean {
    if (filter === null && from <= upTo && this.ledger.readOn(from, into)) return true;
    for (;;) {
      const sequence = this.find(from, upTo, filter);
      if (sequence < 0) return false;
      if (this.ledger.read(sequence, into)) return true;
      from = sequence + 1;
    }
  }

  /** Reads the last message at or before `from` that matches. */
  previous(from: number, filter: LogFilter | null, into: StoredMessage): boolean {
    for (;;) {
      const sequence = this.findBack(from, filter);
      if (sequence < 0) return false;
      if (this.ledger.read(sequence, into)) return true;
      from = sequence - 1;
    }
  }

  /** The first sequence from `from` to `upTo` whose subject matches, or -1. */
  find(from: number, upTo: number, filter: LogFilter | null): number {
    let found: number;
    if (filter === null) found = this.ledger.nextLive(from);
    else if (filter.literal === null) found = this.findWildcard(from, upTo, filter);
    else found = this.findSubject(this.numberOf(filter.literal), from);
    return found <= upTo ? found : -1;
  }

  /** The last sequence at or before `from` whose subject matches, or -1. */
  findBack(from: number, filter: LogFilter | null): number {
    if (filter === null) return this.ledger.previousLive(from);
    if (filter.literal !== null) return this.findSubjectBack(this.numberOf(filter.literal), from);
    const { segments, state, subjects } = this.ledger;
    if (from < state.firstSequence) return -1;
    for (let i = this.ledger.segmentIndex(from); i >= 0; i--) {
      const segment = segments[i];
      if (segment.messages === 0) continue;
      const catalogue = this.ledger.catalogueOf(segment);
      for (let at = Math.min(from, segment.last) - segment.base; at >= 0; at--) {
        const number = catalogue[at];
        if (number !== NO_SUBJECT && filter.matchesNumber(subjects, number)) return segment.base + at;
      }
    }
    return -1;
  }

  /** The number of a subject, or -1. */
  numberOf(subject: Uint8Array): number {
    return this.ledger.subjects.find(subject, 0, subject.length, hashSubject(subject, 0, subject.length));
  }

  /** The first sequence of a subject. */
  firstOf(number: number): number {
    const { subjects } = this.ledger;
    if (subjects.isFirstOpen(number)) {
      const first = this.scan(number, subjects.firstNoted(number) + 1);
      subjects.setFirst(number, first < 0 ? subjects.lastNoted(number) : first);
    }
    return subjects.firstNoted(number);
  }

  /** The last sequence of a subject. */
  lastOf(number: number): number {
    const { subjects } = this.ledger;
    if (subjects.isLastOpen(number)) {
      const last = this.scanBack(number, subjects.lastNoted(number) - 1);
      subjects.setLast(number, last < 0 ? subjects.firstNoted(number) : last);
    }
    return subjects.lastNoted(number);
  }

  /** How many messages at or after `from` match. */
  count(filter: LogFilter | null, from: number): number {
    const { state, segments } = this.ledger;
    if (from > state.lastSequence) return 0;
    if (from <= state.firstSequence) return this.countAll(filter);
    // Catalogues may have to be made: the shorter part is counted.
    const index = this.ledger.segmentIndex(from);
    if (index >= segments.length >>> 1) return this.countBetween(filter, from, state.lastSequence);
    return this.countAll(filter) - this.countBetween(filter, state.firstSequence, from - 1);
  }

  subjects(filter: LogFilter | null, visit: (subject: Uint8Array, state: SubjectState) => boolean): void {
    const { subjects } = this.ledger;
    const found: SubjectState = { messages: 0, firstSequence: 0, lastSequence: 0 };
    this.forEachSubject(filter, (number) => {
      found.messages = subjects.count(number);
      found.firstSequence = this.firstOf(number);
      found.lastSequence = this.lastOf(number);
      return visit(subjects.name(number), found);
    });
  }

  subjectsPart(
    filter: LogFilter | null,
    { cursor, most }: { cursor: Cursor; most: number },
    visit: (subject: Uint8Array, messages: number) => void,
  ): boolean {
    const { subjects } = this.ledger;
    const take = (number: number) => {
      visit(subjects.name(number), subjects.count(number));
      return true;
    };
    if (filter !== null && filter.literal !== null) {
      this.forEachSubject(filter, take);
      return false;
    }
    const end = Math.min(cursor.from + most, subjects.numbers);
    for (; cursor.from < end; cursor.from++) {
      const number = cursor.from;
      if (subjects.isUsed(number) && (filter === null || filter.matchesNumber(subjects, number))) take(number);
    }
    return cursor.from < subjects.numbers;
  }

  subject(subject: Uint8Array): SubjectState | null {
    const number = this.numberOf(subject);
    if (number < 0) return null;
    const messages = this.ledger.subjects.count(number);
    return { messages, firstSequence: this.firstOf(number), lastSequence: this.lastOf(number) };
  }

  lastSequences(filter: LogFilter | null, upTo: number): number[] {
    const sequences: number[] = [];
    this.forEachSubject(filter, (number) => {
      const sequence = this.findSubjectBack(number, upTo);
      if (sequence >= 0) sequences.push(sequence);
      return true;
    });
    return sequences.sort((a, b) => a - b);
  }

  deleted(visit: (firstSequence: number, lastSequence: number) => boolean): void {
    const { state, segments } = this.ledger;
    let expected = state.firstSequence;
    for (const segment of segments) {
      if (segment.messages === 0) continue;
      for (let found = segment.nextLive(expected); found >= 0; found = segment.nextLive(found + 1)) {
        if (found > expected && !visit(expected, found - 1)) return;
        expected = found + 1;
        if (segment.absent !== null) continue;
        expected = segment.last + 1;
        break;
      }
    }
    if (expected <= state.lastSequence) visit(expected, state.lastSequence);
  }

  sequenceAtTime(time: LogTime): number {
    const { segments, state } = this.ledger;
    for (const segment of segments) {
      if (segment.messages === 0 || isBefore(segment.timeMaxMs, segment.timeMaxNs, time)) continue;
      const found = this.findTime(segment, time);
      if (found >= 0) return found;
    }
    return state.lastSequence + 1;
  }

  /** Calls `visit` with the number of every subject that matches, until it returns false. */
  forEachSubject(filter: LogFilter | null, visit: (number: number) => boolean): void {
    const { subjects } = this.ledger;
    if (filter !== null && filter.literal !== null) {
      const number = this.numberOf(filter.literal);
      if (number >= 0) visit(number);
      return;
    }
    for (let number = 0; number < subjects.numbers; number++) {
      if (!subjects.isUsed(number)) continue;
      if (filter !== null && !filter.matchesNumber(subjects, number)) continue;
      if (!visit(number)) return;
    }
  }

  private findSubject(number: number, from: number): number {
    if (number < 0) return -1;
    const { subjects } = this.ledger;
    if (from > subjects.lastNoted(number)) return -1;
    const first = this.firstOf(number);
    if (from <= first) return first;
    const last = this.lastOf(number);
    if (from > last) return -1;
    return from === last || subjects.count(number) === 2 ? last : this.scan(number, from);
  }

  private findSubjectBack(number: number, from: number): number {
    if (number < 0) return -1;
    const { subjects } = this.ledger;
    if (from < subjects.firstNoted(number)) return -1;
    const last = this.lastOf(number);
    if (from >= last) return last;
    const first = this.firstOf(number);
    if (from < first) return -1;
    return from === first || subjects.count(number) === 2 ? first : this.scanBack(number, from);
  }

  private findWildcard(from: number, upTo: number, filter: LogFilter): number {
    const { segments, state, subjects } = this.ledger;
    from = Math.max(from, state.firstSequence);
    if (from > Math.min(upTo, state.lastSequence)) return -1;
    for (let i = this.ledger.segmentIndex(from); i < segments.length && segments[i].base <= upTo; i++) {
      const segment = segments[i];
      if (segment.messages === 0) continue;
      if (segment.catalogue === null && subjects.size <= LOOKED_AT_MAX) {
        from = this.nextBound(filter, Math.max(from, segment.base));
        if (from < 0 || from > upTo) return -1;
        if (from > segment.last) continue;
      }
      const catalogue = this.ledger.catalogueOf(segment);
      const end = Math.min(upTo, segment.last) - segment.base;
      for (let at = Math.max(0, from - segment.base); at <= end; at++) {
        const number = catalogue[at];
        if (number !== NO_SUBJECT && filter.matchesNumber(subjects, number)) return segment.base + at;
      }
    }
    return -1;
  }

  /** The first message of a subject at or after `from`, looked for in the catalogues. */
  private scan(number: number, from: number): number {
    const { segments } = this.ledger;
    for (let i = this.ledger.segmentIndex(from); i < segments.length; i++) {
      const segment = segments[i];
      if (segment.messages === 0) continue;
      const at = this.ledger.catalogueOf(segment).indexOf(number, Math.max(0, from - segment.base));
      if (at >= 0) return segment.base + at;
    }
    return -1;
  }

  private scanBack(number: number, from: number): number {
    const { segments } = this.ledger;
    for (let i = this.ledger.segmentIndex(from); i >= 0; i--) {
      const segment = segments[i];
      if (segment.messages === 0 || from < segment.base) continue;
      const at = this.ledger.catalogueOf(segment).lastIndexOf(number, from - segment.base);
      if (at >= 0) return segment.base + at;
    }
    return -1;
  }

  private countAll(filter: LogFilter | null): number {
    if (filter === null) return this.ledger.state.messages;
    let count = 0;
    this.forEachSubject(filter, (number) => {
      count += this.ledger.subjects.count(number);
      return true;
    });
    return count;
  }

  private countBetween(filter: LogFilter | null, from: number, to: number): number {
    const { segments } = this.ledger;
    let count = 0;
    for (let i = this.ledger.segmentIndex(from); i < segments.length && segments[i].base <= to; i++) {
      const segment = segments[i];
      if (segment.messages === 0) continue;
      count += filter === null ? segment.countBetween(from, to) : this.countIn(segment, filter, from, to);
    }
    return count;
  }

  private countIn(segment: Segment, filter: LogFilter, from: number, to: number): number {
    const { subjects } = this.ledger;
    const only = filter.literal === null ? -1 : this.numberOf(filter.literal);
    if (filter.literal !== null) {
      if (only < 0 || segment.base > subjects.lastNoted(only) || segment.last < subjects.firstNoted(only)) return 0;
    }
    const catalogue = this.ledger.catalogueOf(segment);
    const end = Math.min(to, segment.last) - segment.base;
    let count = 0;
    for (let at = Math.max(0, from - segment.base); at <= end; at++) {
      const number = catalogue[at];
      if (number === NO_SUBJECT) continue;
      if (only >= 0 ? number === only : filter.matchesNumber(subjects, number)) count++;
    }
    return count;
  }

  /** Nothing that matches lies at or after `from` and below this; -1 when nothing lies there at all. */
  private nextBound(filter: LogFilter, from: number): number {
    const { subjects } = this.ledger;
    let bound = -1;
    this.forEachSubject(filter, (number) => {
      if (subjects.lastNoted(number) < from) return true;
      const first = Math.max(from, subjects.firstNoted(number));
      if (bound < 0 || first < bound) bound = first;
      return bound !== from;
    });
    return bound;
  }

  private findTime(segment: Segment, time: LogTime): number {
    for (let i = 0; i < segment.loaded.length; i++) {
      const block = this.ledger.blockAt(segment, i);
      if (block === null) continue;
      const { view, used } = block;
      for (let at = 0; at < used; at += recordLength(view, at)) {
        if (recordFlags(view, at) & FLAG.REMOVALS || isBefore(recordTimeMs(view, at), recordTimeNs(view, at), time))
          continue;
        if (segment.has(recordSequence(view, at))) return recordSequence(view, at);
      }
    }
    return -1;
  }
}

function isBefore(timeMs: number, timeNs: number, time: LogTime): boolean {
  return timeMs < time.timeMs || (timeMs === time.timeMs && timeNs < time.timeNs);
}
