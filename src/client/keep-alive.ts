import type { Timer } from '../base/clock.js';
import { PING_LINE } from '../wire/nats/encoder.js';
import { ErrorText } from '../wire/nats/errors.js';
import { ClosedReason } from './closed-reason.js';
import type { ClientDoor } from './door.js';
import type { ClientSession } from './session.js';

/** The first PING comes early, to learn the round trip time. */
const FIRST_PING_MS = 2_000;
/** A busy connection is pinged this often all the same. */
const RTT_INTERVAL_MS = 3_600_000;

/** A session's patience: time to authenticate, then PING and PONG. */
export class KeepAlive {
  private readonly session: ClientSession;
  private readonly door: ClientDoor;
  private timer: Timer | null = null;
  private pingsOut = 0;
  private pingSentNs = 0;
  private pingSentMs = 0;
  /** Round trip time of the last PING in nanoseconds; 0 until the first PONG. */
  rttNs = 0;

  constructor(session: ClientSession, door: ClientDoor) {
    this.session = session;
    this.door = door;
  }

  /** Closes the session unless `start` or `stop` follow within the authentication timeout. */
  awaitAuthentication(): void {
    this.timer?.cancel();
    this.timer = this.door.clock.after(this.door.limits.authTimeoutMs, () => {
      this.door.logger.error(`${this.session.label} - Authentication Timeout`);
      this.session.close(ClosedReason.authenticationTimeout, ErrorText.authenticationTimeout);
    });
  }

  /** Begins to ping. */
  start(): void {
    this.timer?.cancel();
    const first = Math.min(FIRST_PING_MS, this.door.limits.pingIntervalMs);
    this.timer = this.door.clock.after(first * (1 + 0.2 * this.door.random()), () => this.tick());
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  onPong(): void {
    this.pingsOut = 0;
    if (this.pingSentNs > 0) this.rttNs = this.door.clock.monotonicNs() - this.pingSentNs;
    this.pingSentNs = 0;
  }

  private tick(): void {
    const { pingIntervalMs, pingsOutMax } = this.door.limits;
    const now = this.door.clock.nowMs();
    const needsRtt = this.rttNs === 0 || now - this.pingSentMs > RTT_INTERVAL_MS;
    if (needsRtt || now - this.session.lastActivityMs >= pingIntervalMs) {
      if (this.pingsOut + 1 > pingsOutMax) {
        this.door.logger.debug(`${this.session.label} - Stale Client Connection - Closing`);
        this.door.staleConnections++;
        this.session.close(ClosedReason.staleConnection, ErrorText.staleConnection);
        return;
      }
      this.ping(now);
    }
    this.timer = this.door.clock.after(pingIntervalMs, () => this.tick());
  }

  private ping(now: number): void {
    this.pingsOut++;
    this.pingSentMs = now;
    this.pingSentNs = this.door.clock.monotonicNs();
    this.session.send(PING_LINE);
  }
}
