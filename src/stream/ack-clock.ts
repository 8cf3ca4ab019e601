import type { AckAddress } from './ack-message.js';
import { Alarm } from './alarm.js';
import type { ConsumerCore } from './consumer-owner.js';

/** Not before this: many acknowledgements that are due within it are dealt with together. */
const GRAIN_MS = 10;

/** Deals with acknowledgements, and with those that do not come in time. */
export class AckClock {
  private readonly consumer: ConsumerCore;
  private readonly alarm: Alarm;

  constructor(consumer: ConsumerCore) {
    this.consumer = consumer;
    this.alarm = new Alarm(consumer.owner.surroundings.clock, () => this.onTime());
  }

  /** Looks when something is due. */
  start(): void {
    if (this.waits && this.consumer.ledger.pending.size > 0) this.alarm.set(this.nowMs + GRAIN_MS);
  }

  close(): void {
    this.alarm.cancel();
  }

  onGiven(sequence: number): void {
    if (this.waits) this.alarm.set(this.consumer.deliveredMs + this.waitMs(sequence));
  }

  /** Whoever answers flow control asks for what it missed by a reset. */
  private get waits(): boolean {
    return this.consumer.config.ack_policy !== 'flow_control';
  }

  acknowledge({ streamSequence, consumerSequence }: Pick<AckAddress, 'streamSequence' | 'consumerSequence'>): void {
    const { ledger, config, feed, owner } = this.consumer;
    this.consumer.ackedMs = this.consumer.usedMs;
    if (config.ack_policy === 'all' || config.ack_policy === 'flow_control') {
      for (const sequence of ledger.settleUpTo(streamSequence, consumerSequence)) {
        feed.forgetAgain(sequence);
        owner.onDone(this.consumer.name, sequence);
      }
      owner.onChanged(this.consumer.name);
      return;
    }
    this.settle(streamSequence, this.sampleOf(streamSequence));
  }

  /** Not acknowledged: the message comes again, now or after a while. */
  refuse({ streamSequence, consumerSequence, deliveries }: AckAddress, delayMs: number): void {
    const { ledger, feed, owner, config } = this.consumer;
    const entry = ledger.pending.get(streamSequence);
    if (entry === undefined) return;
    this.advise('CONSUMER.MSG_NAKED', 'nak', {
      consumer_seq: consumerSequence,
      stream_seq: streamSequence,
      deliveries,
    });
    if (delayMs > 0) {
      feed.forgetAgain(streamSequence);
      entry.deliveredMs = this.nowMs + delayMs - this.waitMs(streamSequence);
      this.alarm.set(this.nowMs + delayMs);
    } else if (!this.isExhausted(streamSequence)) feed.giveAgain(streamSequence);
    if (config.ack_policy !== 'none') owner.onChanged(this.consumer.name);
  }

  progress(sequence: number): void {
    const entry = this.consumer.ledger.pending.get(sequence);
    if (entry === undefined) return;
    entry.deliveredMs = this.nowMs;
    this.consumer.feed.forgetAgain(sequence);
  }

  terminate({ streamSequence, consumerSequence, deliveries }: AckAddress, reason: string): void {
    if (!this.consumer.ledger.pending.has(streamSequence)) return;
    this.advise('CONSUMER.MSG_TERMINATED', 'terminated', {
      consumer_seq: consumerSequence,
      stream_seq: streamSequence,
      deliveries,
      ...(reason === '' ? {} : { reason }),
    });
    this.settle(streamSequence, null);
  }

  private settle(sequence: number, sample: (() => void) | null): void {
    const { ledger, feed, owner } = this.consumer;
    // One that was given up after too many deliveries may still be acknowledged: then it is done.
    if (!ledger.settle(sequence) && !ledger.redeliveries.delete(sequence)) return;
    feed.forgetAgain(sequence);
    sample?.();
    owner.onDone(this.consumer.name, sequence);
    owner.onChanged(this.consumer.name);
  }

  /** For some messages, as many as the configuration says, it is told how long the acknowledgement took. */
  private sampleOf(sequence: number): (() => void) | null {
    const { sample_freq = '' } = this.consumer.config;
    const entry = this.consumer.ledger.pending.get(sequence);
    const percent = Number.parseInt(sample_freq, 10);
    if (entry === undefined || !(percent > 0)) return null;
    if (percent < 100 && sequence % 100 >= percent) return null;
    const { name, owner, ledger } = this.consumer;
    const { consumerSequence, deliveredMs } = entry;
    const deliveries = ledger.deliveries(sequence);
    return () =>
      owner.surroundings.measure(`CONSUMER.ACK.${owner.config.name}.${name}`, 'consumer_ack', {
        stream: owner.config.name,
        consumer: name,
        consumer_seq: consumerSequence,
        stream_seq: sequence,
        ack_time: Math.round((this.nowMs - deliveredMs) * 1e6),
        deliveries,
      });
  }

  private get nowMs(): number {
    return this.consumer.owner.surroundings.clock.nowMs();
  }

  /** How long the last delivery of a message waits for its acknowledgement. */
  private waitMs(sequence: number): number {
    const { backoff = [], ack_wait = 0 } = this.consumer.config;
    if (backoff.length === 0) return ack_wait / 1e6;
    const redeliveries = this.consumer.ledger.redeliveries.get(sequence) ?? 0;
    return backoff[Math.min(redeliveries, backoff.length - 1)] / 1e6;
  }

  /** Messages whose time is over come again, lowest first; others are looked at when theirs is. */
  private onTime(): void {
    const { ledger, feed } = this.consumer;
    const nowMs = this.nowMs;
    let nextMs = Number.POSITIVE_INFINITY;
    const over: number[] = [];
    for (const [sequence, entry] of ledger.pending) {
      if (feed.isAgain(sequence)) continue;
      const dueMs = entry.deliveredMs + this.waitMs(sequence);
      if (dueMs <= nowMs) over.push(sequence);
      else nextMs = Math.min(nextMs, dueMs);
    }
    for (const sequence of over) if (!this.isExhausted(sequence)) feed.giveAgain(sequence);
    this.alarm.set(Math.max(nextMs, nowMs + GRAIN_MS));
    if (over.length > 0) this.consumer.wake();
  }

  /** Whether a message was given as often as it may be; then it is given up. */
  private isExhausted(sequence: number): boolean {
    const { ledger, config, owner, feed } = this.consumer;
    const deliveries = ledger.deliveries(sequence);
    if (config.max_deliver <= 0 || deliveries < config.max_deliver) return false;
    ledger.giveUp(sequence);
    feed.forgetAgain(sequence);
    owner.onChanged(this.consumer.name);
    this.advise('CONSUMER.MAX_DELIVERIES', 'max_deliver', { stream_seq: sequence, deliveries });
    return true;
  }

  private advise(event: string, type: string, fields: object): void {
    const { name, owner } = this.consumer;
    const subject = `${event}.${owner.config.name}.${name}`;
    owner.surroundings.advise(subject, type, { stream: owner.config.name, consumer: name, ...fields });
  }
}
