import { textOf, utf8 } from '../base/bytes.js';
import { composeMessage, type Message } from '../message/message.js';
import { LogFilter } from '../storage/log-filter.js';
import { type MessageLog, type PurgeOptions, REFUSED } from '../storage/message-log.js';
import { hasWildcard } from '../subject/subject.js';
import { SubjectTransform } from '../subject/transform.js';
import { type Admitted, judge, type Verdict, WELCOME } from './admission.js';
import { type ApiErrorJson, errorJson } from './api-error.js';
import { AtomicBatches } from './atomic-batches.js';
import type { Consumer } from './consumer.js';
import { countUp } from './counter.js';
import type { DedupeWindow } from './dedupe.js';
import { ERRORS } from './error-table.js';
import type { Expiry } from './expiry.js';
import { FastBatches, isFastReply } from './fast-batches.js';
import { changeHeaders, HEADER, type Headers, readHeaders } from './headers.js';
import type { Taken } from './inflow.js';
import { PubAcks } from './pub-acks.js';
import { Republisher } from './republisher.js';
import type { Schedules } from './schedules.js';
import type { StreamConfig } from './stream-config.js';
import { whyFull } from './stream-limits.js';
import type { Surroundings } from './surroundings.js';
import { trim } from './sweep.js';
import { readTtl } from './ttl.js';

/** The stream, as its intake sees it. */
export interface IntakeOwner {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly surroundings: Surroundings;
  readonly dedupe: DedupeWindow;
  readonly expiry: Expiry;
  readonly schedules: Schedules;
  readonly consumers: ReadonlyMap<string, Consumer>;
  readonly followers: ReadonlySet<unknown>;
  /** Much is being removed on account of lower limits: what comes in meanwhile leaves it to that. */
  readonly sweeping: boolean;
  purge(options: PurgeOptions): number;
}

/** With each message that comes in while much is being removed. */
const MOST_MEANWHILE = 16;

/** Takes messages in: transform, checks, log, limits; and acknowledges them when they are durable. */
export class Intake {
  /** Why the last `place` stored nothing. */
  error: ApiErrorJson = errorJson('streamInvalid');
  /** What the acknowledgement of the last one says beside its sequence. */
  rest = '';
  readonly acks: PubAcks;
  private readonly owner: IntakeOwner;
  private readonly atomic: AtomicBatches;
  private readonly fast: FastBatches;
  private republisher: Republisher | null = null;
  private transform: SubjectTransform | null = null;
  /** When the message at hand came. */
  private readonly time = { timeMs: 0, timeNs: 0 };
  /** The last sequence that went to a message that nobody waited for. */
  private skipped = 0;

  constructor(owner: IntakeOwner) {
    const { surroundings, config } = owner;
    this.owner = owner;
    this.acks = new PubAcks(surroundings.broker, config.name, surroundings.domain);
    this.atomic = new AtomicBatches(owner, this);
    this.fast = new FastBatches(owner, this);
  }

  configure(): void {
    const { subject_transform, republish } = this.owner.config;
    const { src = '', dest = '' } = subject_transform ?? {};
    this.transform = subject_transform === undefined ? null : new SubjectTransform(src, dest);
    this.republisher = republish === undefined ? null : new Republisher(this.owner, republish, this.republisher);
  }

  /** A message from the broker. */
  take(received: Message): void {
    const message = this.transformed(received);
    const headers = message.payloadStart > message.headersStart ? readHeaders(message) : null;
    if (isFastReply(message)) this.fast.take(message, headers);
    else if (headers?.has(HEADER.batchId)) this.atomic.take(message, headers);
    else this.answer(message, this.place(message, headers));
  }

  /** Acknowledges, now or when it is durable, what `place` made of a message. */
  answer(message: Message, placed: number): void {
    if (this.owner.config.no_ack) return;
    if (placed === 0) this.acks.refuse(message, this.error);
    else if (placed < 0) this.acknowledge(message, -placed, ',"duplicate": true');
    else this.acknowledge(message, placed, this.rest);
  }

  acknowledge(message: Message, sequence: number, rest: string): void {
    const { log } = this.owner;
    // Beyond the last message: a sequence that was skipped, and nothing to wait for.
    if (sequence <= log.committedSequence || this.skipped === sequence) this.acks.answer(message, sequence, rest);
    else this.acks.add(message, sequence, rest);
  }

  /** Everything up to here is durable. */
  onCommit(sequence: number): void {
    this.acks.onCommit(sequence);
    this.fast.onCommit(sequence);
    this.republisher?.onCommit(sequence);
  }

  close(): void {
    this.atomic.close();
    this.fast.close();
  }

  /** Stores a message: its sequence; 0 when `error` says why not; the negative sequence of the one that it repeats. */
  place(message: Message, headers: Headers | null): number {
    const { owner } = this;
    this.rest = '';
    // Only what headers ask for has to do with the time.
    const nowMs = headers === null ? 0 : owner.surroundings.clock.nowMs();
    const verdict = judge({ config: owner.config, log: owner.log, dedupe: owner.dedupe, nowMs }, message, headers);
    if (verdict.error !== null) return this.refused(verdict.error);
    return verdict.duplicateOf > 0 ? -verdict.duplicateOf : this.placeAdmitted(message, verdict, headers);
  }

  /** Stores messages all together, or none: the last one's sequence, or 0 when `error` says why not. Each was found to be as it should be. */
  placeBatch(batch: readonly Admitted[]): number {
    const { log, config } = this.owner;
    const isKept = ({ message }: Admitted) => config.retention !== 'interest' || this.isWanted(message);
    const kept = batch.filter(isKept);
    const bytes = kept.reduce((sum, { message }) => sum + bytesOf(message), 0);
    const refusal = kept.length === 0 ? 0 : log.beginBatch(kept.length, bytes, batch.length);
    if (refusal !== 0) return this.refused(this.refusalOf(refusal));
    const last = kept.at(-1);
    let sequence = 0;
    let ends = false;
    for (const admitted of batch) {
      ends ||= admitted === last;
      const { message, verdict, headers } = admitted;
      sequence = this.placeAdmitted(message, { ...verdict, batch: ends ? 'ends' : 'continues' }, headers);
    }
    // If the last one was skipped there are still those before it to wait for.
    if (kept.length > 0) this.skipped = 0;
    return sequence;
  }

  private placeAdmitted(message: Message, verdict: Readonly<Verdict>, headers: Headers | null): number {
    // A schedule takes the place of the one before it on its subject.
    if (headers?.has(HEADER.schedule) && verdict.rollup === '')
      return this.placeJudged(withHeader(message, HEADER.rollup, 'sub'), { ...verdict, rollup: 'sub' }, headers);
    return this.placeJudged(message, verdict, headers);
  }

  /** Stores a message that a schedule made; false when there is no room for it now. */
  takeScheduled(message: Message): boolean {
    const headers = readHeaders(message);
    const ttlSeconds = readTtl(headers?.get(HEADER.ttl) ?? '') ?? 0;
    const verdict = { ...WELCOME, rollup: this.rollupOf(headers), ttlSeconds };
    return this.placeJudged(message, verdict, headers) !== 0;
  }

  /** The same for a message that is known to be as it should be. */
  placeJudged(given: Message, verdict: Readonly<Verdict>, headers: Headers | null): number {
    const { config, log, surroundings } = this.owner;
    let message = given;
    if (config.allow_msg_counter) {
      const counted = countUp(log, given, headers);
      if ('error' in counted) return this.refused(counted.error);
      message = counted.message;
      this.rest = `,"val":"${counted.value}"`;
    }
    const hasRoom = verdict.batch !== '';
    const { time } = this;
    time.timeMs = surroundings.clock.nowMs();
    if (!hasRoom && surroundings.isExhausted(config.storage, time.timeMs))
      return this.refused(errorJson('insufficientResources'));
    if (config.retention === 'interest' && !this.isWanted(message)) return this.skip(verdict);
    const full = hasRoom ? null : whyFull(config, log, message);
    if (full !== null) return this.refused(errorJson('streamStoreFailed', { err: full }));
    return this.append(message, verdict, headers);
  }

  /** A message of the stream that this one mirrors: with its sequence and its time. */
  takeMirrored({ message, sequence, timeMs, timeNs }: Taken, subject: Uint8Array | null): boolean {
    const { log, config, consumers, expiry } = this.owner;
    if (sequence <= log.state.lastSequence) return true;
    if (sequence > log.state.lastSequence + 1) log.skipTo(sequence);
    const own = subject === null ? message : withSubject(message, subject);
    if (log.append(own, { timeMs, timeNs }) < 0) return false;
    for (const consumer of consumers.values()) consumer.onAppended(sequence, own);
    const headers = own.payloadStart > own.headersStart ? readHeaders(own) : null;
    const ttl = readTtl(headers?.get(HEADER.ttl) ?? '');
    if (ttl !== null && config.allow_msg_ttl) expiry.add(sequence, ttl, timeMs);
    this.rollUp(own, this.rollupOf(headers));
    this.applyLimits(own);
    expiry.onAppended(timeMs);
    return true;
  }

  /** A message of a source. What it expected of its own stream is not expected here. */
  takeSourced({ message }: Taken, subject: Uint8Array | null, source: string): boolean {
    const { bytes, headersStart, payloadStart } = message;
    const headers = changeHeaders(bytes.subarray(headersStart, payloadStart), NOT_OF_SOURCES, [
      [HEADER.streamSource, source],
    ]);
    const own = withSubject(message, subject ?? bytes.subarray(message.subjectStart, message.subjectEnd), headers);
    const read = readHeaders(own);
    const { dedupe, surroundings } = this.owner;
    const msgId = read?.get(HEADER.msgId) ?? '';
    if (msgId !== '' && dedupe.find(msgId, surroundings.clock.nowMs()) > 0) return true;
    const ttlSeconds = readTtl(read?.get(HEADER.ttl) ?? '') ?? 0;
    const placed = this.placeJudged(own, { ...WELCOME, msgId, rollup: this.rollupOf(read), ttlSeconds }, read);
    // A full stream waits for room; what can never be stored is left out.
    return placed !== 0 || this.error.err_code !== FULL;
  }

  private append(message: Message, verdict: Readonly<Verdict>, headers: Headers | null): number {
    const { log, dedupe, consumers, expiry } = this.owner;
    const lastOfSubject = this.republisher?.lastOfSubject(message) ?? 0;
    const { timeMs } = this.time;
    const sequence = log.append(message, this.time, verdict.batch === 'continues');
    if (sequence < 0) return this.refused(this.refusalOf(sequence));
    this.republisher?.onAppended(sequence, lastOfSubject);
    dedupe.lastId = verdict.msgId;
    if (verdict.msgId !== '') dedupe.add(verdict.msgId, sequence, timeMs);
    if (consumers.size > 0) for (const consumer of consumers.values()) consumer.onAppended(sequence, message);
    if (headers !== null) this.afterHeaders(message, verdict, { sequence, headers });
    this.applyLimits(message);
    expiry.onAppended(timeMs);
    return sequence;
  }

  private afterHeaders(
    message: Message,
    { rollup, ttlSeconds }: Readonly<Verdict>,
    { sequence, headers }: { sequence: number; headers: Headers },
  ): void {
    const { owner } = this;
    const nowMs = owner.surroundings.clock.nowMs();
    if (ttlSeconds !== 0) owner.expiry.add(sequence, ttlSeconds, nowMs);
    this.rollUp(message, rollup);
    if (!owner.config.allow_msg_schedules) return;
    if (headers.has(HEADER.schedule)) owner.schedules.add(sequence, headers, nowMs);
    else if (headers.get(HEADER.scheduleNext) === 'purge') this.endSchedule(headers.get(HEADER.scheduler) ?? '');
  }

  private endSchedule(subject: string): void {
    if (subject !== '') this.owner.purge({ filter: LogFilter.literal(utf8(subject)) });
  }

  /** Leaves only the newest message, of all or of its subject. */
  private rollUp({ bytes, subjectStart, subjectEnd }: Message, rollup: Verdict['rollup']): void {
    if (rollup === '') return;
    this.owner.purge({ filter: rollup === 'all' ? null : filterOf(bytes.slice(subjectStart, subjectEnd)), keep: 1 });
  }

  /** What a message of another stream rolls up here. */
  private rollupOf(headers: Headers | null): Verdict['rollup'] {
    const { allow_rollup_hdrs, deny_purge } = this.owner.config;
    const rollup = headers?.get(HEADER.rollup);
    return allow_rollup_hdrs && !deny_purge && (rollup === 'sub' || rollup === 'all') ? rollup : '';
  }

  private applyLimits(message: Message): void {
    const { log, config, sweeping } = this.owner;
    const { max_msgs_per_subject: perSubject } = config;
    if (perSubject > 0) log.trimSubject(message, perSubject);
    trim(log, config, sweeping ? MOST_MEANWHILE : undefined);
  }

  /** A message that nobody waits for takes a sequence and no room. */
  private skip({ msgId }: Readonly<Verdict>): number {
    const { log, dedupe, surroundings } = this.owner;
    const sequence = log.state.lastSequence + 1;
    log.skipTo(sequence + 1);
    dedupe.lastId = msgId;
    if (msgId !== '') dedupe.add(msgId, sequence, surroundings.clock.nowMs());
    this.skipped = sequence;
    return sequence;
  }

  /** Whether somebody waits for a message, where interest is what keeps them. */
  isWanted({ bytes, subjectStart, subjectEnd }: Message): boolean {
    if (this.owner.followers.size > 0) return true;
    for (const { feed } of this.owner.consumers.values())
      if (feed.filter === null || feed.filter.matches(bytes, subjectStart, subjectEnd)) return true;
    return false;
  }

  private refused(error: ApiErrorJson): 0 {
    this.error = error;
    return 0;
  }

  private refusalOf(refusal: number): ApiErrorJson {
    if (refusal === REFUSED.BUSY) return errorJson('streamTooManyRequests');
    if (refusal === REFUSED.TOO_LARGE) return errorJson('streamStoreFailed', { err: 'message to large' });
    return errorJson('streamStoreFailed', { err: this.owner.log.trouble?.message ?? 'store is closed' });
  }

  /** The message as it is stored: under the subject that the configuration makes of its own. */
  transformed(message: Message): Message {
    if (this.transform === null) return message;
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    const own = Buffer.from(bytes.buffer, bytes.byteOffset + subjectStart, subjectEnd - subjectStart).toString();
    const subject = this.transform.match(own);
    if (subject === null) return message;
    return composeMessage({
      subject: utf8(subject),
      reply: bytes.subarray(replyStart, replyEnd),
      headers: bytes.subarray(headersStart, payloadStart),
      payload: bytes.subarray(payloadStart, payloadEnd),
    });
  }
}

const NOT_OF_SOURCES = [
  ...[HEADER.expectedStream, HEADER.expectedLastMsgId, HEADER.expectedLastSequence, HEADER.streamSource],
  ...[HEADER.expectedLastSubjectSequence, HEADER.expectedLastSubjectSequenceSubject],
];
const [FULL] = ERRORS.streamStoreFailed;

function withHeader(message: Message, name: string, value: string): Message {
  const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
  return composeMessage({
    subject: bytes.subarray(subjectStart, subjectEnd),
    reply: bytes.subarray(replyStart, replyEnd),
    headers: changeHeaders(bytes.subarray(headersStart, payloadStart), [], [[name, value]]),
    payload: bytes.subarray(payloadStart, payloadEnd),
  });
}

function bytesOf({ subjectStart, subjectEnd, headersStart, payloadEnd }: Message): number {
  return subjectEnd - subjectStart + payloadEnd - headersStart;
}

function withSubject(message: Message, subject: Uint8Array, headers?: Uint8Array): Message {
  const { bytes, headersStart, payloadStart, payloadEnd } = message;
  return composeMessage({
    subject,
    reply: null,
    headers: headers ?? bytes.subarray(headersStart, payloadStart),
    payload: bytes.subarray(payloadStart, payloadEnd),
  });
}

/** Who publishes to `a.*`, in so many letters, rolls up all that this matches, as in nats-server: purges of keys are made of it. */
function filterOf(subject: Uint8Array): LogFilter {
  const text = textOf(subject);
  return hasWildcard(text) ? LogFilter.of([text]) : LogFilter.literal(subject);
}
