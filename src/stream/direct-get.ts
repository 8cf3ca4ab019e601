import { textOf } from '../base/bytes.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { LogFilter } from '../storage/log-filter.js';
import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import { changeHeaders, status } from './headers.js';
import { filterOf, findMessage, type MessageWish, messageGetShape, startSequence } from './message-search.js';
import { LATER, type Work } from './request-turns.js';
import { readJson, ShapeMistake } from './shape.js';
import type { Stream } from './stream.js';
import { parseTime, timeText } from './time.js';

/** Bytes of messages in one answer, unless the request says; nat-server's `max_pending`. */
const BYTES_MAX = 64 * 1024 * 1024;
const SUBJECTS_MAX = 1024;
/** Bytes that are sent at a time, so that others have their turns. */
const PART_BYTES = 256 * 1024;

/** Answers a request for stored messages by the messages themselves, with what the stream knows about them as headers. */
export class DirectGet {
  private readonly stream: Stream;
  private readonly reply: Uint8Array;
  private readonly inTurns: (work: Work) => void;

  /** `inTurns` does what may take long, in parts. */
  constructor(stream: Stream, reply: Uint8Array, inTurns: (work: Work) => void) {
    this.stream = stream;
    this.reply = reply;
    this.inTurns = inTurns;
  }

  /** `key`: the subject that the request's own subject named, or ''. */
  answer(payload: string, key: string): void {
    const line = this.serve(payload, key);
    if (line !== null) this.say(line);
  }

  /** Sends what is wanted, or answers the status line that says why not. */
  private serve(payload: string, key: string): string | null {
    let wish: MessageWish;
    try {
      if (payload === '' && key === '') return '408 Empty Request';
      wish = readJson(payload, messageGetShape, false);
    } catch (error) {
      if (!(error instanceof ShapeMistake)) throw error;
      return '408 Malformed Request';
    }
    if (key !== '') {
      if (Object.keys(wish).some((field) => field !== 'no_hdr' && field !== 'max_bytes')) return '408 Bad Request';
      wish.last_by_subj = key;
    }
    const wrong = whatIsWrong(wish);
    if (wrong !== null) return wrong;
    if ((wish.multi_last?.length ?? 0) > 0) return this.answerInParts(this.multi(wish));
    if ((wish.batch ?? 0) > 0) return this.answerInParts(this.batch(wish));
    const found = findMessage(this.log, wish);
    if (found === null) return '404 Message Not Found';
    this.send(found, wish.no_hdr ?? false, []);
    return null;
  }

  private get log(): MessageLog {
    return this.stream.log;
  }

  /** `messages` sends one with each step, and yields how many bytes it has. Who does not read is not sent more. */
  private answerInParts(messages: Generator<number, void>): null {
    const { broker } = this.stream.surroundings;
    const address = composeMessage({ subject: this.reply, reply: null, headers: null, payload: NO_BYTES });
    this.inTurns(() => {
      if (broker.isCongested(address)) return this.stream.closed ? false : LATER;
      for (let bytes = 0; bytes < PART_BYTES && !this.stream.closed; ) {
        const step = messages.next();
        if (step.done === true) return false;
        bytes += step.value;
      }
      return !this.stream.closed;
    });
    return null;
  }

  private *batch(wish: MessageWish): Generator<number, void> {
    const { batch = 1, max_bytes = 0, next_by_subj = '' } = wish;
    const filter = filterOf(next_by_subj);
    const found = new StoredMessage();
    let from = Math.max(1, startSequence(this.log, wish));
    let pending = this.log.count(filter, from);
    let last = 0;
    let bytes = 0;
    for (let sent = 0; sent < batch && bytes < (max_bytes || BYTES_MAX); sent++) {
      if (!this.log.next(from, filter, found)) break;
      from = found.sequence + 1;
      pending = Math.max(0, pending - 1);
      const sentBytes = this.send(found, wish.no_hdr ?? false, placeIn(pending, last));
      last = found.sequence;
      bytes += sentBytes;
      yield sentBytes;
    }
    if (last === 0) this.say('404 Message Not Found');
    else this.say('204 EOB', placeIn(pending, last));
  }

  /** The last message of each of the subjects. */
  private *multi(wish: MessageWish): Generator<number, void> {
    const { multi_last = [], up_to_seq = 0, up_to_time, seq = 0, batch = 0, max_bytes = 0 } = wish;
    let upTo = up_to_seq || this.log.state.lastSequence;
    if (up_to_time !== undefined) {
      upTo = this.log.sequenceAtTime(parseTime(up_to_time)) - 1;
      if (upTo < this.log.state.firstSequence) return this.say('404 No Results');
    }
    const filter = multi_last.includes('>') ? null : LogFilter.of(multi_last);
    const sequences = this.log.lastSequences(filter, upTo).filter((sequence) => sequence >= seq);
    if (sequences.length > SUBJECTS_MAX) return this.say('413 Too Many Results');
    if (sequences.length === 0) return this.say('404 No Results');
    const found = new StoredMessage();
    let last = 0;
    let bytes = 0;
    let sent = 0;
    for (const sequence of sequences) {
      if (!this.log.read(sequence, found)) continue;
      const sentBytes = this.send(found, wish.no_hdr ?? false, placeIn(sequences.length - sent - 1, last));
      last = sequence;
      sent++;
      bytes += sentBytes;
      yield sentBytes;
      if (bytes >= (max_bytes || BYTES_MAX) || (batch > 0 && sent >= batch)) break;
    }
    this.say('204 EOB', [...placeIn(sequences.length - sent, last), ['Nats-UpTo-Sequence', upTo]]);
  }

  /** Returns the bytes of the message. */
  private send({ message, sequence, timeMs, timeNs }: StoredMessage, bare: boolean, place: HeaderValue[]): number {
    const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
    const headers = bare
      ? null
      : changeHeaders(
          bytes.subarray(headersStart, payloadStart),
          [],
          [
            ['Nats-Stream', this.stream.name],
            ['Nats-Subject', textOf(bytes, subjectStart, subjectEnd)],
            ['Nats-Sequence', sequence],
            ['Nats-Time-Stamp', timeText(timeMs, timeNs)],
            ...place,
          ],
        );
    this.publish(
      composeMessage({ subject: this.reply, reply: null, headers, payload: bytes.subarray(payloadStart, payloadEnd) }),
    );
    return subjectEnd - subjectStart + payloadEnd - headersStart;
  }

  private say(line: string, values: HeaderValue[] = []): void {
    this.publish(
      composeMessage({ subject: this.reply, reply: null, headers: status(line, values), payload: NO_BYTES }),
    );
  }

  private publish(message: Message): void {
    this.stream.surroundings.broker.publishDirect(message);
  }
}

type HeaderValue = readonly [string, string | number];

function placeIn(pending: number, last: number): HeaderValue[] {
  return [
    ['Nats-Num-Pending', pending],
    ['Nats-Last-Sequence', last],
  ];
}

/** The status line of a request that makes no sense, or null. */
function whatIsWrong(wish: MessageWish): string | null {
  const { seq = 0, last_by_subj = '', next_by_subj = '', start_time, batch = 0, multi_last = [] } = wish;
  const multi = multi_last.length > 0;
  const timed = start_time !== undefined;
  if (seq === 0 && last_by_subj === '' && next_by_subj === '' && !multi && !timed) return '408 Empty Request';
  const lastly = last_by_subj !== '' && (seq > 0 || timed || next_by_subj !== '' || batch > 0 || multi);
  const bounds = (wish.up_to_seq ?? 0) > 0 && wish.up_to_time !== undefined;
  return (seq > 0 && timed) || lastly || (next_by_subj !== '' && multi) || bounds ? '408 Bad Request' : null;
}
