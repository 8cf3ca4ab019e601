import { textOf, utf8, WORD_SLACK_BYTES } from '../base/bytes.js';
import { describe } from '../base/failure.js';
import { parseJson } from '../base/json.js';
import { type Leg, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, hashSubject, lookAt, Message, NO_BYTES } from '../message/message.js';
import { REFUSED } from '../storage/message-log.js';
import { Alarm } from './alarm.js';
import { ApiError, type ApiErrorJson, apiError, errorJson } from './api-error.js';
import { type ArchiveEntry, ArchiveMistake, ArchiveReader, isEnd } from './archive.js';
import type { ConsumerConfig } from './consumer-config.js';
import { restoreConsumer } from './consumers.js';
import type { Claim } from './restore-room.js';
import { S2Mistake, S2Reader } from './s2.js';
import { stateOfArchive } from './snapshot.js';
import type { Stream } from './stream.js';
import type { StreamRequest } from './stream-config.js';
import { streamInfo } from './stream-info.js';
import type { Streams } from './streams.js';

/** A transfer that nothing comes for is given up. */
const PATIENCE_MS = 5_000;
/** Who waits for longer than this for memory that others have is refused: sooner than these are given up, if nothing comes for them either. */
const MEMORY_PATIENCE_MS = 4_000;
/** Chunks that may wait to be worked on. Who waits for answers, as it is meant, has one of them under way, or a few. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** Longer entries are put together in memory that all restores share, which nobody has for longer than this. */
const SMALL_BYTES = 1024 * 1024;
const LARGE_MS_MAX = 60_000;
/** About what an object costs beside its configuration and state. */
const CONSUMER_BYTES = 512;
const TYPE = 'io.nats.jetstream.api.v1.stream_create_response';

/** Takes a stream's archive in chunks, and makes the stream of it. */
export class RestoreReceiver implements Subscriber {
  readonly deliverSubject: string;
  private readonly streams: Streams;
  private readonly request: StreamRequest;
  private readonly subscription: Subscription;
  private readonly alarm: Alarm;
  private readonly unpack = new S2Reader();
  private readonly archive = new ArchiveReader();
  private readonly consumers: [name: string, payload: Uint8Array][] = [];
  private working: Promise<void> = Promise.resolve();
  private waitingBytes = 0;
  private stream: Stream | null = null;
  private lastSequence = 0;
  private consumersBytes = 0;
  private complete = false;
  /** It is about to end: too much came at once, or the account may have no streams any more. */
  private ending = false;
  private ended = false;
  /** Memory for an entry that is not small, and until when it may be had. */
  private claim: Claim | null = null;
  private claimEndsMs = Number.POSITIVE_INFINITY;

  /** Throws an `ApiError` when others are at it already. */
  constructor(streams: Streams, request: StreamRequest) {
    if (!streams.restores.enter(streams)) throw apiError('insufficientResources');
    this.streams = streams;
    this.request = request;
    this.deliverSubject = `$JS.SNAPSHOT.RESTORE.${request.name}.${streams.newId(22)}`;
    this.subscription = new Subscription(this, utf8(this.deliverSubject), null, utf8('restore'));
    this.alarm = new Alarm(streams.clock, () => void this.end(null));
    streams.broker.subscribe(this.subscription);
    streams.restoring.add(this);
    this.alarm.set(streams.clock.nowMs() + PATIENCE_MS);
  }

  deliver(_leg: Leg, { bytes, replyStart, replyEnd, payloadStart, payloadEnd }: Message): boolean {
    if (this.ended || this.ending || replyEnd === replyStart) return false;
    const reply = bytes.slice(replyStart, replyEnd);
    this.alarm.cancel();
    this.waitingBytes += payloadEnd - payloadStart;
    if (this.waitingBytes > WAITING_BYTES_MAX) {
      const mistake = new ArchiveMistake('too many chunks were sent without waiting for answers');
      void this.endNext(reply, this.errorOf(mistake));
      return true;
    }
    const chunk = bytes.slice(payloadStart, payloadEnd);
    this.working = this.working.then(() => this.take(chunk, reply));
    return true;
  }

  private async take(chunk: Uint8Array, reply: Uint8Array): Promise<void> {
    this.waitingBytes -= chunk.length;
    if (this.ended || this.ending) return;
    // What came is worked on: patience is for what does not come.
    this.alarm.cancel();
    try {
      await this.streams.restores.turn();
      if (chunk.length === 0) {
        await this.finish(reply);
        return;
      }
      for (const part of this.unpack.push(chunk)) {
        await this.takePart(part);
        if (this.ending) return;
      }
      this.say(reply, NO_BYTES);
      const nowMs = this.streams.clock.nowMs();
      this.alarm.set(Math.min(nowMs + PATIENCE_MS, this.claimEndsMs));
    } catch (error) {
      await this.end(reply, this.errorOf(error));
    }
  }

  private async takePart(part: Uint8Array): Promise<void> {
    const { archive } = this;
    for (const entry of archive.push(part)) {
      await this.takeEntry(entry);
      this.giveBack();
      await this.streams.restores.turn();
    }
    this.checkRoom();
    if (archive.wantedBytes > SMALL_BYTES && this.claim === null) await this.makeRoom(archive.wantedBytes);
    await this.streams.restores.turn();
  }

  /** Waits until there is memory for a long entry: the chunk is answered then. */
  private async makeRoom(bytes: number): Promise<void> {
    const { clock, restores } = this.streams;
    const claim = restores.claim(bytes);
    this.claim = claim;
    const patience = clock.after(MEMORY_PATIENCE_MS, () => claim.end());
    const granted = await claim.granted;
    patience.cancel();
    if (!granted && !this.ending) throw apiError('insufficientResources');
    this.claimEndsMs = clock.nowMs() + LARGE_MS_MAX;
  }

  private giveBack(): void {
    this.claim?.end();
    this.claim = null;
    this.claimEndsMs = Number.POSITIVE_INFINITY;
  }

  /** What is compressed may be much more than what came: it counts as any other message does. */
  private checkRoom(): void {
    if (this.stream === null) return;
    const { config, log } = this.stream;
    const { memoryBytes, storeBytes } = this.streams.usage();
    const { memoryBytesMax, storeBytesMax } = this.streams.limits;
    const [used, max] = config.storage === 'memory' ? [memoryBytes, memoryBytesMax] : [storeBytes, storeBytesMax];
    if (max >= 0 && used + log.state.bytes > max)
      throw apiError(config.storage === 'memory' ? 'memoryResourcesExceeded' : 'storageResourcesExceeded');
  }

  private async takeEntry(entry: ArchiveEntry): Promise<void> {
    if (this.complete) throw new ArchiveMistake('there is more behind the end');
    const name = textOf(entry.name);
    if (this.stream === null) {
      if (name !== 'state.json') throw new ArchiveMistake('expected state.json first');
      const { first_seq = 1, last_seq = 0 } = parseJson(textOf(entry.payload)) as Record<string, number>;
      this.stream = await this.streams.beginRestore(this.request);
      if (first_seq > 1) this.stream.log.skipTo(first_seq);
      this.lastSequence = last_seq;
    } else if (entry.sequence === 0) {
      if (isEnd(entry)) this.complete = true;
      else if (name.startsWith('consumers/')) this.keepConsumer(name.slice('consumers/'.length), entry);
      else throw new ArchiveMistake('expected message sequence');
    } else await this.takeMessage(this.stream, entry);
  }

  /** They are made when all messages are there. */
  private keepConsumer(name: string, { payload }: ArchiveEntry): void {
    const bytes = CONSUMER_BYTES + payload.length;
    if (!this.streams.restores.keepConsumers(bytes)) throw new ArchiveMistake('there are too many consumers');
    this.consumersBytes += bytes;
    this.consumers.push([name, new Uint8Array(payload)]);
  }

  private async takeMessage({ log }: Stream, entry: ArchiveEntry): Promise<void> {
    const { sequence, timeMs, timeNs } = entry;
    if (sequence <= log.state.lastSequence) throw new ArchiveMistake(`message sequence ${sequence} out of order`);
    if (sequence > log.state.lastSequence + 1) log.skipTo(sequence);
    const message = messageOf(entry);
    let stored = log.append(message, { timeMs, timeNs });
    if (stored === REFUSED.BUSY) {
      await log.flush();
      stored = log.append(message, { timeMs, timeNs });
    }
    if (stored < 0) throw apiError('streamStoreFailed', { err: log.trouble?.message ?? 'message refused' });
  }

  private async finish(reply: Uint8Array): Promise<void> {
    const { stream } = this;
    if (stream === null || !this.complete) throw new ArchiveMistake('backup was truncated');
    if (stream.log.state.lastSequence < this.lastSequence) stream.log.skipTo(this.lastSequence + 1);
    await stream.log.flush();
    for (const [name, payload] of this.consumers) {
      const { config, state } = parseJson(textOf(payload)) as { config: ConsumerConfig; state: object };
      restoreConsumer(stream, { name, config, createdMs: stream.nowMs, state: stateOfArchive(state) });
      const { ledger, createdMs } = stream.consumers.get(name)!;
      await stream.store.saveConsumer({ name, config, createdMs }, () => ledger.state());
      stream.store.touch(name);
    }
    await this.streams.endRestore(stream);
    this.stop();
    this.say(reply, utf8(JSON.stringify({ type: TYPE, ...streamInfo(stream) })));
    const subject = `STREAM.RESTORE_COMPLETE.${stream.name}`;
    this.streams.advise(subject, 'restore_complete', { stream: stream.name, bytes: stream.log.state.bytes });
  }

  /** Gives up, and tells nobody. */
  giveUp(): Promise<void> {
    return this.endNext(null);
  }

  /** Ends behind what is being worked on. */
  private endNext(reply: Uint8Array | null, error?: ApiErrorJson): Promise<void> {
    this.ending = true;
    this.working = this.working.then(() => this.end(reply, error));
    // That may be waiting for it.
    this.claim?.end();
    return this.working;
  }

  /** Gives up: what was made of the stream goes. */
  private async end(reply: Uint8Array | null, error?: ApiErrorJson): Promise<void> {
    if (this.ended) return;
    this.stop();
    if (this.stream !== null) {
      await this.streams.abortRestore(this.stream).catch((failure) => {
        const name = JSON.stringify(this.request.name);
        this.streams.logger.error(`What was restored of stream ${name} was not removed: ${describe(failure)}`);
      });
    }
    if (reply !== null) this.say(reply, utf8(JSON.stringify({ type: TYPE, error })));
  }

  private stop(): void {
    this.ended = true;
    const { restores } = this.streams;
    restores.leave(this.streams);
    this.streams.restoring.delete(this);
    restores.forgetConsumers(this.consumersBytes);
    this.giveBack();
    this.alarm.cancel();
    this.streams.broker.unsubscribe(this.subscription);
  }

  private errorOf(error: unknown): ApiErrorJson {
    if (error instanceof ApiError) return error.json;
    const known = error instanceof S2Mistake || error instanceof ArchiveMistake || error instanceof SyntaxError;
    if (!known) this.streams.logger.error(`Restore of stream ${JSON.stringify(this.request.name)} failed: ${error}`);
    return errorJson('streamRestore', { err: (error as Error).message });
  }

  private say(reply: Uint8Array, payload: Uint8Array): void {
    this.streams.broker.publishDirect(composeMessage({ subject: reply, reply: null, headers: null, payload }));
  }
}

/** The message of an entry. The parts of a long one lie next to each other already, and stay where they are. */
function messageOf({ name, headers, payload }: ArchiveEntry): Message {
  const length = name.length + headers.length + payload.length;
  const bytesBehind = name.buffer.byteLength - name.byteOffset - length;
  if (length <= SMALL_BYTES || bytesBehind < WORD_SLACK_BYTES)
    return composeMessage({ subject: name, reply: null, headers, payload });
  const message = new Message();
  lookAt(message, new Uint8Array(name.buffer, name.byteOffset, length));
  message.subjectEnd = message.replyStart = message.replyEnd = message.headersStart = name.length;
  message.payloadStart = name.length + headers.length;
  message.payloadEnd = length;
  message.subjectHash = hashSubject(name, 0, name.length);
  return message;
}
