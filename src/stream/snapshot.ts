import { utf8 } from '../base/bytes.js';
import { type Leg, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { StoredMessage } from '../storage/message-log.js';
import { Alarm } from './alarm.js';
import { type ArchiveEntry, archiveEntry, archiveHead } from './archive.js';
import { inConsumerOrder } from './consumer-config.js';
import { status } from './headers.js';
import type { LedgerState } from './ledger.js';
import { s2Chunks, s2Head } from './s2.js';
import type { Stream } from './stream.js';
import { streamState } from './stream-info.js';

/** How a stream's snapshot is to be sent. */
export interface SnapshotWish {
  deliverSubject: string;
  withConsumers: boolean;
  chunkBytes: number;
  windowBytes: number;
}

const PATIENCE_MS = 5_000;
/** Until somebody listens. */
const INTEREST_MS = 2_000;
/** Messages that are read before others get their turn. */
const BURST_MESSAGES = 200;

/** Sends a stream, its consumers and its messages as an archive, in chunks whose receiver says that it goes on. */
export class SnapshotSender implements Subscriber {
  private readonly stream: Stream;
  private readonly wish: SnapshotWish;
  private readonly address: Message;
  private readonly ackPrefix: string;
  private readonly subscription: Subscription;
  private readonly alarm: Alarm;
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private slots: number;
  private index = 0;
  private late = false;
  private wake: (() => void) | null = null;

  constructor(stream: Stream, wish: SnapshotWish) {
    const { broker, clock, newId } = stream.surroundings;
    this.stream = stream;
    this.wish = wish;
    this.slots = Math.max(1, Math.floor(wish.windowBytes / wish.chunkBytes));
    this.address = composeMessage({
      subject: utf8(wish.deliverSubject),
      reply: null,
      headers: null,
      payload: NO_BYTES,
    });
    this.ackPrefix = `$JS.SNAPSHOT.ACK.${stream.name}.${newId.call(stream.surroundings, 8)}`;
    this.subscription = new Subscription(this, utf8(`${this.ackPrefix}.>`), null, utf8('snapshot'));
    this.alarm = new Alarm(clock, () => {
      this.late = true;
      this.wake?.();
    });
    broker.subscribe(this.subscription);
  }

  /** Resolves when it is sent; with the status line that says why it was not. */
  async send(): Promise<string | null> {
    await this.interest();
    const problem = await this.sendAll();
    this.alarm.cancel();
    this.stream.surroundings.broker.unsubscribe(this.subscription);
    this.publish(NO_BYTES, null, status(problem ?? '204'));
    return problem;
  }

  /** Clients listen only when they have the answer to their request; a wildcard that they had before is not it. */
  private async interest(): Promise<void> {
    const { broker, clock } = this.stream.surroundings;
    const { deliverSubject } = this.wish;
    if (broker.routeOf(this.address).legs.some(({ subscription }) => subscription.filter === deliverSubject)) return;
    await new Promise<void>((resolve) => {
      const timer = clock.after(INTEREST_MS, () => done());
      const forget = broker.watchInterest(({ filter }, added) => {
        if (added && filter === deliverSubject) done();
      });
      const done = () => {
        timer.cancel();
        forget();
        resolve();
      };
    });
  }

  /** The receiver took a chunk. */
  deliver(_leg: Leg): boolean {
    this.slots++;
    this.alarm.cancel();
    this.wake?.();
    return true;
  }

  private async sendAll(): Promise<string | null> {
    this.push(s2Head());
    this.pushArchive(archiveHead());
    for (const entry of this.headEntries()) this.pushArchive(archiveEntry(entry));
    const { log } = this.stream;
    const { lastSequence, firstSequence } = log.state;
    const found = new StoredMessage();
    let from = firstSequence;
    for (let read = 1; log.next(from, null, found) && found.sequence <= lastSequence; read++) {
      from = found.sequence + 1;
      this.pushArchive(archiveEntry(entryOf(found)));
      if (read % BURST_MESSAGES === 0) {
        const problem = await this.flush(false);
        if (problem !== null) return problem;
        await new Promise<void>((resolve) => setImmediate(resolve));
        if (this.stream.closed) return '500 stream closed';
      }
    }
    const nothing = new Uint8Array(0);
    this.pushArchive(
      archiveEntry({ name: nothing, timeMs: 0, timeNs: 0, sequence: 0, headers: nothing, payload: nothing }),
    );
    return this.flush(true);
  }

  private *headEntries(): Generator<ArchiveEntry> {
    const { stream, wish } = this;
    const consumers = wish.withConsumers ? [...stream.consumers.values()].filter(({ config }) => !config.direct) : [];
    yield this.jsonEntry('state.json', { ...streamState(stream), consumer_count: consumers.length });
    for (const { name, config, ledger } of consumers)
      yield this.jsonEntry(`consumers/${name}`, {
        config: inConsumerOrder(config),
        state: archivedState(ledger.state()),
      });
  }

  private jsonEntry(name: string, value: object): ArchiveEntry {
    const payload = utf8(JSON.stringify(value));
    return { name: utf8(name), timeMs: this.stream.nowMs, timeNs: 0, sequence: 0, headers: NO_BYTES, payload };
  }

  private pushArchive(bytes: Uint8Array): void {
    this.push(s2Chunks(bytes));
  }

  private push(bytes: Uint8Array): void {
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
  }

  /** Sends full chunks, at the end also what is left. */
  private async flush(all: boolean): Promise<string | null> {
    const { chunkBytes } = this.wish;
    if (this.pendingBytes < chunkBytes && !all) return null;
    let bytes: Uint8Array = Buffer.concat(this.pending);
    while (bytes.length >= chunkBytes) {
      const problem = await this.slot();
      if (problem !== null) return problem;
      this.slots--;
      this.publish(bytes.subarray(0, chunkBytes), `${this.ackPrefix}.${chunkBytes}.${++this.index}`, null);
      bytes = bytes.subarray(chunkBytes);
    }
    if (all && bytes.length > 0) this.publish(bytes, null, null);
    this.pending = all ? [] : [Uint8Array.from(bytes)];
    this.pendingBytes = all ? 0 : bytes.length;
    return null;
  }

  private async slot(): Promise<string | null> {
    const { broker, clock } = this.stream.surroundings;
    while (this.slots <= 0) {
      this.alarm.set(clock.nowMs() + PATIENCE_MS);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      if (this.late) return '408 No Flow Response';
    }
    return broker.hasInterestIn(this.address) ? null : '408 No Interest';
  }

  private publish(payload: Uint8Array, reply: string | null, headers: Uint8Array | null): void {
    const subject = utf8(this.wish.deliverSubject);
    const message = composeMessage({ subject, reply: reply === null ? null : utf8(reply), headers, payload });
    this.stream.surroundings.broker.publishDirect(message);
  }
}

function entryOf({ message, sequence, timeMs, timeNs }: StoredMessage): ArchiveEntry {
  const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
  return {
    name: bytes.subarray(subjectStart, subjectEnd),
    ...{ timeMs, timeNs, sequence },
    headers: bytes.subarray(headersStart, payloadStart),
    payload: bytes.subarray(payloadStart, payloadEnd),
  };
}

/** A consumer's state as archives hold it. */
interface ArchivedState {
  delivered?: { consumer_seq?: number; stream_seq?: number };
  ack_floor?: { consumer_seq?: number; stream_seq?: number };
  pending?: Record<string, { Sequence: number; Timestamp: number }>;
  redelivered?: Record<string, number>;
}

function archivedState({ delivered, floor, pending, redelivered }: LedgerState): ArchivedState {
  return {
    delivered: { consumer_seq: delivered.consumer, stream_seq: delivered.stream },
    ack_floor: { consumer_seq: floor.consumer, stream_seq: floor.stream },
    pending: Object.fromEntries(
      pending.map(([sequence, own, timeMs]) => [sequence, { Sequence: own, Timestamp: timeMs * 1e6 }]),
    ),
    redelivered: Object.fromEntries(redelivered),
  };
}

/** The state of a consumer of an archive. */
export function stateOfArchive({ delivered, ack_floor, pending = {}, redelivered = {} }: ArchivedState): LedgerState {
  const position = (from: ArchivedState['delivered']) => ({
    consumer: from?.consumer_seq ?? 0,
    stream: from?.stream_seq ?? 0,
  });
  const byNumber = <T>(values: Record<string, T>): [number, T][] =>
    Object.entries(values)
      .map(([sequence, value]): [number, T] => [Number(sequence), value])
      .sort(([one], [other]) => one - other);
  return {
    next: position(delivered).stream + 1,
    starting: false,
    delivered: position(delivered),
    floor: position(ack_floor),
    pending: byNumber(pending).map(([sequence, { Sequence, Timestamp }]) => [sequence, Sequence, Timestamp / 1e6]),
    redelivered: byNumber(redelivered),
  };
}
