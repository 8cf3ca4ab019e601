import type { Message } from '../message/message.js';
import { LogFilter } from '../storage/log-filter.js';
import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import type { ConsumerConfig } from './consumer-config.js';
import { filtersOf } from './consumer-rules.js';
import type { Ledger } from './ledger.js';
import { parseTime } from './time.js';

/** Where a consumer's first message is: at a sequence, or first the last ones of each subject. */
export interface Start {
  next: number;
  /** Sequences to give before `next`, ascending. */
  first: number[];
}

/**
 * Which message comes next: one that has to come again, one of those a consumer starts with, or the next of the log. It looks and does
 * not take: `advance` does.
 */
export class Feed {
  filter: LogFilter | null;
  /** Messages that were not given yet, those that are not durable yet included. */
  unseen = 0;
  /** Sequences to give before those from `ledger.next` on, last first. */
  private first: number[];
  private readonly log: MessageLog;
  private readonly ledger: Ledger;
  private readonly again: number[] = [];
  private readonly againSet = new Set<number>();
  private readonly cursor = new StoredMessage();
  private readonly other = new StoredMessage();

  constructor(log: MessageLog, ledger: Ledger, config: ConsumerConfig, first: number[] = []) {
    this.log = log;
    this.ledger = ledger;
    this.first = first.toReversed();
    this.filter = filterOf(config);
    ledger.starting = first.length > 0;
    this.recount();
  }

  /** The next message, valid until the event loop's next turn; null when there is none now. */
  peekAgain(): StoredMessage | null {
    while (this.again.length > 0) {
      const sequence = this.again[0];
      if (this.ledger.pending.has(sequence) && this.log.read(sequence, this.other)) return this.other;
      this.again.shift();
      this.againSet.delete(sequence);
    }
    return null;
  }

  peekNew(): StoredMessage | null {
    while (this.first.length > 0) {
      const sequence = this.first.at(-1)!;
      if (sequence > this.log.committedSequence) return null;
      if (this.log.read(sequence, this.other)) return this.other;
      this.first.pop();
      this.unseen = Math.max(0, this.unseen - 1);
    }
    this.ledger.starting = false;
    if (this.log.next(this.ledger.next, this.filter, this.cursor)) return this.cursor;
    const { committedSequence, state } = this.log;
    // Nobody has to look at these again.
    if (this.ledger.next <= committedSequence) this.ledger.next = committedSequence + 1;
    if (committedSequence === state.lastSequence) this.unseen = 0;
    return null;
  }

  /** The message that `peek…` showed was given. */
  tookAgain(): void {
    this.againSet.delete(this.again.shift()!);
  }

  tookNew(sequence: number): void {
    this.unseen = Math.max(0, this.unseen - 1);
    if (this.first.length > 0) this.first.pop();
    else this.ledger.next = sequence + 1;
  }

  get againCount(): number {
    return this.again.length;
  }

  isAgain(sequence: number): boolean {
    return this.againSet.has(sequence);
  }

  /** A message has to come once more. */
  giveAgain(sequence: number): void {
    if (this.againSet.has(sequence)) return;
    this.againSet.add(sequence);
    this.again.push(sequence);
  }

  forgetAgain(sequence: number): void {
    if (this.againSet.delete(sequence)) this.again.splice(this.again.indexOf(sequence), 1);
  }

  onAppended(sequence: number, bytes: Uint8Array, start: number, end: number): void {
    if (sequence >= this.ledger.next && (this.filter === null || this.filter.matches(bytes, start, end))) this.unseen++;
  }

  onRemoved(sequence: number, { bytes, subjectStart, subjectEnd }: Message): void {
    this.forgetAgain(sequence);
    const place = this.first.indexOf(sequence);
    if (place >= 0) this.first.splice(place, 1);
    else if (sequence < this.ledger.next) return;
    else if (this.filter !== null && !this.filter.matches(bytes, subjectStart, subjectEnd)) return;
    this.unseen = Math.max(0, this.unseen - 1);
  }

  /** Everything below the log's first sequence is gone. */
  onPurged(): void {
    const { firstSequence } = this.log.state;
    this.first = this.first.filter((sequence) => sequence >= firstSequence);
    for (const sequence of [...this.again]) if (sequence < firstSequence) this.forgetAgain(sequence);
    this.recount();
  }

  /** The ledger starts over at another sequence. */
  reset(): void {
    this.first = [];
    this.again.length = 0;
    this.againSet.clear();
    this.recount();
  }

  /** Goes on with other filters. */
  setFilters(config: ConsumerConfig): void {
    this.filter = filterOf(config);
    this.recount();
  }

  recount(): void {
    this.unseen = this.first.length + this.log.count(this.filter, this.ledger.next);
  }
}

function filterOf(config: ConsumerConfig): LogFilter | null {
  const filters = filtersOf(config);
  return filters.length === 0 || filters.includes('>') ? null : LogFilter.of(filters);
}

/** What is left of the last messages of each subject for a consumer that had begun with them. */
export function restOfStart(config: ConsumerConfig, log: MessageLog, ledger: Ledger): number[] {
  if (!ledger.starting) return [];
  return log.lastSequences(filterOf(config), ledger.next - 1).filter((sequence) => sequence > ledger.delivered.stream);
}

/**
 * What a consumer waits for even when the stream does not go as far yet; 0 is nothing. Those that feed other streams take what comes
 * next: where they ask for more than there is, their origin has lost messages.
 */
export function firstAwaited({ deliver_policy, opt_start_seq = 0, direct, sourcing }: ConsumerConfig): number {
  return deliver_policy === 'by_start_sequence' && !direct && !sourcing ? opt_start_seq : 0;
}

/** Where a new consumer begins. */
export function startOf(config: ConsumerConfig, log: MessageLog): Start {
  const { firstSequence, lastSequence } = log.state;
  const filter = filterOf(config);
  const end = lastSequence + 1;
  switch (config.deliver_policy) {
    case 'new':
      return { next: end, first: [] };
    case 'last': {
      const found = new StoredMessage();
      return { next: log.previous(lastSequence, filter, found) ? found.sequence : end, first: [] };
    }
    case 'last_per_subject':
      return { next: end, first: log.lastSequences(filter, lastSequence) };
    case 'by_start_sequence':
      return { next: Math.max(firstSequence, Math.min(end, config.opt_start_seq!), firstAwaited(config)), first: [] };
    case 'by_start_time':
      return { next: log.sequenceAtTime(parseTime(config.opt_start_time!)), first: [] };
    default:
      return { next: Math.max(1, firstSequence), first: [] };
  }
}
