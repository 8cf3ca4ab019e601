import { textOf, utf8 } from '../base/bytes.js';
import { composeMessage, type Message } from '../message/message.js';
import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import { isLiteralSubject } from '../subject/subject.js';
import { SubjectTransform } from '../subject/transform.js';
import { changeHeaders } from './headers.js';
import type { StreamConfig } from './stream-config.js';
import type { Surroundings } from './surroundings.js';
import { timeText } from './time.js';

interface Republished {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly surroundings: Surroundings;
}

/** Publishes what was stored once more, on another subject, with what the stream knows about it. */
export class Republisher {
  private readonly stream: Republished;
  private readonly transform: SubjectTransform;
  private readonly headersOnly: boolean;
  private readonly stored = new StoredMessage();
  /** Messages that are not durable yet, and the last sequence of their subject before them. */
  private waiting: [number, number][];

  constructor(
    stream: Republished,
    { src = '', dest = '', headers_only = false }: NonNullable<StreamConfig['republish']>,
    before: Republisher | null,
  ) {
    this.stream = stream;
    this.waiting = before?.waiting ?? [];
    this.transform = new SubjectTransform(src, dest);
    this.headersOnly = headers_only;
  }

  /** Asked before the message is stored. */
  lastOfSubject({ bytes, subjectStart, subjectEnd }: Message): number {
    return this.stream.log.subject(bytes.subarray(subjectStart, subjectEnd))?.lastSequence ?? 0;
  }

  onAppended(sequence: number, lastOfSubject: number): void {
    this.waiting.push([sequence, lastOfSubject]);
  }

  onCommit(upTo: number): void {
    let done = 0;
    while (done < this.waiting.length && this.waiting[done][0] <= upTo) this.republish(...this.waiting[done++]);
    this.waiting = this.waiting.slice(done);
  }

  private republish(sequence: number, lastOfSubject: number): void {
    const { log, config, surroundings } = this.stream;
    if (!log.read(sequence, this.stored)) return;
    const { message, timeMs, timeNs } = this.stored;
    const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
    const subject = textOf(bytes, subjectStart, subjectEnd);
    const to = this.transform.match(subject);
    if (to === null || !isLiteralSubject(to)) return;
    const size = this.headersOnly ? ([['Nats-Msg-Size', payloadEnd - payloadStart]] as const) : [];
    const headers = changeHeaders(
      bytes.subarray(headersStart, payloadStart),
      [],
      [
        ['Nats-Stream', config.name],
        ['Nats-Subject', subject],
        ['Nats-Sequence', sequence],
        ['Nats-Time-Stamp', timeText(timeMs, timeNs)],
        ['Nats-Last-Sequence', lastOfSubject],
        ...size,
      ],
    );
    const payload = this.headersOnly ? new Uint8Array(0) : bytes.subarray(payloadStart, payloadEnd);
    surroundings.broker.publish(composeMessage({ subject: utf8(to), reply: null, headers, payload }));
  }
}
