import type { Failure } from '../base/failure.js';
import type { Message } from '../message/message.js';
import { Ledger, type LedgerStore, type SizeRule } from './ledger.js';
import type { LogFilter } from './log-filter.js';
import {
  type Cursor,
  type LogDamage,
  type LogListener,
  type LogSnapshot,
  type LogState,
  type LogTime,
  type MessageLog,
  type PurgeOptions,
  REFUSED,
  StoredMessage,
  type SubjectState,
} from './message-log.js';
import { FLAG, RECORD_BYTES_MAX, recordBytes, recordBytesOf } from './record.js';
import { Search } from './search.js';
import type { Segment } from './segment.js';
import { isPurgeOfAll, Trimmer } from './trimmer.js';

const SUBJECT_BYTES_MAX = 0xffff;
/** Of one batch: it is written in one piece. */
const BATCH_BYTES_MAX = 64 * 1024 * 1024;

/** What the logs have in common: all but where the bytes go. */
export abstract class BaseLog implements MessageLog {
  readonly state: Readonly<LogState>;
  readonly damages: LogDamage[] = [];
  committedSequence = 0;
  trouble: Failure | null = null;
  protected closed = false;
  protected readonly ledger: Ledger;
  protected readonly listener: LogListener;
  private readonly search: Search;
  private readonly trimmer: Trimmer;
  private readonly erased = new StoredMessage();

  protected constructor(
    listener: LogListener,
    store: LedgerStore,
    rules: { sizeRule: SizeRule; segmentBytes: number },
  ) {
    this.listener = listener;
    this.ledger = new Ledger({
      ...rules,
      store,
      onRemoved: (sequence, message) => listener.onRemoved(sequence, message),
    });
    this.state = this.ledger.state;
    this.search = new Search(this.ledger);
    this.trimmer = new Trimmer(this.ledger, this.search);
  }

  append(message: Message, time: LogTime, continues = false): number {
    const refused = this.ledger.batchLeft > 0 ? 0 : this.refusal();
    if (refused !== 0) return refused;
    const length = recordBytesOf(message);
    if (length > RECORD_BYTES_MAX || message.subjectEnd - message.subjectStart > SUBJECT_BYTES_MAX) {
      return REFUSED.TOO_LARGE;
    }
    const flags = continues ? this.nextFlags() | FLAG.CONTINUES : this.nextFlags();
    const sequence = this.ledger.append(message, length, time, flags);
    this.onChange(length);
    return sequence;
  }

  beginBatch(messages: number, bytes: number, sequences = messages): number {
    const refused = this.refusal();
    if (refused !== 0) return refused;
    if (bytes > BATCH_BYTES_MAX) return REFUSED.TOO_LARGE;
    // In one segment: only the end of the newest one is looked at after a crash.
    this.ledger.beginBatch(messages, bytes, sequences);
    return 0;
  }

  sizeOf(subjectBytes: number, headersBytes: number, payloadBytes: number): number {
    return this.ledger.countedBytes(recordBytes(subjectBytes, headersBytes, payloadBytes), headersBytes > 0);
  }

  skipTo(sequence: number): void {
    this.ledger.skipTo(sequence);
    this.onChange(0);
  }

  has(sequence: number): boolean {
    return this.ledger.has(sequence);
  }

  read(sequence: number, into: StoredMessage): boolean {
    return this.ledger.read(sequence, into);
  }

  next(from: number, filter: LogFilter | null, into: StoredMessage): boolean {
    return this.search.next(from, this.committedSequence, filter, into);
  }

  previous(from: number, filter: LogFilter | null, into: StoredMessage): boolean {
    return this.search.previous(Math.min(from, this.committedSequence), filter, into);
  }

  sequenceAtTime(time: LogTime): number {
    return this.search.sequenceAtTime(time);
  }

  subject(subject: Uint8Array): SubjectState | null {
    return this.search.subject(subject);
  }

  subjectsPart(
    filter: LogFilter | null,
    part: { cursor: Cursor; most: number },
    visit: (subject: Uint8Array, messages: number) => void,
  ): boolean {
    return this.search.subjectsPart(filter, part, visit);
  }

  subjects(filter: LogFilter | null, visit: (subject: Uint8Array, state: SubjectState) => boolean): void {
    this.search.subjects(filter, visit);
  }

  count(filter: LogFilter | null, from: number): number {
    return this.search.count(filter, from);
  }

  lastSequences(filter: LogFilter | null, upTo: number): number[] {
    return this.search.lastSequences(filter, upTo);
  }

  deleted(visit: (firstSequence: number, lastSequence: number) => boolean): void {
    this.search.deleted(visit);
  }

  remove(sequence: number): boolean {
    return this.changed(this.trimmer.remove(sequence));
  }

  async erase(sequence: number): Promise<boolean> {
    const { erased, ledger } = this;
    if (!ledger.read(sequence, erased)) return false;
    const { bytes, subjectStart, payloadEnd } = erased.message;
    const segment = ledger.segments[ledger.segmentIndex(sequence)];
    const place = erased.place;
    ledger.removeRead(erased);
    await this.overwrite(segment, sequence, () => {
      if (place !== null) bytes.fill(0, subjectStart, payloadEnd);
    });
    return true;
  }

  purge(options: PurgeOptions = {}): number {
    if (!isPurgeOfAll(options, this.state.lastSequence)) return this.changed(this.trimmer.purge(options));
    const messages = this.state.messages;
    this.dropped(this.ledger.removeAll());
    this.onChange(0);
    return messages;
  }

  purgePart(options: PurgeOptions, cursor: Cursor, most?: number): number {
    return this.changed(this.trimmer.purgePart(options, cursor, most));
  }

  trimMessages(messagesMax: number, most?: number): number {
    return this.changed(this.trimmer.trimMessages(messagesMax, most));
  }

  trimBytes(bytesMax: number, most?: number): number {
    return this.changed(this.trimmer.trimBytes(bytesMax, most));
  }

  trimOlderThan(time: LogTime, most?: number): number {
    return this.changed(this.trimmer.trimOlderThan(time, most));
  }

  trimSubject(message: Message, messagesMax: number): number {
    return this.changed(this.trimmer.trimSubject(message, messagesMax));
  }

  trimSubjectsPart(messagesMax: number, cursor: Cursor): number {
    return this.changed(this.trimmer.trimSubjectsPart(messagesMax, cursor));
  }

  abstract warm(sequence: number): Promise<void> | null;
  abstract flush(): Promise<Failure | null>;
  abstract snapshot(): Promise<LogSnapshot | null>;
  abstract close(): Promise<void>;
  abstract delete(): Promise<void>;

  /** Why nothing may be appended now, or 0. */
  protected abstract refusal(): number;
  /** Flags of the next record. */
  protected abstract nextFlags(): number;
  /** Something is to be committed: a record of so many bytes, or a removal. */
  protected abstract onChange(recordBytes: number): void;
  /** These segments were taken out of the ledger. */
  protected abstract dropped(segments: Segment[]): void;
  /** Makes a removed message's bytes unreadable for ever; `wipe` does so in memory. */
  protected abstract overwrite(segment: Segment, sequence: number, wipe: () => void): Promise<void>;

  private changed<T extends number | boolean>(gone: T): T {
    if (gone) this.onChange(0);
    return gone;
  }
}
