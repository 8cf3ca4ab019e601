import { textOf, utf8 } from '../base/bytes.js';
import { describe } from '../base/failure.js';
import { parseJson } from '../base/json.js';
import { type Leg, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message } from '../message/message.js';
import { REFUSED } from '../storage/message-log.js';
import { Alarm } from './alarm.js';
import { ApiError, type ApiErrorJson, apiError, errorJson } from './api-error.js';
import { type ArchiveEntry, ArchiveMistake, ArchiveReader, isEnd } from './archive.js';
import type { ConsumerConfig } from './consumer-config.js';
import { restoreConsumer } from './consumers.js';
import { S2Mistake, S2Reader } from './s2.js';
import { stateOfArchive } from './snapshot.js';
import type { Stream } from './stream.js';
import type { StreamRequest } from './stream-config.js';
import { streamInfo } from './stream-info.js';
import type { Streams } from './streams.js';

/** A transfer that nothing comes for is given up. */
const PATIENCE_MS = 5_000;
/** Chunks that may wait to be worked on. Who waits for answers, as it is meant, has a few of them under way. */
const WAITING_BYTES_MAX = 32 * 1024 * 1024;
/** What is worked on until others get their turn: what comes is compressed, and a little may be very much. */
const TURN_NS = 5_000_000;
/** Restores of one account at a time: each may hold what one record may. */
const RESTORES_MAX = 8;
/** Of their configurations and states, with about what an object costs for each. */
const CONSUMERS_BYTES_MAX = 64 * 1024 * 1024;
const CONSUMER_BYTES = 512;
const underWay = new WeakMap<Streams, number>();
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
  private readonly consumers: [string, ArchiveEntry][] = [];
  private working: Promise<void> = Promise.resolve();
  private waitingBytes = 0;
  private stream: Stream | null = null;
  private lastSequence = 0;
  private consumersBytes = 0;
  private complete = false;
  /** Too much came at once: it is about to end. */
  private overrun = false;
  private turnNs = 0;
  private ended = false;

  /** Throws an `ApiError` when others are at it already. */
  constructor(streams: Streams, request: StreamRequest) {
    const others = underWay.get(streams) ?? 0;
    if (others >= RESTORES_MAX) throw apiError('insufficientResources');
    underWay.set(streams, others + 1);
    this.streams = streams;
    this.request = request;
    this.deliverSubject = `$JS.SNAPSHOT.RESTORE.${request.name}.${streams.newId(22)}`;
    this.subscription = new Subscription(this, utf8(this.deliverSubject), null, utf8('restore'));
    this.alarm = new Alarm(streams.clock, () => void this.end(null));
    streams.broker.subscribe(this.subscription);
    this.alarm.set(streams.clock.nowMs() + PATIENCE_MS);
  }

  deliver(_leg: Leg, { bytes, replyStart, replyEnd, payloadStart, payloadEnd }: Message): boolean {
    if (this.ended || this.overrun || replyEnd === replyStart) return false;
    const reply = bytes.slice(replyStart, replyEnd);
    this.alarm.cancel();
    this.waitingBytes += payloadEnd - payloadStart;
    if (this.waitingBytes > WAITING_BYTES_MAX) {
      const mistake = new ArchiveMistake('too many chunks were sent without waiting for answers');
      this.working = this.working.then(() => this.end(reply, this.errorOf(mistake)));
      this.overrun = true;
      return true;
    }
    const chunk = bytes.slice(payloadStart, payloadEnd);
    this.working = this.working.then(() => this.take(chunk, reply));
    return true;
  }

  private async take(chunk: Uint8Array, reply: Uint8Array): Promise<void> {
    this.waitingBytes -= chunk.length;
    if (this.ended || this.overrun) return;
    // What came is worked on: patience is for what does not come.
    this.alarm.cancel();
    try {
      if (chunk.length === 0) {
        await this.finish(reply);
        return;
      }
      for (const part of this.unpack.push(chunk)) {
        for (const entry of this.archive.push(part)) {
          await this.takeEntry(entry);
          await this.rest();
        }
        this.checkRoom();
        await this.rest();
      }
      this.say(reply, new Uint8Array(0));
      this.alarm.set(this.streams.clock.nowMs() + PATIENCE_MS);
    } catch (error) {
      await this.end(reply, this.errorOf(error));
    }
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

  /** Others get their turn when this one had its share. */
  private rest(): Promise<void> | undefined {
    const nowNs = this.streams.clock.monotonicNs();
    if (nowNs - this.turnNs < TURN_NS) return;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.turnNs = this.streams.clock.monotonicNs();
        resolve();
      });
    });
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
  private keepConsumer(name: string, entry: ArchiveEntry): void {
    this.consumersBytes += CONSUMER_BYTES + entry.payload.length;
    if (this.consumersBytes > CONSUMERS_BYTES_MAX) throw new ArchiveMistake('there are too many consumers');
    this.consumers.push([name, entry]);
  }

  private async takeMessage({ log }: Stream, entry: ArchiveEntry): Promise<void> {
    const { name, sequence, timeMs, timeNs, headers, payload } = entry;
    if (sequence <= log.state.lastSequence) throw new ArchiveMistake(`message sequence ${sequence} out of order`);
    if (sequence > log.state.lastSequence + 1) log.skipTo(sequence);
    const message = composeMessage({ subject: name, reply: null, headers, payload });
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
    for (const [name, { payload }] of this.consumers) {
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
    underWay.set(this.streams, underWay.get(this.streams)! - 1);
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
