import {
  copyWords,
  decimalDigits,
  paddedBytes,
  rangesEqual,
  textOf,
  utf8,
  wordsOf,
  writeDecimal,
} from '../base/bytes.js';
import type { Message } from '../message/message.js';
import { StoredMessage } from '../storage/message-log.js';
import { type HeaderWriter, returnOutgoing, takeOutgoing } from './outgoing.js';
import type { Stream } from './stream.js';
import type { Streams } from './streams.js';
import { timeText } from './time.js';

const GET = utf8('DIRECT.GET.');
const DOT = 0x2e;
const STAR = 0x2a;
const GREATER = 0x3e;

/**
 * The last message of one subject, asked for by `DIRECT.GET.<stream>.<subject>` and nothing else: what key-value clients ask all the
 * time, answered without a string or an object. Whatever is not as simple is for `DirectGet`.
 */
export class KeyGet {
  private readonly streams: Streams;
  private readonly found = new StoredMessage();
  private readonly headers = new Facts();
  /** The stream that was asked for last. */
  private nameBytes = utf8('');
  private name = '';

  constructor(streams: Streams) {
    this.streams = streams;
  }

  /** Answers a request whose subject goes on as above behind `start`; false when it is none of these, or there is no such message. */
  answer(request: Message, start: number): boolean {
    const { bytes, subjectEnd, replyStart, replyEnd, headersStart, payloadEnd } = request;
    if (payloadEnd > headersStart || replyEnd === replyStart || subjectEnd - start <= GET.length) return false;
    if (!rangesEqual(bytes, start, GET, 0, GET.length)) return false;
    const nameStart = start + GET.length;
    let nameEnd = nameStart;
    while (nameEnd < subjectEnd && bytes[nameEnd] !== DOT) nameEnd++;
    const keyStart = nameEnd + 1;
    if (keyStart >= subjectEnd || hasWildcard(bytes, keyStart, subjectEnd)) return false;
    const stream = this.streamNamed(bytes, nameStart, nameEnd);
    return stream?.config.allow_direct === true && this.answerOf(stream, request, keyStart);
  }

  private answerOf(stream: Stream, request: Message, keyStart: number): boolean {
    const { found, headers } = this;
    const { log, surroundings } = stream;
    const state = log.subject(request.bytes.subarray(keyStart, request.subjectEnd));
    if (state === null || !log.read(state.lastSequence, found)) return false;
    const { message } = found;
    // Headers of its own are kept among those that are added.
    if (message.payloadStart > message.headersStart) return false;
    headers.set(stream.name, found);
    const outgoing = takeOutgoing();
    surroundings.broker.answer(outgoing.answer(request, message, headers));
    returnOutgoing(outgoing);
    return true;
  }

  private streamNamed(bytes: Uint8Array, start: number, end: number): Stream | undefined {
    const { nameBytes } = this;
    if (nameBytes.length !== end - start || !rangesEqual(nameBytes, 0, bytes, start, end - start)) {
      this.nameBytes = bytes.slice(start, end);
      this.name = textOf(bytes, start, end);
    }
    return this.streams.find(this.name);
  }
}

function hasWildcard(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === STAR || bytes[i] === GREATER) return true;
  return false;
}

/** What a stream knows about a message, as headers. */
class Facts implements HeaderWriter {
  length = 0;
  private stream = '';
  private before: Part = partOf('');
  private found: StoredMessage | null = null;
  /** Of the time that was written last. */
  private timeMs = -1;
  private timeNs = -1;
  private time: Part = partOf('');

  set(stream: string, found: StoredMessage): void {
    if (stream !== this.stream) {
      this.stream = stream;
      this.before = partOf(`NATS/1.0\r\nNats-Stream: ${stream}\r\nNats-Subject: `);
    }
    if (found.timeMs !== this.timeMs || found.timeNs !== this.timeNs) {
      this.timeMs = found.timeMs;
      this.timeNs = found.timeNs;
      this.time = partOf(`\r\nNats-Time-Stamp: ${timeText(found.timeMs, found.timeNs)}\r\n\r\n`);
    }
    this.found = found;
    const { subjectStart, subjectEnd } = found.message;
    const numbers = SEQUENCE.length + decimalDigits(found.sequence);
    this.length = this.before.length + subjectEnd - subjectStart + numbers + this.time.length;
  }

  write(into: Message, at: number): void {
    const { message, sequence } = this.found!;
    at = put(into, at, this.before);
    copyWords(into.words, at, message.words, message.subjectStart, message.subjectEnd - message.subjectStart);
    at = put(into, at + message.subjectEnd - message.subjectStart, SEQUENCE);
    put(into, writeDecimal(into.bytes, at, sequence), this.time);
  }
}

/** A fixed piece of text. */
interface Part {
  words: DataView;
  length: number;
}

function partOf(text: string): Part {
  const bytes = utf8(text);
  const padded = paddedBytes(bytes.length);
  padded.set(bytes);
  return { words: wordsOf(padded), length: bytes.length };
}

function put(into: Message, at: number, { words, length }: Part): number {
  copyWords(into.words, at, words, 0, length);
  return at + length;
}

const SEQUENCE = partOf('\r\nNats-Sequence: ');
