import { textOf, utf8 } from '../base/bytes.js';
import type { Message } from '../message/message.js';
import { Alarm } from './alarm.js';
import { type ApiErrorJson, errorJson } from './api-error.js';
import type { Headers } from './headers.js';
import type { PubAcks } from './pub-acks.js';
import type { StreamConfig } from './stream-config.js';
import type { Surroundings } from './surroundings.js';

/** At least so often a publisher hears how far it got, and fewer the more publish. */
const ACK_MESSAGES_MAX = 500;
const BATCHES_MAX = 1000;
const ID_LENGTH_MAX = 64;
const PATIENCE_MS = 10_000;

const OPERATIONS = ['start', 'append', 'commit', 'end', 'ping'] as const;

/** What the reply subject of a message says: `<prefix>.<id>.<flow>.<fail|ok>.<sequence>.<operation>.$FI`. */
interface Place {
  id: string;
  sequence: number;
  /** Messages between two words about how far it got, at most. */
  flow: number;
  gapOk: boolean;
  operation: (typeof OPERATIONS)[number];
}

interface Batch {
  gapOk: boolean;
  flow: number;
  /** Messages between two words about how far it got. */
  ackMessages: number;
  /** The last of the batch that came, that is durable, and that was told of. */
  last: number;
  durable: number;
  told: number;
  /** `[sequence in the stream, in the batch]` of messages that are not durable yet. */
  waiting: [number, number][];
  streamSequence: number;
  reply: Uint8Array;
  committing: boolean;
  alarm: Alarm;
}

interface BatchOwner {
  readonly config: Readonly<StreamConfig>;
  readonly log: { readonly committedSequence: number };
  readonly surroundings: Surroundings;
}

interface Placer {
  readonly error: ApiErrorJson;
  readonly acks: PubAcks;
  place(message: Message, headers: Headers | null): number;
}

/** Whether a message belongs to a fast batch. */
export function isFastReply({ bytes, replyStart, replyEnd }: Message): boolean {
  const at = replyEnd - 4;
  return (
    at > replyStart && bytes[at + 3] === 0x49 && bytes[at + 2] === 0x46 && bytes[at + 1] === 0x24 && bytes[at] === 0x2e
  );
}

/** Publishers that are told now and then how far they got, instead of after each message. */
export class FastBatches {
  private readonly owner: BatchOwner;
  private readonly placer: Placer;
  private readonly batches = new Map<string, Batch>();

  constructor(owner: BatchOwner, placer: Placer) {
    this.owner = owner;
    this.placer = placer;
  }

  close(): void {
    for (const { alarm } of this.batches.values()) alarm.cancel();
    this.batches.clear();
  }

  take(message: Message, headers: Headers | null): void {
    const { bytes, replyStart, replyEnd } = message;
    const place = readPlace(textOf(bytes, replyStart, replyEnd));
    const error = this.whyNot(place);
    if (error !== null || place === null) this.placer.acks.refuse(message, error!);
    else this.takeAt(place, this.batches.get(place.id) ?? this.begin(place), { message, headers });
  }

  private whyNot(place: Place | null): ApiErrorJson | null {
    const { config } = this.owner;
    if (config.sealed) return errorJson('streamSealed');
    if (!config.allow_batched) return errorJson('batchPublishDisabled');
    if (place === null) return errorJson('batchPublishInvalidPattern');
    if (place.id.length > ID_LENGTH_MAX) return errorJson('batchPublishInvalidBatchId');
    if (this.batches.has(place.id)) return null;
    if (place.sequence !== 1 || place.operation === 'ping') return errorJson('batchPublishUnknownBatchId');
    return this.batches.size >= BATCHES_MAX ? errorJson('batchPublishTooManyInflight') : null;
  }

  private begin({ id, gapOk, flow }: Place): Batch {
    const alarm = new Alarm(this.owner.surroundings.clock, () => this.batches.delete(id));
    const ackMessages = this.batches.size > 0 ? 1 : Math.min(ACK_MESSAGES_MAX, flow);
    const batch: Batch = {
      ...{ gapOk, flow, ackMessages, last: 0, durable: 0, told: 0, waiting: [], streamSequence: 0 },
      ...{ reply: new Uint8Array(0), committing: false, alarm },
    };
    this.batches.set(id, batch);
    return batch;
  }

  private takeAt(
    place: Place,
    batch: Batch,
    { message, headers }: { message: Message; headers: Headers | null },
  ): void {
    const { sequence, operation } = place;
    batch.alarm.cancel();
    batch.alarm.set(this.owner.surroundings.clock.nowMs() + PATIENCE_MS);
    batch.reply = message.bytes.slice(message.replyStart, message.replyEnd);
    if (operation === 'ping') this.ping(place, batch);
    else if (!batch.committing && this.isNext(place, batch)) {
      if (operation === 'end') this.commit(place.id, batch);
      else {
        if (sequence === 1 && operation !== 'commit') this.tellFlow(batch, 0);
        this.store(place, batch, { message, headers });
      }
    }
  }

  /** Whether the message is the one that has to come next; a gap is told of, and ends a batch that may have none. */
  private isNext({ id, sequence, operation }: Place, batch: Batch): boolean {
    const expected = batch.last + 1;
    if (sequence !== expected) this.say(batch, { type: 'gap', last_seq: expected, seq: sequence });
    if (sequence === expected || (batch.gapOk && sequence > expected)) {
      batch.last = operation === 'end' ? sequence - 1 : sequence;
      if (batch.waiting.length === 0 && operation === 'end') batch.durable = batch.last;
      return true;
    }
    this.commit(id, batch);
    return false;
  }

  private store(place: Place, batch: Batch, { message, headers }: { message: Message; headers: Headers | null }): void {
    const { id, sequence, operation } = place;
    const placed = this.placer.place(message, headers);
    if (placed > 0) {
      batch.waiting.push([placed, sequence]);
      batch.streamSequence = placed;
    } else if (placed < 0) {
      // The one that it repeats need not be durable yet, either.
      batch.waiting.push([-placed, sequence]);
    } else {
      if (!batch.gapOk && sequence === 1) {
        this.end(id, batch);
        this.placer.acks.refuse(message, this.placer.error);
        return;
      }
      this.say(batch, { type: 'err', seq: sequence, error: this.placer.error });
      if (!batch.gapOk) {
        batch.last--;
        batch.committing = true;
      }
    }
    if (operation === 'commit') batch.committing = true;
    this.advance(id, batch, this.owner.log.committedSequence);
  }

  onCommit(upTo: number): void {
    if (this.batches.size > 0) for (const [id, batch] of this.batches) this.advance(id, batch, upTo);
  }

  /** Messages became durable: tells, or ends, what has to be. */
  private advance(id: string, batch: Batch, upTo: number): void {
    let done = 0;
    while (done < batch.waiting.length && batch.waiting[done][0] <= upTo) batch.durable = batch.waiting[done++][1];
    if (done > 0) batch.waiting.splice(0, done);
    if (batch.waiting.length === 0) batch.durable = batch.last;
    if (batch.committing && batch.waiting.length === 0) this.finish(id, batch);
    else if (batch.durable >= batch.told + batch.ackMessages) {
      batch.told += Math.floor((batch.durable - batch.told) / batch.ackMessages) * batch.ackMessages;
      this.adaptFlow(batch);
      this.tellFlow(batch, batch.told);
    }
  }

  /** All share what may be under way: more words to each the more publish. */
  private adaptFlow(batch: Batch): void {
    const fair = Math.min(batch.flow, Math.max(1, Math.floor(ACK_MESSAGES_MAX / this.batches.size)));
    batch.ackMessages =
      batch.ackMessages < fair
        ? Math.min(fair, batch.ackMessages * 2)
        : Math.max(fair, Math.floor(batch.ackMessages / 2));
  }

  private ping({ id, sequence }: Place, batch: Batch): void {
    if (sequence > batch.last) {
      this.say(batch, { type: 'gap', last_seq: batch.last + 1, seq: sequence + 1 });
      if (!batch.gapOk) {
        this.commit(id, batch);
        if (!this.batches.has(id)) return;
      } else batch.last = sequence;
    }
    this.tellFlow(batch, batch.told);
  }

  private commit(id: string, batch: Batch): void {
    batch.committing = true;
    if (batch.waiting.length === 0) this.finish(id, batch);
  }

  private finish(id: string, batch: Batch): void {
    this.end(id, batch);
    const { config, surroundings } = this.owner;
    this.say(batch, {
      stream: config.name,
      seq: batch.streamSequence,
      domain: surroundings.domain || undefined,
      batch: id,
      count: batch.last,
    });
  }

  private end(id: string, batch: Batch): void {
    batch.alarm.cancel();
    this.batches.delete(id);
  }

  private tellFlow(batch: Batch, sequence: number): void {
    this.say(batch, { type: 'ack', seq: sequence, msgs: batch.ackMessages });
  }

  private say({ reply }: Batch, value: object): void {
    if (!this.owner.config.no_ack) this.placer.acks.sayTo(reply, utf8(JSON.stringify(value)));
  }
}

function readPlace(reply: string): Place | null {
  const [id, flow, gap, sequenceText, operationText] = reply.split('.').slice(-6, -1);
  const operation = OPERATIONS[Number(operationText)];
  const sequence = /^\d{1,15}$/.test(sequenceText ?? '') ? Number(sequenceText) : 0;
  if (operation === undefined || sequence === 0 || (gap !== 'ok' && gap !== 'fail') || id === '') return null;
  const first = sequence === 1;
  if ((operation === 'start' && !first) || (first && (operation === 'append' || operation === 'end'))) return null;
  const wanted = Number(flow);
  return { id, sequence, operation, gapOk: gap === 'ok', flow: wanted > 0 ? Math.min(65535, Math.floor(wanted)) : 10 };
}
