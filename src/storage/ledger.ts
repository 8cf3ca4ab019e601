import { hashSubject, type Message } from '../message/message.js';
import { BLOCK_BYTES, Block } from './block.js';
import { Catalogues } from './catalogues.js';
import { LedgerState } from './ledger-state.js';
import type { LogTime, StoredMessage } from './message-log.js';
import {
  FLAG,
  RECORD_BYTES_MIN,
  readMessage,
  recordBytesOf,
  recordFlags,
  recordLength,
  recordSequence,
  recordTimeMs,
  recordTimeNs,
  seal,
  subjectLength,
  subjectStart,
  writeMessage,
} from './record.js';
import { NO_SUBJECT, SEGMENT_SPAN_MAX, Segment } from './segment.js';
import { SubjectIndex } from './subject-index.js';

/** What the ledger asks of the storage below it. */
export interface LedgerStore {
  /** Where the checksums of a new segment start. */
  newSeed(): number;
  /** Reads a block that is not in memory; null when it cannot be read. */
  load(segment: Segment, index: number): Block | null;
  /** Bytes for a block, not zeroed. */
  newBytes(length: number): Uint8Array;
  /** A block of the cache is written to again. */
  reclaim(block: Block): void;
  /** Messages were removed from memory: never show them again. */
  onRemoved(first: number, last: number): void;
  /** A segment was closed, or a closed one lost a message: perhaps it is worth compacting, or has none left. */
  onThinned(segment: Segment): void;
}

/** How a message's size is counted: its record's length, and something for every message and every one with headers. */
export interface SizeRule {
  perMessage: number;
  perHeaders: number;
}

export interface LedgerOptions {
  store: LedgerStore;
  sizeRule: SizeRule;
  segmentBytes: number;
  onRemoved: (sequence: number, message: Message) => void;
}

/**
 * What is known of a log in memory: its segments in order of sequence, the last of which takes what is appended, its subjects,
 * and the sums. Knows no files.
 */
export class Ledger {
  readonly state = new LedgerState((sequence) => this.timeOf(sequence));
  readonly segments: Segment[] = [];
  subjects = new SubjectIndex();
  /** Where `locate` found the record. */
  foundBlock: Block | null = null;
  foundAt = 0;
  nextSegmentId = 1;
  /** Messages of a batch that are still to come: all go into one segment. */
  batchLeft = 0;
  /** During recovery: what is removed was so before, nobody needs to be told. */
  quiet = false;
  private readonly store: LedgerStore;
  private readonly sizeRule: SizeRule;
  private readonly segmentBytes: number;
  private readonly tellRemoved: (sequence: number, message: Message) => void;
  private readonly catalogues = new Catalogues();

  constructor(options: LedgerOptions) {
    this.store = options.store;
    this.sizeRule = options.sizeRule;
    this.segmentBytes = options.segmentBytes;
    this.tellRemoved = options.onRemoved;
  }

  /** Adds a message behind all others; returns its sequence. `length` is that of its record. */
  append(message: Message, length: number, time: LogTime, flags: number): number {
    const sequence = this.state.lastSequence + 1;
    const block = this.roomFor(length, sequence);
    const segment = this.active();
    writeMessage(block, length, message, sequence, time, flags);
    if (sequence - segment.last > 1) segment.markRangeAbsent(segment.last + 1, sequence - 1);
    segment.last = sequence;
    segment.recordBytes += length;
    segment.liveBytes += length;
    const bytes = this.countedBytes(length, message.payloadStart > message.headersStart);
    segment.bytes += bytes;
    segment.messages++;
    this.noteTime(segment, time);
    const { subjects, state } = this;
    const number = subjects.findOrAdd(message.bytes, message.subjectStart, message.subjectEnd, message.subjectHash);
    subjects.noteLast(number, sequence);
    segment.noteSubject(sequence, number);
    if (state.messages++ === 0) this.moveFirst(sequence);
    state.bytes += bytes;
    state.lastSequence = sequence;
    state.lastTimeMs = time.timeMs;
    state.lastTimeNs = time.timeNs;
    if (this.batchLeft > 0) this.batchLeft--;
    this.sumUp();
    return sequence;
  }

  /** So many messages, of so many bytes in all, come now, and are to lie in one segment. They take so many sequences, or fewer. */
  beginBatch(messages: number, bytes: number, sequences: number): void {
    const { base, recordBytes } = this.active();
    const next = this.state.lastSequence + 1;
    const fits = recordBytes + bytes <= this.segmentBytes && next + sequences - base <= SEGMENT_SPAN_MAX;
    // A segment without records may still begin far before the next sequence.
    if (!fits && (recordBytes > 0 || next > base)) this.roll(next);
    this.batchLeft = messages;
  }

  /** Adds a record of removals: `payload` is of `RemovedRanges`. */
  appendRemovals(payload: Uint8Array, flags: number): void {
    const length = RECORD_BYTES_MIN + payload.length;
    const sequence = this.state.lastSequence;
    const block = this.roomFor(length, sequence + 1);
    const at = block.used;
    block.bytes.set(payload, at + RECORD_BYTES_MIN);
    block.view.setUint16(at + 24, 0, true);
    const time = { timeMs: this.state.lastTimeMs, timeNs: this.state.lastTimeNs };
    seal(block, length, sequence, time, FLAG.REMOVALS | flags);
    const segment = this.active();
    segment.recordBytes += length;
    segment.noteRemovals(block.view, at);
  }

  /** A block at the end of the last segment with room for a record. */
  roomFor(length: number, sequence: number): Block {
    let segment = this.active();
    if (segment.closed || (this.batchLeft === 0 && this.isFull(segment, sequence))) segment = this.roll(sequence);
    const { loaded } = segment;
    const last = loaded.length > 0 ? loaded[loaded.length - 1] : null;
    if (last !== null) {
      // What is not durable must not be dropped from memory.
      if (last.cached) {
        this.store.reclaim(last);
        segment.sums[last.index] = null;
      }
      if (last.takes(length)) return last;
    }
    // The first block of a segment starts small: many logs never have more.
    const block = new Block(segment, loaded.length, last === null ? undefined : this.store.newBytes(BLOCK_BYTES));
    segment.addBlock(sequence, block);
    block.takes(length);
    return block;
  }

  private isFull({ recordBytes, base }: Segment, sequence: number): boolean {
    return recordBytes >= this.segmentBytes || sequence - base >= SEGMENT_SPAN_MAX;
  }

  /** Closes the last segment and begins another. */
  roll(sequence: number): Segment {
    const old = this.active();
    old.closed = true;
    this.catalogues.keep(old);
    const segment = this.newSegment(sequence);
    this.segments.push(segment);
    this.store.onThinned(old);
    return segment;
  }

  newSegment(base: number): Segment {
    return new Segment(this.nextSegmentId++, base, this.store.newSeed());
  }

  active(): Segment {
    return this.segments[this.segments.length - 1];
  }

  countedBytes(length: number, hasHeaders: boolean): number {
    return length + this.sizeRule.perMessage + (hasHeaders ? this.sizeRule.perHeaders : 0);
  }

  /** The index of the segment that a sequence belongs to, or would: the last one that does not begin behind it; at least 0. */
  segmentIndex(sequence: number): number {
    const { segments } = this;
    let low = 0;
    let high = segments.length - 1;
    if (segments[high].base <= sequence) return high;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (segments[middle].base <= sequence) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  has(sequence: number): boolean {
    return this.segments[this.segmentIndex(sequence)].has(sequence);
  }

  /** The first message at or after `from`; -1 when there is none. */
  nextLive(from: number): number {
    if (from <= this.state.firstSequence) return this.state.messages > 0 ? this.state.firstSequence : -1;
    if (from > this.state.lastSequence) return -1;
    for (let i = this.segmentIndex(from); i < this.segments.length; i++) {
      const found = this.segments[i].messages > 0 ? this.segments[i].nextLive(from) : -1;
      if (found >= 0) return found;
    }
    return -1;
  }

  /** The last message at or before `from`; -1 when there is none. */
  previousLive(from: number): number {
    if (from < this.state.firstSequence) return -1;
    for (let i = this.segmentIndex(from); i >= 0; i--) {
      const found = this.segments[i].messages > 0 ? this.segments[i].previousLive(from) : -1;
      if (found >= 0) return found;
    }
    return -1;
  }

  /** Finds a message's record: `foundBlock`, `foundAt`. What `hint` read last is where the search begins, if that is near. */
  locate(sequence: number, hint: StoredMessage | null): boolean {
    const segment = this.segments[this.segmentIndex(sequence)];
    if (!segment.has(sequence)) return false;
    const block = this.blockFor(segment, sequence, hint);
    if (block === null) return false;
    const { view, used } = block;
    let at = hint !== null && hint.place === block && hint.sequence < sequence ? hint.placeEnd : 0;
    while (at < used) {
      if (recordSequence(view, at) === sequence && (recordFlags(view, at) & FLAG.REMOVALS) === 0) {
        this.foundBlock = block;
        this.foundAt = at;
        return true;
      }
      at += recordLength(view, at);
    }
    this.lose(segment, sequence);
    return false;
  }

  /** Reads the message behind the one that `into` holds, if that is the one wanted and lies beside it: what a replay asks for, mostly. */
  readOn(sequence: number, into: StoredMessage): boolean {
    const { place, placeEnd: at } = into;
    if (sequence !== into.sequence + 1 || !(place instanceof Block) || at >= place.used) return false;
    const { view, index, owner } = place;
    if (recordSequence(view, at) !== sequence || (recordFlags(view, at) & FLAG.REMOVALS) !== 0) return false;
    // A segment whose messages are all gone says nothing of each.
    if (owner.loaded[index] !== place || owner.messages === 0 || !owner.has(sequence)) return false;
    readMessage(place, at, into);
    return true;
  }

  read(sequence: number, into: StoredMessage): boolean {
    if (!this.locate(sequence, into)) return false;
    readMessage(this.foundBlock!, this.foundAt, into);
    return true;
  }

  /** Removes a message that `into` holds. */
  removeRead(into: StoredMessage): void {
    const { message, sequence } = into;
    const { subjects, state } = this;
    const segment = this.segments[this.segmentIndex(sequence)];
    const length = recordBytesOf(message);
    const bytes = this.countedBytes(length, message.payloadStart > message.headersStart);
    segment.markAbsent(sequence);
    segment.messages--;
    segment.bytes -= bytes;
    segment.liveBytes -= length;
    state.messages--;
    state.bytes -= bytes;
    const number = subjects.find(message.bytes, message.subjectStart, message.subjectEnd, message.subjectHash);
    if (number >= 0) {
      subjects.takeAway(number, sequence);
      if (subjects.count(number) === 0) subjects.forget(number);
    }
    if (sequence === state.firstSequence) this.moveFirst(sequence + 1);
    this.sumUp();
    if (this.quiet) return;
    this.store.onRemoved(sequence, sequence);
    this.tellRemoved(sequence, message);
    if (segment.closed) this.store.onThinned(segment);
  }

  /** Removes a message; false when it is not there. One that cannot be read is not removed. */
  remove(sequence: number, into: StoredMessage): boolean {
    if (!this.read(sequence, into)) return false;
    this.removeRead(into);
    return true;
  }

  /** Removes all messages, and all segments but a new one. */
  removeAll(): Segment[] {
    const { state } = this;
    const first = state.firstSequence;
    const gone = this.segments.splice(0);
    for (const segment of gone) segment.clear();
    const segment = this.newSegment(state.lastSequence + 1);
    this.segments.push(segment);
    this.subjects = new SubjectIndex();
    this.catalogues.clear();
    state.messages = 0;
    state.bytes = 0;
    this.moveFirst(state.lastSequence + 1);
    if (first <= state.lastSequence) this.store.onRemoved(first, state.lastSequence);
    this.sumUp();
    return gone;
  }

  /** The next message has at least this sequence. */
  skipTo(sequence: number): void {
    const { state } = this;
    if (sequence <= state.lastSequence + 1) return;
    const first = state.lastSequence + 1;
    state.lastSequence = sequence - 1;
    if (state.messages === 0) state.firstSequence = sequence;
    this.store.onRemoved(first, sequence - 1);
    this.sumUp();
  }

  /** Takes a segment without messages out. */
  drop(segment: Segment): void {
    const index = this.segments.indexOf(segment);
    if (index < 0) return;
    this.segments.splice(index, 1);
    this.catalogues.forget(segment);
  }

  /** The subject of each sequence of a segment. */
  catalogueOf(segment: Segment): Uint32Array {
    if (segment.catalogue !== null) return segment.catalogue;
    const catalogue = new Uint32Array(segment.last - segment.base + 1).fill(NO_SUBJECT);
    this.forEachRecord(segment, (block, at) => {
      const sequence = recordSequence(block.view, at);
      if (segment.has(sequence)) catalogue[sequence - segment.base] = this.subjectAt(block, at);
    });
    segment.catalogue = catalogue;
    if (segment.closed) this.catalogues.keep(segment);
    return catalogue;
  }

  /** A block of a segment, read if need be; null when it cannot be read. */
  blockAt(segment: Segment, index: number): Block | null {
    return segment.loaded[index] ?? this.store.load(segment, index);
  }

  /** Visits the records of all messages of a segment that are in its blocks, removed ones included. */
  forEachRecord(segment: Segment, visit: (block: Block, at: number) => void): void {
    for (let i = 0; i < segment.loaded.length; i++) {
      const block = this.blockAt(segment, i);
      if (block === null) continue;
      for (let at = 0; at < block.used; at += recordLength(block.view, at)) {
        if ((recordFlags(block.view, at) & FLAG.REMOVALS) === 0) visit(block, at);
      }
    }
  }

  /** Brings derived figures up to date. */
  sumUp(): void {
    const { state } = this;
    state.subjects = this.subjects.size;
    state.deleted = state.lastSequence - state.firstSequence + 1 - state.messages;
  }

  /** Finds out anew what the first message is, beginning at `from`. */
  moveFirst(from: number): void {
    const { state, segments } = this;
    state.forgetFirstTime();
    state.firstSequence = state.lastSequence + 1;
    if (state.messages === 0) return;
    for (let i = this.segmentIndex(from); i < segments.length; i++) {
      const found = segments[i].messages > 0 ? segments[i].nextLive(from) : -1;
      if (found < 0) continue;
      state.firstSequence = found;
      return;
    }
  }

  /** A message that should be there and is not: its part of the block was damaged. What it counted for can only be guessed. */
  private lose(segment: Segment, sequence: number): void {
    const share = 1 / segment.messages;
    const bytes = Math.round(segment.bytes * share);
    const at = sequence - segment.base;
    const number = segment.catalogue !== null && at < segment.catalogue.length ? segment.catalogue[at] : NO_SUBJECT;
    segment.markAbsent(sequence);
    segment.messages--;
    segment.bytes -= bytes;
    segment.liveBytes -= Math.round(segment.liveBytes * share);
    this.state.messages--;
    this.state.bytes -= bytes;
    if (number !== NO_SUBJECT) this.subjects.takeAway(number, sequence);
    if (sequence === this.state.firstSequence) this.moveFirst(sequence + 1);
    this.sumUp();
  }

  private blockFor(segment: Segment, sequence: number, hint: StoredMessage | null): Block | null {
    const near = hint?.place;
    if (near instanceof Block && near.owner === segment && hint!.sequence < sequence) {
      const { index } = near;
      const isLast = index + 1 === segment.loaded.length || segment.blockSequences[index + 1] > sequence;
      if (isLast && segment.loaded[index] === near) return near;
    }
    const index = segment.blockOf(sequence);
    const block = index < 0 ? null : this.blockAt(segment, index);
    if (block !== null) block.wasRead = true;
    return block;
  }

  private subjectAt(block: Block, at: number): number {
    const { bytes, view } = block;
    const start = subjectStart(view, at);
    const end = start + subjectLength(view, at);
    const number = this.subjects.find(bytes, start, end, hashSubject(bytes, start, end));
    return number < 0 ? NO_SUBJECT : number;
  }

  private timeOf(sequence: number): LogTime | null {
    if (!this.locate(sequence, null)) return null;
    const { view } = this.foundBlock!;
    return { timeMs: recordTimeMs(view, this.foundAt), timeNs: recordTimeNs(view, this.foundAt) };
  }

  private noteTime(segment: Segment, time: LogTime): void {
    if (time.timeMs < segment.timeMaxMs || (time.timeMs === segment.timeMaxMs && time.timeNs < segment.timeMaxNs))
      return;
    segment.timeMaxMs = time.timeMs;
    segment.timeMaxNs = time.timeNs;
  }
}
