import type { Clock } from '../base/clock.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { Alarm } from './alarm.js';
import type { ConsumerConfig } from './consumer-config.js';
import { status } from './headers.js';
import type { Outlet, OutletOwner } from './outlet.js';
import type { Pin } from './pin.js';
import { PullQueue } from './pull-queue.js';
import type { PullRequest } from './pull-request.js';
import { durationText } from './time.js';

/** What a heartbeat says about the consumer. */
export type HeartbeatHeaders = () => readonly (readonly [string, number])[];

/** Hands messages to the clients that asked for them, a request at a time in turn. */
export class PullOutlet implements Outlet {
  readonly pin: Pin;
  private readonly owner: OutletOwner;
  private readonly clock: Clock;
  private readonly heartbeat: HeartbeatHeaders;
  private readonly alarm: Alarm;
  private config: ConsumerConfig;
  private queue: PullQueue;
  /** The place of the request that `addressFor` chose. */
  private chosen = 0;

  constructor(
    owner: OutletOwner,
    parts: { clock: Clock; config: ConsumerConfig; heartbeat: HeartbeatHeaders; pin: Pin },
  ) {
    this.owner = owner;
    this.clock = parts.clock;
    this.config = parts.config;
    this.heartbeat = parts.heartbeat;
    this.pin = parts.pin;
    this.queue = new PullQueue(parts.config.priority_policy === 'prioritized');
    this.alarm = new Alarm(parts.clock, () => this.onIdle(true));
  }

  get open(): boolean {
    return this.queue.length > 0;
  }

  get waiting(): number {
    this.dropLost();
    return this.queue.length;
  }

  get header(): readonly [string, string] | null {
    return this.pin.header;
  }

  configure(config: ConsumerConfig): void {
    this.config = config;
  }

  /** Takes a request, or refuses it; `unseen` messages could be given now. */
  request(request: PullRequest, unseen: number): void {
    const refusal = this.whyNot(request) ?? this.pin.refuse(request) ?? this.whyNotNow(request, unseen);
    this.owner.touch();
    if (refusal === null && request.expiresNs < 0) this.tell(request, '408 Request Timeout', true);
    else if (refusal === null) {
      this.queue.add(request);
      this.alarm.set(Math.min(request.expiresMs, request.nextHeartbeatMs));
      this.owner.wake();
    } else if (refusal !== '') this.tell(request, refusal);
  }

  /** Why there is no place or no message for a request; '' is to say nothing. */
  private whyNotNow({ noWait, expiresNs, heartbeatMs }: PullRequest, unseen: number): string | null {
    if (noWait && unseen === 0 && expiresNs === 0) return '404 No Messages';
    if (noWait && unseen > 0 && unseen < this.queue.wanted) return '408 Requests Pending';
    const { max_waiting = 0 } = this.config;
    if (this.queue.length >= max_waiting) this.dropLost();
    if (this.queue.length < max_waiting) return null;
    // A client that listens to heartbeats finds out by itself; told at once, it would ask again at once.
    return heartbeatMs > 0 ? '' : '409 Exceeded MaxWaiting';
  }

  private whyNot({ remaining, expiresNs, bytesRemaining, bytesLimited, ...request }: PullRequest): string | null {
    const { max_batch = 0, max_expires = 0, max_bytes = 0, priority_policy = 'none', priority_groups } = this.config;
    if (max_batch > 0 && remaining > max_batch) return `409 Exceeded MaxRequestBatch of ${max_batch}`;
    if (max_expires > 0 && expiresNs > max_expires)
      return `409 Exceeded MaxRequestExpires of ${durationText(max_expires)}`;
    if (bytesLimited && max_bytes > 0 && bytesRemaining > max_bytes)
      return `409 Exceeded MaxRequestMaxBytes of ${max_bytes}`;
    const { minPending, minAckPending, pinId, priority, group, formal } = request;
    if ((minPending !== 0 || minAckPending !== 0) && priority_policy !== 'overflow')
      return '400 Bad Request - Not a Overflow Priority consumer';
    if (pinId !== '' && priority_policy !== 'pinned_client')
      return '400 Bad Request - Not a Pinned Client Priority consumer';
    if (priority < 0 || priority > 9) return '400 Bad Request - Priority must be between 0 and 9';
    if (priority_policy === 'none' || !formal) return null;
    if (group === '') return '400 Bad Request - Priority Group missing';
    return priority_groups?.includes(group) ? null : '400 Bad Request - Invalid Priority Group';
  }

  addressFor(bytes: number, unseen: number, nowMs: number): Message | null {
    const { queue, pin } = this;
    for (let i = 0; i < queue.length; ) {
      const request = queue.at(i);
      if (request.expiresMs <= nowMs) {
        this.end(i, '408 Request Timeout');
        continue;
      }
      const pinned = pin.admits(request);
      if (pinned === 'wrong') {
        this.end(i, '423 Nats-Wrong-Pin-Id');
        continue;
      }
      if (pinned === 'later' || !overflows(request, unseen, this.owner.ackPending)) {
        i++;
        continue;
      }
      if (request.bytesLimited && bytes > request.bytesRemaining) {
        this.end(i, '409 Message Size Exceeds MaxBytes');
        continue;
      }
      // Whoever is gone is noticed when the message is handed over; but nobody is pinned who is gone.
      if (pin.enabled && !this.owner.broker.hasInterestIn(request.address)) {
        queue.remove(i);
        continue;
      }
      pin.take(request);
      this.chosen = i;
      return request.address;
    }
    return null;
  }

  onSent(bytes: number, nowMs: number): void {
    const request = this.queue.at(this.chosen);
    request.delivered++;
    request.remaining--;
    if (request.bytesLimited) {
      request.bytesRemaining -= bytes;
      if (request.bytesRemaining <= 0) request.remaining = 0;
    }
    if (request.remaining > 0) {
      if (request.heartbeatMs > 0) request.nextHeartbeatMs = nowMs + request.heartbeatMs;
    } else if (request.bytesLimited && request.bytesRemaining > 0) this.tell(request, '409 Batch Completed', true);
    this.queue.served(this.chosen);
  }

  onLost(): void {
    this.queue.remove(this.chosen);
  }

  /** Ends requests that are over, and tells those that wait on that all is well. */
  onIdle(atEnd: boolean): void {
    const { queue } = this;
    const nowMs = this.clock.nowMs();
    let wakeMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < queue.length; ) {
      const request = queue.at(i);
      if (request.expiresMs <= nowMs) {
        this.end(i, '408 Request Timeout');
        this.owner.touch();
        continue;
      }
      if (atEnd && request.noWait && (request.expiresNs === 0 || request.delivered > 0)) {
        this.end(i, '404 No Messages', false);
        this.owner.touch();
        continue;
      }
      if (request.nextHeartbeatMs <= nowMs) {
        this.say(request, status('100 Idle Heartbeat', this.heartbeat()));
        request.nextHeartbeatMs = nowMs + request.heartbeatMs;
      }
      wakeMs = Math.min(wakeMs, request.expiresMs, request.nextHeartbeatMs);
      i++;
    }
    this.alarm.set(wakeMs);
  }

  /** Forgets requests of those who do not listen any more. */
  dropLost(): void {
    const { queue } = this;
    for (let i = queue.length - 1; i >= 0; i--)
      if (!this.owner.broker.hasInterestIn(queue.at(i).address)) queue.remove(i);
  }

  close(statusLine: string): void {
    this.alarm.cancel();
    this.pin.close();
    for (const request of this.queue.clear()) this.tell(request, statusLine);
  }

  private end(index: number, line: string, figures = true): void {
    const request = this.queue.at(index);
    this.queue.remove(index);
    this.tell(request, line, figures);
  }

  /** Answers what is not even a request. */
  refuse(reply: Uint8Array, line: string): void {
    this.say({ reply }, status(line));
  }

  /** Status messages about a request that was at work say what it still wanted. */
  private tell(request: PullRequest, line: string, figures = false): void {
    const { remaining, bytesRemaining } = request;
    const values: [string, number][] = [
      ['Nats-Pending-Messages', remaining],
      ['Nats-Pending-Bytes', bytesRemaining],
    ];
    this.say(request, status(line, figures ? values : []));
  }

  private say({ reply }: Pick<PullRequest, 'reply'>, headers: Uint8Array): void {
    this.owner.broker.publishDirect(composeMessage({ subject: reply, reply: null, headers, payload: NO_BYTES }));
  }
}

/** Whether a request that only wants what is too much for others may have a message; without such a wish it may. */
function overflows({ minPending, minAckPending }: PullRequest, unseen: number, ackPending: number): boolean {
  if (minPending <= 0 && minAckPending <= 0) return true;
  return (minPending > 0 && minPending <= unseen) || (minAckPending > 0 && minAckPending <= ackPending);
}
