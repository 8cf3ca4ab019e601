import type { Failure } from '../base/failure.js';
import { Message } from '../message/message.js';
import type { LogFilter } from './log-filter.js';

/**
 * The message log of one stream: what `storage/memory` and `storage/file` both are.
 *
 * - Sequences are numbers from 1 that only grow; a sequence is never given twice, whatever was removed.
 * - Calls that change the log (`append`, `remove`, `trim…`, `purge`, `skipTo`) take effect in memory at once and become durable
 *   together, in order, with the next commit. `state`, `read`, `subject` see everything appended. `next` and `previous` stop at
 *   `committedSequence`: what a crash may still take back is shown to nobody.
 * - Reads are synchronous. What is not in memory is read from the disk in blocks of some 64 KiB; whoever can wait calls `warm` first.
 * - Calls never throw but for misuse (a closed log).
 */
export interface MessageLog {
  /** The same object always, changed in place. */
  readonly state: Readonly<LogState>;
  /** Messages up to here are as durable as `sync` promises. */
  readonly committedSequence: number;
  /** Why the disk does not take anything now, or null. Reads go on; the log tries again by itself. */
  readonly trouble: Failure | null;
  /** What recovery or a read found unreadable; empty is healthy. */
  readonly damages: readonly LogDamage[];

  /**
   * Stores one message: its subject, headers and payload are copied. Returns its sequence, or a negative `REFUSED` number, and then
   * nothing has changed. The commit is told by `LogListener.onCommit`, never from within this call.
   *
   * `continues`: the next message, to be appended in the same turn, belongs with this one. See `beginBatch`.
   */
  append(message: Message, time: LogTime, continues?: boolean): number;
  /**
   * The next `messages` messages, of `bytes` in all, are a batch: whatever crash comes, all of them are there afterwards or none. They
   * are appended in this turn, all but the last as one that `continues`. Returns 0, or why not as `append` does, and then nothing has
   * changed; once it returned 0 none of them is refused. `sequences`: how many they take, if some are skipped among them.
   */
  beginBatch(messages: number, bytes: number, sequences?: number): number;
  /** The next message gets at least this sequence; those left out count as deleted (or as never there, in an empty log). */
  skipTo(sequence: number): void;
  /** What one message of these sizes counts for in `state.bytes`; as nats-server counts it. */
  sizeOf(subjectBytes: number, headersBytes: number, payloadBytes: number): number;

  /** Whether there is a message of this sequence; reads nothing. */
  has(sequence: number): boolean;
  /** Reads one message; false when there is none of this sequence (removed, not yet there, unreadable). */
  read(sequence: number, into: StoredMessage): boolean;
  /**
   * Reads the first committed message at or after `from` whose subject the filter matches; false when there is none. Handing in the
   * same `into` each time makes going on from message to message cheap. `filter` null is every message.
   */
  next(from: number, filter: LogFilter | null, into: StoredMessage): boolean;
  /** Reads the last committed message at or before `from` that matches. */
  previous(from: number, filter: LogFilter | null, into: StoredMessage): boolean;
  /** Brings a message's block into memory, so that reading it does not wait for the disk; null when there is nothing to wait for. */
  warm(sequence: number): Promise<void> | null;
  /** The first sequence whose message is not older than this; `state.lastSequence + 1` when all are. */
  sequenceAtTime(time: LogTime): number;

  /** What is stored of one literal subject, or null. */
  subject(subject: Uint8Array): SubjectState | null;
  /** Calls `visit` for every subject that the filter matches, in no order; stops when it returns false. */
  subjects(filter: LogFilter | null, visit: (subject: Uint8Array, state: SubjectState) => boolean): void;
  /**
   * Calls `visit` for the next subjects that match, having looked at `most` from `cursor` on, which is moved along; false when there
   * are no more. One that comes or goes between two parts may be left out, or come twice.
   */
  subjectsPart(
    filter: LogFilter | null,
    part: { cursor: Cursor; most: number },
    visit: (subject: Uint8Array, messages: number) => void,
  ): boolean;
  /** Messages at or after `from` that match, appended ones included. */
  count(filter: LogFilter | null, from: number): number;
  /** The last sequence, not above `upTo`, of each subject that matches; ascending. */
  lastSequences(filter: LogFilter | null, upTo: number): number[];
  /** Calls `visit` with each gap between the first and the last sequence; stops when it returns false. */
  deleted(visit: (firstSequence: number, lastSequence: number) => boolean): void;

  /** Removes one message; false when it is not there. */
  remove(sequence: number): boolean;
  /** Removes one message and overwrites its bytes on disk; false when it is not there. The promise: the bytes are gone. */
  erase(sequence: number): Promise<boolean>;
  /** Removes messages, by default all; returns how many. After a purge of everything `firstSequence` is `lastSequence + 1`. */
  purge(options?: PurgeOptions): number;
  /**
   * A part of a purge, small enough for one turn of the event loop: from `cursor` on, which is moved along; done when `cursor.from` is
   * beyond the last sequence that is meant, or `most` messages went. `keep` has no say here. Returns how many went.
   */
  purgePart(options: PurgeOptions, cursor: Cursor, most?: number): number;
  /** Removes from the front until at most so many messages, or bytes, are left, but no more than `most`; returns how many went. */
  trimMessages(messagesMax: number, most?: number): number;
  trimBytes(bytesMax: number, most?: number): number;
  /** Removes from the front what is older than this, but no more than `most`: a turn is to stay short. Returns how many went. */
  trimOlderThan(time: LogTime, most?: number): number;
  /** Removes a subject's oldest messages until at most so many are left; returns how many went. */
  trimSubject(message: Message, messagesMax: number): number;
  /** The same for every subject, a part at a time as `purgePart`: after the limit was lowered. */
  trimSubjectsPart(messagesMax: number, cursor: Cursor): number;

  /** Resolves when everything done before is durable; with the failure if the disk refuses it (it is kept and tried again). */
  flush(): Promise<Failure | null>;
  /** The log's files as they are now, for a backup; null for a log without files. Hold it briefly: nothing is deleted meanwhile. */
  snapshot(): Promise<LogSnapshot | null>;
  /** Commits, writes the index checkpoint, closes the files. */
  close(): Promise<void>;
  /** Closes and deletes everything. */
  delete(): Promise<void>;
}

/** A moment: whole milliseconds since the epoch, and the nanoseconds beyond them (0 to 999,999). */
export interface LogTime {
  timeMs: number;
  timeNs: number;
}

/** What a log tells. None of them is called from within `append`. */
export interface LogListener {
  /** Everything up to this sequence is durable. Called once per commit that brought new messages. */
  onCommit(sequence: number): void;
  /** The disk stopped taking writes (`log.trouble`), or takes them again (null). */
  onTrouble(trouble: Failure | null): void;
  /** Something turned out to be unreadable. */
  onDamage(damage: LogDamage): void;
  /**
   * One message was removed, whatever the call; called from within it, after the removal. `message` is valid until this returns, or
   * changes the log.
   * Not called by a purge of everything.
   */
  onRemoved(sequence: number, message: Message): void;
}

/** Why `append` refused. */
export const REFUSED = {
  /** The disk fails: see `trouble`. */
  DISK: -1,
  /** Too much waits for the disk; try again later. */
  BUSY: -2,
  /** The log is closed. */
  CLOSED: -3,
  /** More bytes than a record may have. */
  TOO_LARGE: -4,
} as const;

export interface LogState extends LogTimes {
  messages: number;
  bytes: number;
  /** An empty log has `firstSequence === lastSequence + 1`. */
  firstSequence: number;
  lastSequence: number;
  /** How many sequences between first and last have no message. */
  deleted: number;
  subjects: number;
}

interface LogTimes {
  /** Of the first message, and of the last one ever; 0 when there is, or was, none. */
  firstTimeMs: number;
  firstTimeNs: number;
  lastTimeMs: number;
  lastTimeNs: number;
}

export interface SubjectState {
  messages: number;
  firstSequence: number;
  lastSequence: number;
}

export interface PurgeOptions {
  /** Only subjects that match. */
  filter?: LogFilter | null;
  /** Only messages below this sequence. */
  before?: number;
  /** Leave so many of the last ones (of all that match, taken together). */
  keep?: number;
}

/** Where something that is done in parts goes on; it begins at 0. */
export interface Cursor {
  from: number;
}

/** A range of a file that could not be read, and the messages lost with it (an empty range when none is known to be). */
export interface LogDamage {
  file: string;
  /** What is wrong with it. */
  reason: string;
  offset: number;
  bytes: number;
  firstSequence: number;
  lastSequence: number;
}

export interface LogSnapshot {
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Bytes of one file; fewer only at its end. */
  read(name: string, offset: number, bytes: number): Promise<Uint8Array>;
  release(): void;
}

/**
 * One message as read. The message's bytes are the log's own: valid until the next turn of the event loop, never to be written to.
 * The object is reused for the next read. `message.reply` is empty.
 */
export class StoredMessage implements LogTime {
  readonly message = new Message();
  sequence = 0;
  timeMs = 0;
  timeNs = 0;
  /** Where the log found it: lets the next read go on from there. For the log only. */
  place: object | null = null;
  placeEnd = 0;
}
