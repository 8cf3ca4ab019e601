import { takeFromArena } from '../base/arena.js';
import { copyWords, decimalDigits, paddedBytes, utf8, writeDecimal } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { composeMessage, hashWords, lookAt, Message } from '../message/message.js';
import { writeSizes } from '../wire/nats/encoder.js';
import type { ApiErrorJson } from './api-error.js';
import { ReplyQueue } from './reply-queue.js';

/** An acknowledgement on its way, as a publish line: one for all streams, since nobody answers an acknowledgement. */
const LINE_BYTES = 8 * 1024;
const theAck = new Message();
lookAt(theAck, takeFromArena(LINE_BYTES) ?? paddedBytes(LINE_BYTES));

/** Makes the line so long. */
function reserve(bytes: number): void {
  if (bytes > theAck.bytes.length) lookAt(theAck, paddedBytes(2 * bytes));
}

/** Acknowledgements that wait until their message is durable; they go out in the order of the messages. */
export class PubAcks {
  private readonly broker: Account;
  private readonly head: Uint8Array;
  /** What stands behind the sequence. */
  private readonly tail: string;
  private readonly tailBytes: Uint8Array;
  private readonly stream: string;
  /** What a line without a `rest` is longer than its subject, at most. */
  private readonly extraBytes: number;
  private readonly waiting = new ReplyQueue();

  constructor(broker: Account, stream: string, domain: string) {
    this.broker = broker;
    this.stream = stream;
    this.head = utf8(`{"stream":${JSON.stringify(stream)},"seq":`);
    this.tail = domain === '' ? '' : `,"domain":${JSON.stringify(domain)}`;
    this.tailBytes = utf8(`${this.tail}}`);
    this.extraBytes = this.head.length + this.tailBytes.length + SIZES_BYTES_MAX;
  }

  /** Acknowledges a message once everything up to its sequence is durable. `rest`: such as `,"duplicate":true`; empty mostly. */
  add({ words, replyStart, replyEnd }: Message, sequence: number, rest: string): void {
    if (replyEnd > replyStart) this.waiting.push(words, replyStart, replyEnd, sequence, rest);
  }

  /** Acknowledges a message that is durable. */
  answer({ words, replyStart, replyEnd }: Message, sequence: number, rest: string): void {
    if (replyEnd === replyStart) return;
    const subjectBytes = replyEnd - replyStart;
    reserve(subjectBytes + this.extraBytes + 3 * rest.length);
    copyWords(theAck.words, 0, words, replyStart, subjectBytes);
    this.send(subjectBytes, sequence, rest);
  }

  /** Answers a message by other words. */
  say({ bytes, replyStart, replyEnd }: Message, payload: Uint8Array): void {
    if (replyEnd > replyStart) this.sayTo(bytes.slice(replyStart, replyEnd), payload);
  }

  sayTo(reply: Uint8Array, payload: Uint8Array): void {
    this.broker.publishDirect(composeMessage({ subject: reply, reply: null, headers: null, payload }));
  }

  /** Says at once why a message was not stored. */
  refuse({ bytes, replyStart, replyEnd }: Message, error: ApiErrorJson): void {
    if (replyEnd === replyStart) return;
    const payload = utf8(JSON.stringify({ error, stream: this.stream, seq: 0 }));
    this.sayTo(bytes.slice(replyStart, replyEnd), payload);
  }

  onCommit(sequence: number): void {
    const { waiting } = this;
    while (waiting.length > 0 && waiting.sequence <= sequence) {
      const { sequence: stored, rest } = waiting;
      const subjectBytes = waiting.firstBytes;
      reserve(subjectBytes + this.extraBytes + 3 * rest.length);
      waiting.takeFirst(theAck.words, 0);
      this.send(subjectBytes, stored, rest);
    }
  }

  /** Sends the acknowledgement whose subject stands at the line's begin. */
  private send(subjectBytes: number, sequence: number, rest: string): void {
    const behind = rest === '' ? this.tailBytes : utf8(`${this.tail}${rest}}`);
    const payloadBytes = this.head.length + decimalDigits(sequence) + behind.length;
    const line = theAck.bytes;
    let at = subjectBytes;
    line[at++] = SPACE;
    theAck.subjectEnd = subjectBytes;
    theAck.subjectHash = hashWords(theAck.words, 0, subjectBytes);
    theAck.tailStart = theAck.replyStart = theAck.replyEnd = at;
    at = writeSizes(line, at, 0, payloadBytes);
    theAck.headersStart = theAck.payloadStart = at;
    line.set(this.head, at);
    at = writeDecimal(line, at + this.head.length, sequence);
    line.set(behind, at);
    at += behind.length;
    theAck.payloadEnd = at;
    line[at++] = CR;
    line[at++] = LF;
    theAck.tailEnd = at;
    theAck.tail = null;
    this.broker.answer(theAck);
  }
}

/** Sizes, sequence, line ends, and what a copy by words writes behind. */
const SIZES_BYTES_MAX = 64;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;
