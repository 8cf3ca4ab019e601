import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import type { MessageLog } from '../storage/message-log.js';
import { judge } from './admission.js';
import { Alarm } from './alarm.js';
import { type ApiErrorJson, errorJson } from './api-error.js';
import type { DedupeWindow } from './dedupe.js';
import { changeHeaders, HEADER, type Headers, readHeaders } from './headers.js';
import type { PubAcks } from './pub-acks.js';
import type { StreamConfig } from './stream-config.js';
import type { Surroundings } from './surroundings.js';

const MESSAGES_MAX = 1000;
const BATCHES_MAX = 50;
const ID_LENGTH_MAX = 64;
/** A batch that nothing comes for is given up. */
const PATIENCE_MS = 10_000;

interface BatchOwner {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly dedupe: DedupeWindow;
  readonly surroundings: Surroundings;
}

/** What stores messages and answers for them. */
interface Placer {
  readonly error: ApiErrorJson;
  readonly acks: PubAcks;
  place(message: Message, headers: Headers | null): number;
  acknowledge(message: Message, sequence: number, rest: string): void;
}

interface Batch {
  /** Copies: they are kept until the batch is complete. */
  messages: Message[];
  alarm: Alarm;
}

/** Batches of messages that are stored all together or not at all: kept aside until the last one comes. */
export class AtomicBatches {
  private readonly owner: BatchOwner;
  private readonly placer: Placer;
  private readonly batches = new Map<string, Batch>();

  constructor(owner: BatchOwner, placer: Placer) {
    this.owner = owner;
    this.placer = placer;
  }

  take(message: Message, headers: Headers): void {
    const { config } = this.owner;
    const id = headers.get(HEADER.batchId)!;
    const error = this.whyNot(id, message, headers);
    if (error !== null) {
      if (!config.no_ack) this.placer.acks.refuse(message, error);
      return;
    }
    const batch = this.batches.get(id) ?? this.begin(id);
    const commit = headers.get(HEADER.batchCommit);
    if (commit !== 'eob') batch.messages.push(copyOf(message));
    else this.closeLast(batch);
    if (commit !== undefined) this.commit(id, batch, message);
    else {
      batch.alarm.cancel();
      batch.alarm.set(this.owner.surroundings.clock.nowMs() + PATIENCE_MS);
      if (!config.no_ack) this.placer.acks.say(message, NO_BYTES);
    }
  }

  close(): void {
    for (const { alarm } of this.batches.values()) alarm.cancel();
    this.batches.clear();
  }

  /** Why a message cannot be part of its batch, which ends by that if it had begun. */
  private whyNot(id: string, { headersStart, payloadEnd }: Message, headers: Headers): ApiErrorJson | null {
    const { config } = this.owner;
    if (config.sealed) return errorJson('streamSealed');
    if (config.max_msg_size >= 0 && payloadEnd - headersStart > config.max_msg_size)
      return errorJson('streamMessageExceedsMaximum');
    if (!config.allow_atomic) return errorJson('atomicPublishDisabled');
    if (id.length > ID_LENGTH_MAX) return errorJson('atomicPublishInvalidBatchId');
    const said = headers.get(HEADER.batchSequence) ?? '';
    if (!/^\d{1,15}$/.test(said)) return errorJson('atomicPublishMissingSeq');
    return this.whyNotNext(id, Number(said), headers.get(HEADER.batchCommit));
  }

  private whyNotNext(id: string, sequence: number, commit: string | undefined): ApiErrorJson | null {
    const batch = this.batches.get(id);
    const size = commit === 'eob' ? sequence - 1 : sequence;
    const tooLarge = errorJson('atomicPublishTooLargeBatch', { size: MESSAGES_MAX });
    if (batch === undefined) {
      if (sequence !== 1) return size > MESSAGES_MAX ? tooLarge : errorJson('atomicPublishIncompleteBatch');
      if (this.batches.size >= BATCHES_MAX) return errorJson('atomicPublishTooManyInflight');
    }
    if (commit !== undefined && commit !== '1' && commit !== 'eob') {
      this.end(id);
      return errorJson('atomicPublishInvalidBatchCommit');
    }
    if (sequence !== (batch?.messages.length ?? 0) + 1 || (sequence === 1 && commit === 'eob')) {
      this.abandon(id, 'incomplete');
      return errorJson('atomicPublishIncompleteBatch');
    }
    if (size <= MESSAGES_MAX) return null;
    this.abandon(id, 'large');
    return tooLarge;
  }

  private begin(id: string): Batch {
    const batch = { messages: [], alarm: new Alarm(this.owner.surroundings.clock, () => this.abandon(id, 'timeout')) };
    this.batches.set(id, batch);
    return batch;
  }

  /** The end was said by a message that is not stored: the one before it is marked as the last. */
  private closeLast({ messages }: Batch): void {
    const last = messages.pop()!;
    const { bytes, headersStart, payloadStart } = last;
    const headers = bytes.subarray(headersStart, payloadStart);
    messages.push(copyOf(last, changeHeaders(headers, [HEADER.batchCommit], [[HEADER.batchCommit, '1']])));
  }

  private commit(id: string, { messages }: Batch, last: Message): void {
    this.end(id);
    const { acks } = this.placer;
    const error = this.whyNotAll(messages);
    if (error !== null) {
      if (!this.owner.config.no_ack) acks.refuse(last, error);
      return;
    }
    let sequence = 0;
    for (const message of messages) {
      const placed = this.placer.place(message, readHeaders(message));
      if (placed > 0) sequence = placed;
    }
    if (this.owner.config.no_ack) return;
    // All were looked at before: what is refused now is refused by the disk.
    if (sequence === 0) acks.refuse(last, this.placer.error);
    else this.placer.acknowledge(last, sequence, `,"batch":${JSON.stringify(id)},"count":${messages.length}`);
  }

  /** What is wrong with the batch as a whole. */
  private whyNotAll(messages: readonly Message[]): ApiErrorJson | null {
    const { config, log, dedupe, surroundings } = this.owner;
    const nowMs = surroundings.clock.nowMs();
    const ids = new Set<string>();
    for (const [index, message] of messages.entries()) {
      const headers = readHeaders(message);
      if (headers?.has(HEADER.expectedLastMsgId))
        return errorJson('atomicPublishUnsupportedHeaderBatch', { header: HEADER.expectedLastMsgId });
      if (index > 0 && headers?.has(HEADER.expectedLastSequence))
        return errorJson('atomicPublishUnsupportedHeaderBatch', { header: HEADER.expectedLastSequence });
      const { error, duplicateOf, msgId } = judge({ config, log, dedupe, nowMs }, message, headers);
      if (error !== null) return error;
      if (duplicateOf > 0 || (msgId !== '' && ids.has(msgId)))
        return errorJson('atomicPublishContainsDuplicateMessage');
      if (msgId !== '') ids.add(msgId);
    }
    if (config.discard !== 'new' || config.max_msgs <= 0) return null;
    const fits = log.state.messages + messages.length <= config.max_msgs;
    return fits ? null : errorJson('streamStoreFailed', { err: 'maximum messages exceeded' });
  }

  private end(id: string): void {
    this.batches.get(id)?.alarm.cancel();
    this.batches.delete(id);
  }

  private abandon(batch: string, reason: 'timeout' | 'incomplete' | 'large'): void {
    this.end(batch);
    const { surroundings, config } = this.owner;
    const fields = { stream: config.name, batch, reason };
    surroundings.advise(`STREAM.BATCH_ABANDONED.${config.name}`, 'stream_batch_abandoned', fields);
  }
}

function copyOf(message: Message, headers?: Uint8Array): Message {
  const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
  return composeMessage({
    subject: bytes.subarray(subjectStart, subjectEnd),
    reply: null,
    headers: headers ?? bytes.subarray(headersStart, payloadStart),
    payload: bytes.subarray(payloadStart, payloadEnd),
  });
}
