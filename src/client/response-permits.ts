import { textOf } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import type { Message } from '../message/message.js';

/** How many answers one request allows, and for how long; a negative number is no limit. */
export interface ResponseLimits {
  readonly max: number;
  readonly expiresMs: number;
}

interface Permit {
  left: number;
  untilMs: number;
}

/** Requests that one client was sent and may still answer. */
const PERMITS_MAX = 4096;

/** `allow_responses`: a client that may publish nowhere may still answer the requests it gets. */
export class ResponsePermits {
  private readonly permits = new Map<string, Permit>();
  private readonly limits: ResponseLimits;
  private readonly clock: Clock;

  constructor(limits: ResponseLimits, clock: Clock) {
    this.limits = limits;
    this.clock = clock;
  }

  /** The client was sent a request: its reply subject may be published to. */
  allow(message: Message): void {
    const { max, expiresMs } = this.limits;
    const untilMs = expiresMs < 0 ? Number.POSITIVE_INFINITY : this.clock.nowMs() + expiresMs;
    if (this.permits.size >= PERMITS_MAX) this.dropExpiredOrOldest();
    const subject = textOf(message.bytes, message.replyStart, message.replyEnd);
    this.permits.set(subject, { left: max < 0 ? Number.POSITIVE_INFINITY : max, untilMs });
  }

  /** Whether the message answers a request; counts it if so. */
  use(message: Message): boolean {
    const subject = textOf(message.bytes, message.subjectStart, message.subjectEnd);
    const permit = this.permits.get(subject);
    if (permit === undefined) return false;
    if (permit.untilMs <= this.clock.nowMs()) {
      this.permits.delete(subject);
      return false;
    }
    if (--permit.left <= 0) this.permits.delete(subject);
    return true;
  }

  private dropExpiredOrOldest(): void {
    const now = this.clock.nowMs();
    for (const [subject, permit] of this.permits) if (permit.untilMs <= now) this.permits.delete(subject);
    if (this.permits.size < PERMITS_MAX) return;
    const oldest = this.permits.keys().next();
    if (!oldest.done) this.permits.delete(oldest.value);
  }
}
