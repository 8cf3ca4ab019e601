import type { Message } from '../message/message.js';
import type { Ledger } from './ledger.js';
import type { LogFilter } from './log-filter.js';
import { type Cursor, type LogTime, type PurgeOptions, StoredMessage } from './message-log.js';
import type { Search } from './search.js';
import { NO_SUBJECT, type Segment } from './segment.js';

/** What goes in one part of a removal: some 3 ms. */
const PART_MESSAGES = 1000;

/** Removes messages of a ledger, by limits and by purge. */
export class Trimmer {
  private readonly ledger: Ledger;
  private readonly search: Search;
  private readonly into = new StoredMessage();

  constructor(ledger: Ledger, search: Search) {
    this.ledger = ledger;
    this.search = search;
  }

  remove(sequence: number): boolean {
    return this.ledger.remove(sequence, this.into);
  }

  trimMessages(messagesMax: number, most = Number.MAX_SAFE_INTEGER): number {
    const { state } = this.ledger;
    let gone = 0;
    while (gone < most && state.messages > messagesMax && this.removeFirst()) gone++;
    return gone;
  }

  trimBytes(bytesMax: number, most = Number.MAX_SAFE_INTEGER): number {
    const { state } = this.ledger;
    let gone = 0;
    while (gone < most && state.bytes > bytesMax && this.removeFirst()) gone++;
    return gone;
  }

  trimOlderThan(time: LogTime, most = Number.MAX_SAFE_INTEGER): number {
    const { into } = this;
    const { state } = this.ledger;
    let gone = 0;
    while (state.messages > 0 && gone < most) {
      const first = state.firstSequence;
      if (this.ledger.read(first, into)) {
        if (into.timeMs > time.timeMs || (into.timeMs === time.timeMs && into.timeNs >= time.timeNs)) break;
        this.ledger.removeRead(into);
        gone++;
      } else if (state.firstSequence === first) {
        break;
      }
    }
    return gone;
  }

  trimSubject({ bytes, subjectStart, subjectEnd, subjectHash }: Message, messagesMax: number): number {
    const { subjects } = this.ledger;
    let gone = 0;
    for (;;) {
      const number = subjects.find(bytes, subjectStart, subjectEnd, subjectHash);
      if (number < 0 || subjects.count(number) <= messagesMax) return gone;
      if (!this.remove(this.search.firstOf(number))) return gone;
      gone++;
    }
  }

  /** Looks at one segment at most: making its catalogue may take reading it. */
  trimSubjectsPart(messagesMax: number, cursor: Cursor): number {
    const { subjects } = this.ledger;
    const segment = this.segmentAt(cursor);
    if (segment === null) return 0;
    const catalogue = this.ledger.catalogueOf(segment);
    let gone = 0;
    for (let at = cursor.from - segment.base; at < catalogue.length; at++) {
      const number = catalogue[at];
      if (number === NO_SUBJECT || subjects.count(number) <= messagesMax) continue;
      if (this.remove(segment.base + at)) gone++;
      if (gone < PART_MESSAGES) continue;
      cursor.from = segment.base + at + 1;
      return gone;
    }
    cursor.from = Math.max(cursor.from, segment.last + 1);
    return gone;
  }

  /** The same for what matches. */
  purgePart(
    { filter = null, before = Number.MAX_SAFE_INTEGER }: PurgeOptions,
    cursor: Cursor,
    most = PART_MESSAGES,
  ): number {
    const segment = this.segmentAt(cursor);
    const last = Math.min(before - 1, segment?.last ?? 0);
    let gone = 0;
    while (gone < Math.min(most, PART_MESSAGES)) {
      const sequence = segment === null ? -1 : this.search.find(cursor.from, last, filter);
      if (sequence < 0) {
        cursor.from = Math.max(cursor.from, (segment?.last ?? this.ledger.state.lastSequence) + 1);
        return gone;
      }
      if (this.remove(sequence)) gone++;
      cursor.from = sequence + 1;
    }
    return gone;
  }

  /** The segment of the next message at or after the cursor, which is moved there; null when there is none. */
  private segmentAt(cursor: Cursor): Segment | null {
    const sequence = this.ledger.nextLive(cursor.from);
    cursor.from = sequence < 0 ? Math.max(cursor.from, this.ledger.state.lastSequence + 1) : sequence;
    return sequence < 0 ? null : this.ledger.segments[this.ledger.segmentIndex(sequence)];
  }

  /** Removes from the front, or what matches; not for a purge of everything. */
  purge(options: PurgeOptions): number {
    const { filter = null, before = Number.MAX_SAFE_INTEGER, keep = 0 } = options;
    const last = Math.min(before - 1, this.ledger.state.lastSequence);
    let left = this.search.count(filter, 0) - keep;
    let gone = 0;
    for (let from = 0; left > 0; left--) {
      const sequence = this.search.find(from, last, filter);
      if (sequence < 0) break;
      if (this.remove(sequence)) gone++;
      from = sequence + 1;
    }
    return gone;
  }

  /** False when nothing moves any more: the first message cannot be read now. */
  private removeFirst(): boolean {
    const { state } = this.ledger;
    while (state.messages > 0) {
      const first = state.firstSequence;
      if (this.remove(first)) return true;
      if (state.firstSequence === first) return false;
    }
    return false;
  }
}

/** Whether a purge leaves nothing. */
export function isPurgeOfAll(options: PurgeOptions, lastSequence: number): boolean {
  const filter: LogFilter | null | undefined = options.filter;
  return !filter && !options.keep && (options.before === undefined || options.before > lastSequence);
}
