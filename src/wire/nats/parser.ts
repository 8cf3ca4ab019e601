import { arenaOffset, borrowFromArena, returnToArena } from '../../base/arena.js';
import { paddedBytes } from '../../base/bytes.js';
import { hashStep, lookAt, Message, NO_BYTES, SUBJECT_HASH_SEED } from '../../message/message.js';
import { canonicalPublish } from './canonical.js';
import { type Operations, Violation } from './operations.js';
import { parseSize, splitLine, TOKENS_MAX } from './tokens.js';

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const PUB_ = 0x50554220;
/** The owner is asked so often whether what follows may be done at once. */
const SLICE_BYTES = 4096;

/** What is handed on. One of each serves all connections: whoever gets them is done with them before the call returns. */
const theMessage = new Message();
const theTokens = new Int32Array(TOKENS_MAX * 2);

/** Limits and moods of one connection's parser. */
export interface ParserSettings {
  /** Bytes of a line's arguments. */
  controlLineBytesMax: number;
  /** Headers and payload together. */
  payloadBytesMax: number;
  /** Whether HPUB is allowed. */
  headers: boolean;
}

/**
 * Finds whole operations in a stream of bytes that may be cut anywhere, and hands on offsets.
 *
 * ```text
 * chunk   |…tail of an operation|PUB a 2\r\nhi\r\n|PUB b 5\r\nhe|
 *          joined with `kept`    handed on in place  copied to `kept`
 * ```
 *
 * A cut line is put in front of the next chunk; an operation with a known length is gathered in a buffer of that length. Never throws on
 * what a peer sends.
 */
export class Parser {
  readonly settings: ParserSettings;
  /** While set, the next operation must be CONNECT (a peer that has not identified itself may send nothing else). */
  connectFirst = false;
  private readonly operations: Operations;
  /** The beginning of an operation whose rest has not come yet. */
  private kept: Uint8Array = NO_BYTES;
  private keptBytes = 0;
  /** Length of the operation in `kept`, or 0 when its line is not complete. */
  private needed = 0;
  private stopped = false;
  private held = false;

  constructor(operations: Operations, settings: ParserSettings) {
    this.operations = operations;
    this.settings = settings;
  }

  /** Parses no more, ever: the session is over. */
  stop(): void {
    this.stopped = true;
    giveBack(this.kept);
    this.kept = NO_BYTES;
    this.keptBytes = 0;
  }

  /** Parses no more until `release`: what comes meanwhile is kept. The owner stops reading as well. */
  hold(): void {
    this.held = true;
  }

  /** Goes on after `hold`. */
  release(): void {
    this.held = false;
    if (this.keptBytes === 0 || this.stopped) return;
    const kept = this.kept;
    const length = this.keptBytes;
    this.kept = NO_BYTES;
    this.keptBytes = 0;
    this.run(kept.subarray(0, length), 0, length);
    giveBack(kept);
  }

  /** Parses `bytes[start, end)`; the `start` bytes in front may be overwritten. */
  parse(bytes: Uint8Array, start: number, end: number): void {
    if (this.stopped) return;
    if (this.keptBytes === 0) this.run(bytes, start, end);
    else if (this.held) this.keep(bytes, start, end);
    else if (this.needed > 0) this.gather(bytes, start, end);
    else this.join(bytes, start, end);
  }

  /** Puts the kept beginning of a line in front of the new bytes. */
  private join(bytes: Uint8Array, start: number, end: number): void {
    const kept = this.kept.subarray(0, this.keptBytes);
    this.kept = NO_BYTES;
    this.keptBytes = 0;
    if (start >= kept.length) {
      bytes.set(kept, start - kept.length);
      this.run(bytes, start - kept.length, end);
      return;
    }
    const joined = paddedBytes(kept.length + end - start);
    joined.set(kept, 0);
    joined.set(bytes.subarray(start, end), kept.length);
    this.run(joined, 0, joined.length);
    lookAt(theMessage, NO_BYTES);
  }

  /** Adds to an operation of known length; when it is whole, parses it and what follows. */
  private gather(bytes: Uint8Array, start: number, end: number): void {
    const missing = Math.min(this.needed - this.keptBytes, end - start);
    this.kept.set(bytes.subarray(start, start + missing), this.keptBytes);
    this.keptBytes += missing;
    if (this.keptBytes < this.needed) return;
    const whole = this.kept;
    const length = this.needed;
    this.kept = NO_BYTES;
    this.keptBytes = 0;
    this.needed = 0;
    this.run(whole, 0, length);
    lookAt(theMessage, NO_BYTES);
    if (start + missing < end) this.parse(bytes, start + missing, end);
  }

  private keep(bytes: Uint8Array, start: number, end: number): void {
    const room = Math.max(this.needed, this.keptBytes + end - start);
    if (this.kept.length < room) {
      // What is held is much, and soon goes on as if it had just been read: in the arena, from which messages are copied fastest.
      const larger = (this.held ? borrowFromArena(room) : null) ?? paddedBytes(room);
      larger.set(this.kept.subarray(0, this.keptBytes), 0);
      giveBack(this.kept);
      this.kept = larger;
    }
    this.kept.set(bytes.subarray(start, end), this.keptBytes);
    this.keptBytes += end - start;
  }

  private run(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    let next = -1;
    while (at < end && next !== 0 && !this.stopped && !this.held) {
      const sliceStart = at;
      const sliceEnd = Math.min(end, at + SLICE_BYTES);
      while (at < sliceEnd && !this.stopped && !this.held) {
        next = this.operation(bytes, at, end);
        if (next === 0) break;
        at = next;
      }
      if (at < end && next !== 0) this.operations.onSlice?.(at - sliceStart);
    }
    if (at < end && !this.stopped) this.keep(bytes, at, end);
  }

  /** Parses one operation at `at`; returns where the next one begins, or 0 when more bytes are needed or parsing ended. */
  private operation(bytes: Uint8Array, at: number, end: number): number {
    if (end - at > 6 && !this.connectFirst) {
      const word = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
      if (word === PUB_) {
        const next = this.plainPublish(bytes, at, end);
        if (next >= 0) return next;
      }
    }
    return this.anyOperation(bytes, at, end);
  }

  /**
   * The usual PUB: single spaces, CRLF. Returns the next offset, 0 when more bytes are needed, -1 when the
   * line is not of that form. One pass: the subject is hashed while its end is looked for (bench/micro/parser.ts).
   */
  private plainPublish(bytes: Uint8Array, at: number, end: number): number {
    let i = at + 4;
    const subjectStart = i;
    const message = theMessage;
    if (message.bytes !== bytes) lookAt(message, bytes);
    const words = message.words;
    let hash = SUBJECT_HASH_SEED;
    let word = 0;
    // Whether any of four bytes is below 0x21, a space or a line end, is told by one bit of each.
    for (const last = end - 4; i <= last; i += 4) {
      word = words.getInt32(i, true);
      if (((word - 0x21212121) & ~word & 0x80808080) !== 0) break;
      hash = hashStep(hash, word);
    }
    let byte = 0;
    word = 0;
    for (let shift = 0; i < end && (byte = bytes[i]) > SPACE; i++, shift += 8) word |= byte << shift;
    if (word !== 0) hash = hashStep(hash, word);
    if (i >= end || byte !== SPACE || i === subjectStart) return -1;
    const subjectEnd = i++;
    const tailStart = i;
    let replyEnd = i;
    let size = 0;
    let digit = 0;
    while (i < end && (digit = bytes[i] - 0x30) >= 0 && digit <= 9) {
      size = size * 10 + digit;
      i++;
    }
    let sizeStart = tailStart;
    if (i < end && bytes[i] !== CR) {
      while (i < end && bytes[i] > SPACE) i++;
      if (i >= end || bytes[i] !== SPACE || i === tailStart) return -1;
      replyEnd = i++;
      sizeStart = i;
      size = 0;
      while (i < end && (digit = bytes[i] - 0x30) >= 0 && digit <= 9) {
        size = size * 10 + digit;
        i++;
      }
    }
    const digits = i - sizeStart;
    if (i + 2 > end || bytes[i] !== CR || bytes[i + 1] !== LF || digits === 0 || digits > 9) return -1;
    const limit = this.settings;
    if (size > limit.payloadBytesMax || i - at - 4 > limit.controlLineBytesMax) return -1;
    const payloadStart = i + 2;
    const payloadEnd = payloadStart + size;
    if (payloadEnd + 2 > end) {
      this.needed = payloadEnd + 2 - at;
      return 0;
    }
    if (bytes[payloadEnd] !== CR || bytes[payloadEnd + 1] !== LF) return -1;
    message.subjectStart = subjectStart;
    message.subjectEnd = subjectEnd;
    message.subjectHash = hash;
    message.replyStart = tailStart;
    message.replyEnd = replyEnd;
    message.headersStart = payloadStart;
    message.payloadStart = payloadStart;
    message.payloadEnd = payloadEnd;
    message.tailStart = tailStart;
    message.tailEnd = payloadEnd + 2;
    message.tail = null;
    this.operations.onPublish(message);
    return payloadEnd + 2;
  }

  /** Everything else, and every PUB that is not of the usual form. */
  private anyOperation(bytes: Uint8Array, at: number, end: number): number {
    const first = bytes[at] | 0x20;
    if (this.connectFirst && first !== 0x63) return this.violate(Violation.authorization, bytes, at, end);
    const verb = verbAt(bytes, at, end);
    if (verb === UNKNOWN) return this.violate(Violation.protocol, bytes, at, end);
    if (verb === INCOMPLETE) return 0;
    const argumentsAt = at + VERB_BYTES[verb];
    const lineEnd = lineEndAfter(bytes, argumentsAt, end);
    if (verb === PING || verb === PONG) return this.pingOrPong(verb, bytes, at, lineEnd, end);
    const seenEnd = lineEnd < 0 ? end : lineEnd;
    const textEnd = seenEnd > argumentsAt && bytes[seenEnd - 1] === CR ? seenEnd - 1 : seenEnd;
    if (this.isTooLong(bytes, argumentsAt, textEnd)) return this.violate(Violation.controlLine, bytes, at, end);
    if (lineEnd < 0) return 0;
    return this.line(verb, { bytes, at, argumentsAt, textEnd, next: lineEnd + 1, end });
  }

  /** The limit is for arguments; blanks in front of them have the same limit to themselves. */
  private isTooLong(bytes: Uint8Array, argumentsAt: number, textEnd: number): boolean {
    const max = this.settings.controlLineBytesMax;
    if (textEnd - argumentsAt <= max) return false;
    let start = argumentsAt;
    while (start < textEnd && (bytes[start] === SPACE || bytes[start] === TAB)) start++;
    return textEnd - start > max || start - argumentsAt > max;
  }

  /** What follows PING or PONG on its line says nothing and has no limit: it is not kept either. */
  private pingOrPong(verb: number, bytes: Uint8Array, at: number, lineEnd: number, end: number): number {
    if (lineEnd < 0) {
      this.keep(bytes, at, at + VERB_BYTES[verb]);
      return end;
    }
    if (verb === PING) this.operations.onPing();
    else this.operations.onPong();
    return lineEnd + 1;
  }

  private line(verb: number, line: Line): number {
    const { bytes, argumentsAt, textEnd, next } = line;
    switch (verb) {
      case PUB:
      case HPUB:
        return this.publish(verb === HPUB, line);
      case SUB:
        return this.subscribe(line);
      case UNSUB:
        return this.unsubscribe(line);
      case CONNECT:
        this.operations.onConnect(bytes, argumentsAt, textEnd);
        return next;
      case ERR:
        this.operations.onError(bytes, argumentsAt, textEnd);
        return next;
      default:
        return next; // +OK and INFO say nothing to a server.
    }
  }

  private publish(withHeaders: boolean, line: Line): number {
    const { bytes, at, argumentsAt, textEnd, next, end } = line;
    if (withHeaders && !this.settings.headers) return this.violate(Violation.headers, bytes, at, end);
    const tokens = theTokens;
    const count = splitLine(bytes, argumentsAt, textEnd, tokens);
    const sizes = withHeaders ? 2 : 1;
    if (count < 1 + sizes || count > 2 + sizes) return this.violate(Violation.arguments, bytes, at, end);
    const last = (count - 1) * 2;
    const size = parseSize(bytes, tokens[last], tokens[last + 1]);
    const headersBytes = withHeaders ? parseSize(bytes, tokens[last - 2], tokens[last - 1]) : 0;
    if (size < 0 || headersBytes < 0 || headersBytes > size) return this.violate(Violation.arguments, bytes, at, end);
    if (size > this.settings.payloadBytesMax) return this.violate(Violation.payload, bytes, at, end);
    const payloadEnd = next + size;
    if (payloadEnd + 2 > end) {
      this.needed = payloadEnd + 2 - at;
      return 0;
    }
    if (bytes[payloadEnd] !== CR || bytes[payloadEnd + 1] !== LF) {
      return this.violate(Violation.protocol, bytes, at, end);
    }
    const withReply = count === 2 + sizes;
    lookAt(theMessage, bytes);
    canonicalPublish(theMessage, bytes, tokens, { count, withReply, headersBytes, bodyStart: next, payloadEnd });
    this.operations.onPublish(theMessage);
    return payloadEnd + 2;
  }

  private subscribe(line: Line): number {
    const { bytes, at, argumentsAt, textEnd, next, end } = line;
    const count = splitLine(bytes, argumentsAt, textEnd, theTokens);
    if (count !== 2 && count !== 3) return this.violate(Violation.arguments, bytes, at, end);
    this.operations.onSubscribe(bytes, theTokens, count === 3);
    return next;
  }

  private unsubscribe(line: Line): number {
    const { bytes, at, argumentsAt, textEnd, next, end } = line;
    const tokens = theTokens;
    const count = splitLine(bytes, argumentsAt, textEnd, tokens);
    if (count !== 1 && count !== 2) return this.violate(Violation.arguments, bytes, at, end);
    // A max that is not a number is no max, as in nats-server.
    const max = count === 2 ? Math.max(0, parseSize(bytes, tokens[2], tokens[3])) : 0;
    this.operations.onUnsubscribe(bytes, tokens[0], tokens[1], max);
    return next;
  }

  private violate(violation: Violation, bytes: Uint8Array, start: number, end: number): number {
    this.stop();
    this.operations.onViolation(violation, bytes, start, end);
    return 0;
  }
}

/** Lines are not longer than this as a rule: up to here a loop takes less than the call of `indexOf`. */
const NEAR_BYTES = 256;

/**
 * The offset of the line's end, or -1 when it is not in `bytes[start, end)`: never beyond, since behind a line that is cut off
 * lies a whole read buffer of old bytes (bench: tls-1to1-128, where each record ends in a cut line).
 */
function lineEndAfter(bytes: Uint8Array, start: number, end: number): number {
  const near = Math.min(end, start + NEAR_BYTES);
  for (let i = start; i < near; i++) if (bytes[i] === LF) return i;
  if (near === end) return -1;
  const found = bytes.subarray(near, end).indexOf(LF);
  return found < 0 ? -1 : near + found;
}

/** What was kept lies in the arena only where it was borrowed. */
function giveBack(kept: Uint8Array): void {
  if (arenaOffset(kept) >= 0) returnToArena(kept);
}

/** A whole control line: `at` its verb, `[argumentsAt, textEnd)` its arguments, `next` behind its line end. */
interface Line {
  bytes: Uint8Array;
  at: number;
  argumentsAt: number;
  textEnd: number;
  next: number;
  end: number;
}

const PUB = 0;
const HPUB = 1;
const SUB = 2;
const UNSUB = 3;
const CONNECT = 4;
const PING = 5;
const PONG = 6;
const ERR = 9;
const UNKNOWN = -1;
const INCOMPLETE = -2;

/** Verbs by their number, in lower case; those with `blank` need white space behind them. */
const VERBS = ['pub', 'hpub', 'sub', 'unsub', 'connect', 'ping', 'pong', 'info', '+ok', '-err'].map((text) => ({
  letters: Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
  blank: ['pub', 'hpub', 'sub', 'unsub', '-err'].includes(text),
}));
const VERB_BYTES = VERBS.map((verb) => verb.letters.length);
const CANDIDATES: Record<number, number[]> = {};
VERBS.forEach(({ letters }, index) => {
  (CANDIDATES[letters[0]] ??= []).push(index);
});

/** The verb at `at`, `INCOMPLETE` when more bytes may still make one, `UNKNOWN` when none can. */
function verbAt(bytes: Uint8Array, at: number, end: number): number {
  const candidates = CANDIDATES[lowerCase(bytes[at])];
  let result = UNKNOWN;
  for (const index of candidates ?? []) {
    const { letters, blank } = VERBS[index];
    let matched = 0;
    while (matched < letters.length && at + matched < end && lowerCase(bytes[at + matched]) === letters[matched])
      matched++;
    const behind = at + letters.length;
    if (matched < letters.length) {
      if (at + matched >= end) result = INCOMPLETE;
    } else if (!blank) return index;
    else if (behind >= end) result = INCOMPLETE;
    else if (bytes[behind] === SPACE || bytes[behind] === TAB) return index;
  }
  return result;
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
