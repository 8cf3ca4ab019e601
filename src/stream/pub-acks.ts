import { utf8, writeDecimal } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { composeMessage, type Message } from '../message/message.js';
import type { ApiErrorJson } from './api-error.js';

/** What an acknowledgement says behind stream and sequence, such as `,"duplicate":true`; empty mostly. */
interface Waiting {
  sequence: number;
  reply: Uint8Array;
  rest: string;
}

/** Acknowledgements that wait until their message is durable; they go out in the order of the messages. */
export class PubAcks {
  private readonly broker: Account;
  private readonly head: Uint8Array;
  private readonly tail: string;
  private readonly stream: string;
  private waiting: Waiting[] = [];
  private first = 0;

  constructor(broker: Account, stream: string, domain: string) {
    this.broker = broker;
    this.stream = stream;
    this.head = utf8(`{"stream":${JSON.stringify(stream)},"seq":`);
    this.tail = domain === '' ? '' : `,"domain":${JSON.stringify(domain)}`;
  }

  /** Acknowledges a message once everything up to its sequence is durable. */
  add({ bytes, replyStart, replyEnd }: Message, sequence: number, rest: string): void {
    if (replyEnd > replyStart) this.waiting.push({ sequence, reply: bytes.slice(replyStart, replyEnd), rest });
  }

  /** Acknowledges a message that is durable. */
  answer({ bytes, replyStart, replyEnd }: Message, sequence: number, rest: string): void {
    if (replyEnd > replyStart) this.send({ sequence, reply: bytes.slice(replyStart, replyEnd), rest });
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
    while (this.first < waiting.length && waiting[this.first].sequence <= sequence) this.send(waiting[this.first++]);
    if (this.first === waiting.length) {
      waiting.length = 0;
      this.first = 0;
    } else if (this.first > 1024 && this.first * 2 > waiting.length) {
      this.waiting = waiting.slice(this.first);
      this.first = 0;
    }
  }

  private send({ reply, sequence, rest }: Waiting): void {
    const behind = `${rest === '' ? this.tail : this.tail + rest}}`;
    const payload = new Uint8Array(this.head.length + 16 + behind.length * 3);
    payload.set(this.head);
    let at = writeDecimal(payload, this.head.length, sequence);
    for (let i = 0; i < behind.length; i++) {
      const code = behind.charCodeAt(i);
      if (code > 0x7f) {
        at += Buffer.from(payload.buffer, payload.byteOffset).write(behind.slice(i), at);
        break;
      }
      payload[at++] = code;
    }
    const message = composeMessage({ subject: reply, reply: null, headers: null, payload: payload.subarray(0, at) });
    this.broker.publishDirect(message);
  }
}
