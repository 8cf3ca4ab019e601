import { utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { filterMatches, hasWildcard } from '../subject/subject.js';
import { Alarm } from './alarm.js';
import type { ConsumerConfig } from './consumer-config.js';
import { FlowWindow } from './flow-window.js';
import { HEADER, status } from './headers.js';
import type { Outlet, OutletOwner } from './outlet.js';
import type { HeartbeatHeaders } from './pull-outlet.js';

/** Until it is tried again when somebody listens and does not take a message. */
const REFUSED_MS = 100;

/** Hands messages to whoever listens on the deliver subject, as fast as flow control and rate limit let it. */
export class PushOutlet implements Outlet {
  readonly header = null;
  /** Whether anybody listens. */
  active = false;
  private readonly owner: OutletOwner;
  private readonly clock: Clock;
  private readonly heartbeat: HeartbeatHeaders;
  private readonly heartbeatAlarm: Alarm;
  private readonly rateAlarm: Alarm;
  private readonly flow: FlowWindow | null;
  private readonly newFlowReply: () => string;
  private config: ConsumerConfig;
  private subject: string;
  private address: Message;
  /** Not before this the next message goes out: the rate limit, or nobody took the last one. */
  private nextMs = 0;
  private saidMs = 0;

  constructor(
    owner: OutletOwner,
    parts: { clock: Clock; config: ConsumerConfig; heartbeat: HeartbeatHeaders; flowReply: () => string },
  ) {
    const { clock, config } = parts;
    this.owner = owner;
    this.clock = clock;
    this.heartbeat = parts.heartbeat;
    this.newFlowReply = parts.flowReply;
    this.config = config;
    this.subject = config.deliver_subject!;
    this.address = addressOf(this.subject);
    this.flow = config.flow_control ? new FlowWindow() : null;
    this.heartbeatAlarm = new Alarm(clock, () => this.beat());
    this.rateAlarm = new Alarm(clock, () => owner.wake());
    this.saidMs = clock.nowMs();
    this.checkInterest();
    if (config.idle_heartbeat) this.heartbeatAlarm.set(this.saidMs + config.idle_heartbeat / 1e6);
  }

  get open(): boolean {
    if (!this.active || this.flow?.stalled) return false;
    if (this.nextMs === 0 || this.nextMs <= this.clock.nowMs()) return true;
    this.rateAlarm.set(this.nextMs);
    return false;
  }

  configure(config: ConsumerConfig): void {
    this.config = config;
    this.subject = config.deliver_subject!;
    this.address = addressOf(this.subject);
    this.checkInterest();
  }

  /** Whether a subscription's filter has to do with this outlet. */
  concerns(filter: string): boolean {
    return filter === this.subject || (hasWildcard(filter) && filterMatches(filter, this.subject));
  }

  /** Looks whether anybody listens; true when that changed. */
  checkInterest(): boolean {
    const active = this.owner.broker.hasInterestIn(this.address);
    if (active === this.active) return false;
    this.active = active;
    // Whoever comes back knows nothing of a flow control request that was under way.
    if (!active) this.flow?.reset();
    return true;
  }

  addressFor(): Message | null {
    return this.open ? this.address : null;
  }

  onSent(bytes: number, nowMs: number): void {
    this.saidMs = nowMs;
    const { rate_limit_bps: rate = 0 } = this.config;
    if (rate > 0) this.nextMs = Math.max(this.nextMs, nowMs) + (bytes * 8000) / rate;
    if (this.flow?.add(bytes)) this.askFlow();
  }

  onLost(): void {
    if (!this.checkInterest()) this.nextMs = this.clock.nowMs() + REFUSED_MS;
  }

  onIdle(): void {}

  /** An answer to a flow control request came in; whether it is the one that is waited for. */
  onFlowReply(reply: string): boolean {
    return this.flow?.answered(reply) ?? false;
  }

  close(): void {
    this.heartbeatAlarm.cancel();
    this.rateAlarm.cancel();
  }

  /** Asks for an answer, unless one is waited for. */
  askFlow(): void {
    if (this.flow === null || this.flow.reply !== '') return;
    const reply = this.newFlowReply();
    this.flow.asked(reply);
    this.say(status('100 FlowControl Request'), utf8(reply));
  }

  private beat(): void {
    const everyMs = (this.config.idle_heartbeat ?? 0) / 1e6;
    const nowMs = this.clock.nowMs();
    if (nowMs >= this.saidMs + everyMs) {
      this.saidMs = nowMs;
      if (this.active) {
        const asked = this.flow?.reply ? [[HEADER.consumerStalled, this.flow.reply] as const] : [];
        this.say(status('100 Idle Heartbeat', [...this.heartbeat(), ...asked]), null);
        if (this.config.ack_policy === 'flow_control' && this.owner.ackPending > 0) this.askFlow();
      }
    }
    this.heartbeatAlarm.set(this.saidMs + everyMs);
  }

  private say(headers: Uint8Array, reply: Uint8Array | null): void {
    this.owner.broker.publishDirect(composeMessage({ subject: utf8(this.subject), reply, headers, payload: NO_BYTES }));
  }
}

function addressOf(subject: string): Message {
  return composeMessage({ subject: utf8(subject), reply: null, headers: null, payload: NO_BYTES });
}
