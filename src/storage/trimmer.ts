import type { Ledger } from './ledger.js';
import type { LogFilter } from './log-filter.js';
import { type LogTime, type PurgeOptions, StoredMessage } from './message-log.js';
import type { Search } from './search.js';

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

  trimMessages(messagesMax: number): number {
    const { state } = this.ledger;
    let gone = 0;
    while (state.messages > messagesMax && this.removeFirst()) gone++;
    return gone;
  }

  trimBytes(bytesMax: number): number {
    const { state } = this.ledger;
    let gone = 0;
    while (state.bytes > bytesMax && this.removeFirst()) gone++;
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

  trimSubject(subject: Uint8Array, messagesMax: number): number {
    let gone = 0;
    for (;;) {
      const number = this.search.numberOf(subject);
      if (number < 0 || this.ledger.subjects.count(number) <= messagesMax) return gone;
      if (!this.remove(this.search.firstOf(number))) return gone;
      gone++;
    }
  }

  trimSubjects(messagesMax: number): number {
    const large: Uint8Array[] = [];
    this.search.forEachSubject(null, (number) => {
      if (this.ledger.subjects.count(number) > messagesMax) large.push(this.ledger.subjects.name(number).slice());
      return true;
    });
    return large.reduce((gone, subject) => gone + this.trimSubject(subject, messagesMax), 0);
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
