import type { Clock } from '../base/clock.js';
import { Fifo } from '../base/fifo.js';

/** Restores at a time: of one account, and of all. */
const ACCOUNT_MAX = 8;
const ALL_MAX = 16;
/** What is worked on until others get their turn: what comes is compressed, and a little may be very much. */
const TURN_NS = 5_000_000;
/** Entries that are being put together, beyond those that are small: one of the longest, or several shorter ones. */
const ENTRIES_BYTES_MAX = 80 * 1024 * 1024;
/** Consumers that wait for the messages behind them. */
const CONSUMERS_BYTES_MAX = 64 * 1024 * 1024;

/**
 * What all restores of a server share, whosesoever they are: turns of the event loop, one restore after the other, and memory. Who wants
 * memory for an entry has none yet and waits for it, so that nobody waits for somebody who waits; for consumers nobody waits.
 */
export class RestoreRoom {
  private readonly clock: Clock;
  private readonly underWay = new Map<object, number>();
  private readonly turns = new Fifo<() => void>();
  private turnNs = 0;
  private scheduled = false;
  private readonly waiting: Claim[] = [];
  private entriesBytes = 0;
  private consumersBytes = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whether one more of this account may begin; it leaves when it is over. */
  enter(account: object): boolean {
    const own = this.underWay.get(account) ?? 0;
    const all = [...this.underWay.values()].reduce((sum, count) => sum + count, 0);
    if (own >= ACCOUNT_MAX || all >= ALL_MAX) return false;
    this.underWay.set(account, own + 1);
    return true;
  }

  leave(account: object): void {
    const own = this.underWay.get(account)! - 1;
    if (own > 0) this.underWay.set(account, own);
    else this.underWay.delete(account);
  }

  /** To be waited for between pieces of work: others get their turn when restores had their share of this one. */
  turn(): Promise<void> | undefined {
    if (this.turns.length === 0 && this.clock.monotonicNs() - this.turnNs < TURN_NS) return;
    return new Promise((resolve) => {
      this.turns.push(resolve);
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.turnNs = this.clock.monotonicNs();
      this.turns.shift()!();
      if (this.turns.length > 0) this.schedule();
    });
  }

  /** Wants memory for an entry. */
  claim(bytes: number): Claim {
    const claim = new Claim(bytes, (own) => this.giveBack(own));
    this.waiting.push(claim);
    this.grant();
    return claim;
  }

  private grant(): void {
    while (this.waiting.length > 0 && this.entriesBytes + this.waiting[0].bytes <= ENTRIES_BYTES_MAX) {
      const claim = this.waiting.shift()!;
      this.entriesBytes += claim.bytes;
      claim.settle(true);
    }
  }

  private giveBack(claim: Claim): void {
    const at = this.waiting.indexOf(claim);
    if (at >= 0) this.waiting.splice(at, 1);
    else this.entriesBytes -= claim.bytes;
    this.grant();
  }

  /** Whether so much more of consumers can be kept. */
  keepConsumers(bytes: number): boolean {
    if (this.consumersBytes + bytes > CONSUMERS_BYTES_MAX) return false;
    this.consumersBytes += bytes;
    return true;
  }

  forgetConsumers(bytes: number): void {
    this.consumersBytes -= bytes;
  }
}

/** Memory that was asked for. */
export class Claim {
  readonly bytes: number;
  /** Whether it may be used; false when it ended before. */
  readonly granted: Promise<boolean>;
  private readonly onEnd: (claim: Claim) => void;
  private ended = false;
  settle: (granted: boolean) => void = () => {};

  constructor(bytes: number, onEnd: (claim: Claim) => void) {
    this.bytes = bytes;
    this.onEnd = onEnd;
    this.granted = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  /** It is not used, or not waited for, any more. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd(this);
    this.settle(false);
  }
}
