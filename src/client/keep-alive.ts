import type { Timer } from '../base/clock.js';
import { PING_LINE } from '../wire/nats/encoder.js';
import { ErrorText } from '../wire/nats/errors.js';
import { ClosedReason } from './closed-reason.js';
import type { ClientContext } from './context.js';

/** The first PING comes early, to learn the round trip time. */
const FIRST_PING_MS = 2_000;
/** A busy connection is pinged this often all the same. */
const RTT_INTERVAL_MS = 3_600_000;

/** Whose patience it is: a session. */
interface Peer {
  readonly label: string;
  readonly lastActivityMs: number;
  send(line: Uint8Array): void;
  close(reason: ClosedReason, errorText?: string): void;
}

/** A session's patience: time to authenticate, then PING and PONG. */
export class KeepAlive {
  private readonly session: Peer;
  private readonly context: ClientContext;
  private timer: Timer | null = null;
  private pingsOut = 0;
  private pingSentNs = 0;
  private pingSentMs = 0;
  /** Round trip time of the last PING in nanoseconds; 0 until the first PONG. */
  rttNs = 0;

  constructor(session: Peer, context: ClientContext) {
    this.session = session;
    this.context = context;
  }

  /** Closes the session unless `start` or `stop` follow within the authentication timeout. */
  awaitAuthentication(): void {
    this.timer?.cancel();
    this.timer = this.context.clock.after(this.context.limits.authTimeoutMs, () => {
      this.context.logger.error(`${this.session.label} - Authentication Timeout`);
      this.session.close(ClosedReason.authenticationTimeout, ErrorText.authenticationTimeout);
    });
  }

  /** Begins to ping. */
  start(): void {
    this.timer?.cancel();
    const first = Math.min(FIRST_PING_MS, this.context.limits.pingIntervalMs);
    this.timer = this.context.clock.after(first * (1 + 0.2 * this.context.random()), () => this.tick());
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  onPong(): void {
    this.pingsOut = 0;
    if (this.pingSentNs > 0) this.rttNs = this.context.clock.monotonicNs() - this.pingSentNs;
    this.pingSentNs = 0;
  }

  private tick(): void {
    const { pingIntervalMs, pingsOutMax } = this.context.limits;
    const now = this.context.clock.nowMs();
    const needsRtt = this.rttNs === 0 || now - this.pingSentMs > RTT_INTERVAL_MS;
    if (needsRtt || now - this.session.lastActivityMs >= pingIntervalMs) {
      if (this.pingsOut + 1 > pingsOutMax) {
        this.context.logger.debug(`${this.session.label} - Stale Client Connection - Closing`);
        this.context.staleConnections++;
        this.session.close(ClosedReason.staleConnection, ErrorText.staleConnection);
        return;
      }
      this.ping(now);
    }
    this.timer = this.context.clock.after(pingIntervalMs, () => this.tick());
  }

  private ping(now: number): void {
    this.pingsOut++;
    this.pingSentMs = now;
    this.pingSentNs = this.context.clock.monotonicNs();
    this.session.send(PING_LINE);
  }
}
