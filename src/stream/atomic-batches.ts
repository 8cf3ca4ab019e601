import { textOf } from '../base/bytes.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import type { MessageLog } from '../storage/message-log.js';
import { type Admitted, judge } from './admission.js';
import { Alarm } from './alarm.js';
import { type ApiErrorJson, errorJson } from './api-error.js';
import { countUp } from './counter.js';
import type { DedupeWindow } from './dedupe.js';
import { changeHeaders, HEADER, type Headers, readHeaders } from './headers.js';
import type { PubAcks } from './pub-acks.js';
import type { StreamConfig } from './stream-config.js';
import { whyBatchFull } from './stream-limits.js';
import type { Surroundings } from './surroundings.js';

const MESSAGES_MAX = 1000;
const BATCHES_MAX = 50;
/** What the log takes in one piece. */
const BYTES_MAX = 64 * 1024 * 1024;
const SUBJECT_BYTES_MAX = 0xffff;
const ID_LENGTH_MAX = 64;
/** A batch that nothing comes for is given up. */
const PATIENCE_MS = 10_000;
/** For who is told of the limits. */
export const BATCH_LIMITS = { messagesMax: MESSAGES_MAX, batchesMax: BATCHES_MAX, patienceMs: PATIENCE_MS };

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
  placeBatch(batch: readonly Admitted[]): number;
  acknowledge(message: Message, sequence: number, rest: string): void;
}

interface Batch {
  /** Copies: they are kept until the batch is complete. */
  messages: Message[];
  bytes: number;
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
    batch.bytes += message.payloadEnd - message.headersStart;
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
    const tooManyBytes = (batch?.bytes ?? 0) > BYTES_MAX;
    if (size <= MESSAGES_MAX && !tooManyBytes) return null;
    this.abandon(id, 'large');
    return tooManyBytes ? errorJson('streamStoreFailed', { err: 'batch has more than 64 MiB' }) : tooLarge;
  }

  private begin(id: string): Batch {
    const batch: Batch = {
      messages: [],
      bytes: 0,
      alarm: new Alarm(this.owner.surroundings.clock, () => this.abandon(id, 'timeout')),
    };
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
    const admitted = this.admit(messages);
    const sequence = Array.isArray(admitted) ? this.placer.placeBatch(admitted) : 0;
    if (this.owner.config.no_ack) return;
    if (!Array.isArray(admitted)) acks.refuse(last, admitted);
    else if (sequence === 0) acks.refuse(last, this.placer.error);
    else this.placer.acknowledge(last, sequence, `,"batch":${JSON.stringify(id)},"count":${messages.length}`);
  }

  /** All messages, judged before the first of them is stored; or what is wrong with the batch. */
  private admit(messages: readonly Message[]): Admitted[] | ApiErrorJson {
    const { config, log, surroundings } = this.owner;
    const ids = new Set<string>();
    const subjects = new Set<string>();
    const batch: Admitted[] = [];
    for (const message of messages) {
      const headers = readHeaders(message);
      const admitted = this.admitOne(message, headers, { isFirst: batch.length === 0, subjects });
      if ('err_code' in admitted) return admitted;
      const { duplicateOf, msgId } = admitted.verdict;
      if (duplicateOf > 0 || (msgId !== '' && ids.has(msgId)))
        return errorJson('atomicPublishContainsDuplicateMessage');
      if (msgId !== '') ids.add(msgId);
      subjects.add(textOf(message.bytes, message.subjectStart, message.subjectEnd));
      batch.push(admitted);
    }
    if (surroundings.isExhausted(config.storage, surroundings.clock.nowMs())) return errorJson('insufficientResources');
    const full = whyBatchFull(config, log, messages);
    return full === null ? batch : errorJson('streamStoreFailed', { err: full });
  }

  /** `subjects`: of the messages before it in the batch. */
  private admitOne(
    message: Message,
    headers: Headers | null,
    { isFirst, subjects }: { isFirst: boolean; subjects: ReadonlySet<string> },
  ): Admitted | ApiErrorJson {
    const { config, log, dedupe, surroundings } = this.owner;
    const { bytes, subjectStart, subjectEnd } = message;
    if (headers?.has(HEADER.expectedLastMsgId))
      return errorJson('atomicPublishUnsupportedHeaderBatch', { header: HEADER.expectedLastMsgId });
    if (!isFirst && headers?.has(HEADER.expectedLastSequence))
      return errorJson('atomicPublishUnsupportedHeaderBatch', { header: HEADER.expectedLastSequence });
    if (subjectEnd - subjectStart > SUBJECT_BYTES_MAX)
      return errorJson('streamStoreFailed', { err: 'message to large' });
    const verdict = judge({ config, log, dedupe, nowMs: surroundings.clock.nowMs() }, message, headers);
    if (verdict.error !== null) return verdict.error;
    const counted = config.allow_msg_counter ? countUp(log, message, headers) : null;
    if (counted !== null && 'error' in counted) return counted.error;
    // What is expected of a subject cannot be told any more once the batch itself writes there.
    const expected = headers?.get(HEADER.expectedLastSubjectSequenceSubject) || textOf(bytes, subjectStart, subjectEnd);
    if (headers?.has(HEADER.expectedLastSubjectSequence) && subjects.has(expected))
      return errorJson('streamWrongLastSequenceConstant');
    return { message, verdict, headers };
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
