import { WITHHELD } from '../broker/hand-out.js';
import type { Giver } from '../host/delivery-chain.js';
import type { Message } from '../message/message.js';
import { StoredMessage } from '../storage/message-log.js';
import { AckClock } from './ack-clock.js';
import type { AckAddress, AckVerb } from './ack-message.js';
import { AckReply } from './ack-reply.js';
import { Alarm } from './alarm.js';
import type { ConsumerConfig } from './consumer-config.js';
import type { ConsumerCore, ConsumerOwner } from './consumer-owner.js';
import { filtersOf } from './consumer-rules.js';
import { Feed, firstAwaited, restOfStart, startOf } from './feed.js';
import { changeHeaders, HEADER } from './headers.js';
import { Ledger, type LedgerState } from './ledger.js';
import { type Changes, returnOutgoing, takeOutgoing } from './outgoing.js';
import type { Outlet } from './outlet.js';
import { Pin } from './pin.js';
import { PullOutlet } from './pull-outlet.js';
import { readPullRequest } from './pull-request.js';
import { PushOutlet } from './push-outlet.js';
import { isNever, parseTime } from './time.js';

export interface ConsumerParts {
  name: string;
  config: ConsumerConfig;
  createdMs: number;
  /** What was written down of it; null: it is new. */
  state: LedgerState | null;
}

/** Messages that go out before others get their turn. */
const BURST_MESSAGES = 512;

/**
 * A view of a stream that remembers what was given and acknowledged.
 *
 * ```text
 * log → feed (what is next) → outlet (who gets it) → broker
 *          ↑ again              ledger (given, pending, done) ← acknowledgements
 *       ack clock  ← time
 * ```
 */
export class Consumer implements ConsumerCore {
  readonly name: string;
  readonly createdMs: number;
  readonly ledger: Ledger;
  readonly feed: Feed;
  readonly pull: PullOutlet | null;
  readonly push: PushOutlet | null;
  readonly owner: ConsumerOwner;
  config: ConsumerConfig;
  closed = false;
  /** When a message was last given, and acknowledged; 0 is never. */
  deliveredMs = 0;
  ackedMs = 0;
  usedMs: number;
  private readonly outlet: Outlet;
  private readonly forgetInterest: () => void;
  private readonly acks: AckClock;
  private readonly unusedAlarm: Alarm;
  private readonly pauseAlarm: Alarm;
  private readonly replayAlarm: Alarm;
  /** Whose messages these are, for plugins. */
  private readonly giver: Giver;
  private readonly ackReply: AckReply;
  private resting = false;
  private giving = false;
  /** When it began to give what it gives now. */
  private nowMs = 0;
  /** Replay at the original pace: up to which sequence, when the last message was stored, and when it went out. */
  private replayUpTo: number;
  private replayStoredMs = 0;
  private replaySentMs = 0;

  constructor(owner: ConsumerOwner, { name, config, createdMs, state }: ConsumerParts) {
    const { surroundings, log } = owner;
    const { clock } = surroundings;
    this.owner = owner;
    this.name = name;
    this.config = config;
    this.createdMs = createdMs;
    this.usedMs = clock.nowMs();
    const { next, first } = state === null ? startOf(config, log) : { next: 1, first: [] };
    this.ledger = new Ledger(next, first[0]);
    if (state !== null) this.restoreLedger(state);
    this.feed = new Feed(log, this.ledger, config, state === null ? first : restOfStart(config, log, this.ledger));
    this.giver = { stream: owner.config.name, consumer: name };
    this.ackReply = new AckReply(owner.config.name, name);
    this.replayUpTo = config.replay_policy === 'original' ? log.state.lastSequence : 0;
    this.acks = new AckClock(this);
    this.unusedAlarm = new Alarm(clock, () => this.checkUnused());
    this.pauseAlarm = new Alarm(clock, () => this.onPauseOver());
    this.replayAlarm = new Alarm(clock, () => this.wake());
    const heartbeat = () => this.heartbeatHeaders();
    const pin = new Pin(surroundings, (kind, group, detail) => this.advisePin(kind, group, detail));
    this.pull = config.deliver_subject ? null : new PullOutlet(this, { clock, config, heartbeat, pin });
    const flowReply = () => `$JS.FC.${owner.config.name}.${name}.${surroundings.newId(8)}`;
    this.push = config.deliver_subject ? new PushOutlet(this, { clock, config, heartbeat, flowReply }) : null;
    this.outlet = this.pull ?? this.push!;
    this.forgetInterest =
      this.push === null ? () => {} : this.broker.watchInterest(({ filter }) => this.onInterest(filter));
    this.applyConfig();
    if (state !== null) this.acks.start();
  }

  private restoreLedger(state: LedgerState): void {
    const { log } = this.owner;
    const found = new StoredMessage();
    const last = Math.max(log.state.lastSequence, firstAwaited(this.config) - 1);
    this.ledger.restore(state, (sequence) => log.read(sequence, found), last);
  }

  get broker() {
    return this.owner.surroundings.broker;
  }

  get ackPending(): number {
    return this.ledger.pending.size;
  }

  get filters(): string[] {
    return filtersOf(this.config);
  }

  /** When it goes on, in ms; 0: it is not paused. */
  get pausedUntilMs(): number {
    const { pause_until } = this.config;
    if (pause_until === undefined || isNever(pause_until)) return 0;
    const { timeMs } = parseTime(pause_until);
    return timeMs > this.owner.surroundings.clock.nowMs() ? timeMs : 0;
  }

  /** Goes on with another configuration, which was checked. */
  configure(config: ConsumerConfig): void {
    const before = this.config;
    this.config = config;
    this.pull?.configure(config);
    this.push?.configure(config);
    if (filtersOf(before).join() !== this.filters.join()) this.feed.setFilters(config);
    this.applyConfig();
    this.acks.start();
    this.touch();
    this.owner.onChanged(this.name);
    this.wake();
  }

  private applyConfig(): void {
    const { priority_policy, priority_timeout = 0 } = this.config;
    this.pull?.pin.configure(priority_policy === 'pinned_client', priority_timeout / 1e6);
    if (this.pausedUntilMs > 0) {
      this.pauseAlarm.cancel();
      this.pauseAlarm.set(this.pausedUntilMs);
    }
    this.watchUse();
  }

  // ---- what happens to the stream ----

  onAppended(sequence: number, { bytes, subjectStart, subjectEnd }: Message): void {
    this.feed.onAppended(sequence, bytes, subjectStart, subjectEnd);
  }

  onRemoved(sequence: number, message: Message): void {
    this.feed.onRemoved(sequence, message);
    if (this.ledger.onRemoved(sequence)) this.owner.onChanged(this.name);
  }

  /** All messages below the log's first were removed. */
  onPurged(): void {
    const { firstSequence } = this.owner.log.state;
    this.ledger.onRemovedBelow(firstSequence);
    this.ledger.skipTo(firstSequence);
    this.feed.onPurged();
    this.owner.onChanged(this.name);
    this.wake();
  }

  /** Forgets what was given and acknowledged, and starts over at a sequence. */
  reset(sequence: number): void {
    this.ledger.reset(sequence);
    this.feed.reset();
    this.deliveredMs = this.ackedMs = 0;
    this.touch();
    this.owner.onChanged(this.name);
    this.wake();
  }

  // ---- giving ----

  /** Gives what can be given. */
  wake(): void {
    if (this.closed || this.resting) return;
    // Whoever is being given a message answers at once: what that changes is looked at when this is done.
    if (this.giving) {
      this.rest();
      return;
    }
    this.nowMs = this.owner.surroundings.clock.nowMs();
    if (this.pausedUntilMs > 0) {
      this.outlet.onIdle(false);
      return;
    }
    this.giving = true;
    try {
      this.giveSome();
    } finally {
      this.giving = false;
    }
  }

  private giveSome(): void {
    for (let given = 0; given < BURST_MESSAGES; given++) {
      const outcome = this.giveNext();
      if (outcome !== 'given') {
        this.outlet.onIdle(outcome === 'nothing');
        return;
      }
      // Plugins had their share of this turn of the event loop.
      if (this.broker.shouldRest) break;
    }
    this.rest();
  }

  private rest(): void {
    if (this.resting) return;
    this.resting = true;
    const goOn = () => {
      this.resting = false;
      this.wake();
    };
    if (this.broker.shouldRest) this.broker.nextTurn(goOn);
    else setImmediate(goOn);
  }

  private giveNext(): 'given' | 'nothing' | 'nobody' {
    if (!this.outlet.open) return 'nobody';
    const { feed, ledger } = this;
    const again = feed.peekAgain();
    if (again !== null) return this.give(again, ledger.deliveries(again.sequence) + 1) ? 'given' : 'nobody';
    const { max_ack_pending = 0, ack_policy } = this.config;
    if (ack_policy !== 'none' && max_ack_pending > 0 && ledger.pending.size >= max_ack_pending) {
      if (ack_policy === 'flow_control') this.push?.askFlow();
      return 'nobody';
    }
    const stored = feed.peekNew();
    if (stored === null) return 'nothing';
    if (this.mustWaitForReplay(stored)) return 'nobody';
    return this.give(stored, 1) ? 'given' : 'nobody';
  }

  /** Gives one message to whoever takes it; false when nobody does. */
  private give(stored: StoredMessage, deliveries: number): boolean {
    const { feed, ledger, outlet, ackReply } = this;
    const unseen = deliveries > 1 ? feed.unseen : Math.max(0, feed.unseen - 1);
    ackReply.write(stored, deliveries, ledger.delivered.consumer + 1, unseen);
    const { subjectStart, subjectEnd, headersStart, payloadEnd } = stored.message;
    const bytes = subjectEnd - subjectStart + ackReply.length + payloadEnd - headersStart;
    for (;;) {
      const address = outlet.addressFor(bytes, unseen + 1, this.nowMs);
      if (address === null) return false;
      const taken = this.giveTo(address, stored);
      if (taken === WITHHELD) {
        this.passOver(stored.sequence, deliveries > 1);
        return true;
      }
      if (taken === 0) {
        outlet.onLost();
        if (!outlet.open) return false;
        continue;
      }
      const { nowMs } = this;
      this.usedMs = this.deliveredMs = nowMs;
      const tracked = this.config.ack_policy !== 'none';
      ledger.deliver(stored.sequence, tracked, nowMs);
      if (deliveries > 1) feed.tookAgain();
      else feed.tookNew(stored.sequence);
      if (tracked) this.acks.onGiven(stored.sequence);
      else if (deliveries === 1) this.owner.onDone(this.name, stored.sequence);
      outlet.onSent(bytes, nowMs);
      this.owner.onChanged(this.name);
      return true;
    }
  }

  private giveTo(address: Message, { message }: StoredMessage): number {
    const outgoing = takeOutgoing();
    const composed = outgoing.compose(message, this.ackReply, this.changesOf(message));
    const taken = this.broker.deliverTo(address, composed, this.giver);
    returnOutgoing(outgoing);
    return taken;
  }

  /** Plugins kept the message from whoever asked: it counts as delivered and acknowledged, and whoever asked still waits for one. */
  private passOver(sequence: number, isAgain: boolean): void {
    if (isAgain) this.feed.tookAgain();
    else this.feed.tookNew(sequence);
    this.ledger.passOver(sequence);
    this.deliveredMs = this.ackedMs = this.nowMs;
    this.owner.onDone(this.name, sequence);
    this.owner.onChanged(this.name);
  }

  private changesOf(message: Message): Changes | undefined {
    const { headers_only } = this.config;
    const { header } = this.outlet;
    if (!headers_only && header === null) return undefined;
    const { bytes, headersStart, payloadStart, payloadEnd } = message;
    const size = ['Nats-Msg-Size', payloadEnd - payloadStart] as const;
    const added = [...(headers_only ? [size] : []), ...(header === null ? [] : [header])];
    const headers = changeHeaders(bytes.subarray(headersStart, payloadStart), [], added);
    return { headers, withoutPayload: headers_only ?? false };
  }

  /** Messages that were there before the consumer go out at the pace at which they came in. */
  private mustWaitForReplay({ sequence, timeMs }: StoredMessage): boolean {
    if (sequence > this.replayUpTo) return false;
    const nowMs = this.owner.surroundings.clock.nowMs();
    if (this.replaySentMs > 0) {
      const dueMs = this.replaySentMs + timeMs - this.replayStoredMs;
      if (dueMs > nowMs) {
        this.replayAlarm.set(dueMs);
        return true;
      }
      this.replaySentMs = dueMs;
    } else this.replaySentMs = nowMs;
    this.replayStoredMs = timeMs;
    return false;
  }

  private heartbeatHeaders(): [string, number][] {
    const { consumer, stream } = this.ledger.delivered;
    return [
      [HEADER.lastConsumer, consumer],
      [HEADER.lastStream, stream],
    ];
  }

  // ---- acknowledgements ----

  /** `reply` is empty when no answer is wanted. */
  onAck(address: AckAddress, verb: AckVerb, reply: Uint8Array): void {
    if (this.config.ack_policy === 'flow_control') return;
    this.touch();
    switch (verb.kind) {
      case 'ack':
        this.acks.acknowledge(address);
        break;
      case 'next':
        this.acks.acknowledge(address);
        this.onRequest(verb.request === '' ? '1' : verb.request, reply);
        return;
      case 'nak':
        this.acks.refuse(address, verb.delayMs);
        break;
      case 'progress':
        this.acks.progress(address.streamSequence);
        break;
      case 'term':
        this.acks.terminate(address, verb.reason);
        break;
    }
    // Mostly a batch is acknowledged before the next one is asked for.
    if (this.outlet.open) this.wake();
  }

  /** An answer to a flow control request, and how far whoever gave it has stored what it was given, if it says so. */
  onFlowReply(reply: string, consumerSequence: number, streamSequence: number): void {
    if (!this.push?.onFlowReply(reply)) return;
    if (this.config.ack_policy === 'flow_control' && streamSequence > 0)
      this.acks.acknowledge({ streamSequence, consumerSequence });
    this.wake();
  }

  /** A pull request; a push consumer refuses it. */
  onRequest(payload: string, reply: Uint8Array): void {
    if (this.pull === null || reply.length === 0) return;
    const request = readPullRequest(payload, reply, this.owner.surroundings.clock.nowMs());
    if (typeof request === 'string') this.pull.refuse(reply, `400 Bad Request - ${request}`);
    else this.pull.request(request, this.feed.unseen + this.feed.againCount);
  }

  // ---- its life ----

  touch(): void {
    this.usedMs = this.owner.surroundings.clock.nowMs();
  }

  /** A subscription came or went. */
  private onInterest(filter: string): void {
    if (this.push === null || !this.push.concerns(filter) || !this.push.checkInterest()) return;
    this.touch();
    this.watchUse();
    if (this.push.active) this.wake();
  }

  /** How long it may be unused, in ms; 0 is for ever. */
  private get unusedMsMax(): number {
    return (this.config.inactive_threshold ?? 0) / 1e6;
  }

  private get inUse(): boolean {
    return this.push === null ? this.pull!.waiting > 0 : this.push.active;
  }

  private watchUse(): void {
    this.unusedAlarm.cancel();
    if (this.unusedMsMax > 0 && !this.closed) this.unusedAlarm.set(this.usedMs + this.unusedMsMax);
  }

  private checkUnused(): void {
    const { clock } = this.owner.surroundings;
    if (this.inUse) {
      this.touch();
      // Whoever goes away is noticed by a push consumer at once, by a pull consumer when it looks.
      if (this.push === null) this.watchUse();
    } else if (clock.nowMs() >= this.usedMs + this.unusedMsMax) this.owner.onUnused(this.name);
    else this.watchUse();
  }

  private onPauseOver(): void {
    if (this.pausedUntilMs > 0) this.pauseAlarm.set(this.pausedUntilMs);
    else {
      this.advisePause();
      this.wake();
    }
  }

  /** Tells whether it is paused. */
  advisePause(): void {
    const { name, owner, pausedUntilMs } = this;
    const until = isNever(this.config.pause_until) ? {} : { pause_until: this.config.pause_until };
    owner.surroundings.advise(`CONSUMER.PAUSE.${owner.config.name}.${name}`, 'consumer_pause', {
      stream: owner.config.name,
      consumer: name,
      paused: pausedUntilMs > 0,
      ...until,
    });
  }

  private advisePin(kind: 'pinned' | 'unpinned', group: string, detail: string): void {
    const { name, owner } = this;
    // Others may have what comes now.
    if (kind === 'unpinned') this.rest();
    const subject = `CONSUMER.${kind === 'pinned' ? 'PINNED' : 'UNPINNED'}.${owner.config.name}.${name}`;
    owner.surroundings.advise(subject, `consumer_group_${kind}`, {
      stream: owner.config.name,
      consumer: name,
      group,
      ...(kind === 'pinned' ? { pinned_id: detail } : { reason: detail }),
    });
  }

  /** Stops at once; waiting requests are told why. */
  close(statusLine: string): void {
    if (this.closed) return;
    this.closed = true;
    this.forgetInterest();
    this.acks.close();
    this.unusedAlarm.cancel();
    this.pauseAlarm.cancel();
    this.replayAlarm.cancel();
    this.outlet.close(statusLine);
  }
}
