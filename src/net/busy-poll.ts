/** Pings and single requests have answers of less; a turn that sent more will be followed by another without our help. */
const SMALL_TURN_BYTES = 16 * 1024;
/**
 * A look at the sockets takes 1 to 2 µs, and a short message that it finds a few more. After longer than this somebody else had the core, or there was
 * so much work that to be woken for it is a small part of it.
 */
const INTERRUPTED_NS = 15_000;
/** A window that was for nothing weighs as much as two that were not: polling goes on while two of three find something. */
const WASTED = 2;
const WASTED_MAX = 8;
const REST_NS = 100e6;

/**
 * Stays awake for a moment after a small turn, since putting a core to sleep and waking it costs more than a short message (bench:
 * request and reply, one at a time). It does so only while it pays: when windows pass without a message, or others want the core, it rests for 0.1 s.
 */
export class BusyPoll {
  private readonly monotonicNs: () => number;
  private readonly windowNs: number;
  private polling = false;
  private interrupted = false;
  private untilNs = 0;
  private lookedNs = 0;
  private restsUntilNs = Number.NEGATIVE_INFINITY;
  private wasted = 0;
  private readonly look = () => this.lookOnce();

  /** `windowMs`: how long to wait awake for the next message; 0 is never. */
  constructor(monotonicNs: () => number, windowMs: number) {
    this.monotonicNs = monotonicNs;
    this.windowNs = windowMs * 1e6;
  }

  /** A turn has sent so many bytes. */
  turnEnded(sentBytes: number): void {
    if (this.windowNs === 0 || sentBytes === 0 || sentBytes > SMALL_TURN_BYTES) return;
    const nowNs = this.monotonicNs();
    if (this.polling) this.judge(this.interrupted, nowNs);
    if (nowNs < this.restsUntilNs) return;
    this.untilNs = nowNs + this.windowNs;
    this.lookedNs = nowNs;
    this.interrupted = false;
    if (this.polling) return;
    this.polling = true;
    setImmediate(this.look);
  }

  private lookOnce(): void {
    const nowNs = this.monotonicNs();
    if (nowNs - this.lookedNs > INTERRUPTED_NS) this.interrupted = true;
    this.lookedNs = nowNs;
    if (nowNs < this.untilNs) {
      setImmediate(this.look);
      return;
    }
    this.polling = false;
    if (nowNs >= this.restsUntilNs) this.judge(true, nowNs);
  }

  private judge(wasted: boolean, nowNs: number): void {
    this.wasted = Math.max(0, this.wasted + (wasted ? WASTED : -1));
    if (this.wasted < WASTED_MAX) return;
    this.restsUntilNs = nowNs + REST_NS;
    // The next rest comes sooner, unless it pays by then.
    this.wasted = WASTED_MAX - WASTED;
    this.untilNs = nowNs;
  }
}
