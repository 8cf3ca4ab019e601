import type { Clock } from '../base/clock.js';
import type { Congestion, Party } from './congestion.js';
import { PauseReason } from './pause-reason.js';

/**
 * What clients' operations may take of one turn, give or take a slice of a chunk. A thousand subscribers get a sixth less than without any limit, with
 * 8 ms as with 20 (bench: 1to1000-128); with 20 ms others wait for a quarter to two thirds longer (bench attack: interest-churn, no-responders).
 */
const TURN_NS = 8_000_000;

/** A client whose bytes are parsed: a session. */
interface Reader extends Party {
  readonly context: { readonly congestion: Congestion };
}

/**
 * Clients' share of one turn of the event loop. What was read from a socket may hold thousands of operations, each of which may lead
 * through many accounts: when the share is used up, the rest waits for the next turn, and everyone else's sockets are served in between.
 */
export class ReadingTurn {
  private readonly clock: Clock;
  private readonly defer: (run: () => void) => void;
  private scheduled = false;
  private startedNs = 0;
  private waiting: Reader[] = [];

  /** `defer` calls back when input and output had their turn. */
  constructor(clock: Clock, defer: (run: () => void) => void = setImmediate) {
    this.clock = clock;
    this.defer = defer;
  }

  /** A slice of the reader's bytes was parsed; what follows perhaps waits. */
  look(reader: Reader, bytes: number): void {
    const { congestion } = reader.context;
    if (congestion.any) congestion.look(reader, bytes);
    if (!this.scheduled) this.schedule();
    else if (this.spent && reader.closedReason === null && !reader.reading.has(PauseReason.turn)) this.wait(reader);
  }

  private get spent(): boolean {
    return this.clock.monotonicNs() - this.startedNs >= TURN_NS;
  }

  private wait(reader: Reader): void {
    reader.reading.hold(PauseReason.turn);
    this.waiting.push(reader);
  }

  private schedule(): void {
    this.scheduled = true;
    this.startedNs = this.clock.monotonicNs();
    this.defer(() => this.begin());
  }

  /** First come, first served, as many as a turn has room for. */
  private begin(): void {
    this.scheduled = false;
    if (this.waiting.length === 0) return;
    this.schedule();
    const waiting = this.waiting;
    this.waiting = [];
    let next = 0;
    do this.goOn(waiting[next++]);
    while (next < waiting.length && !this.spent);
    if (next < waiting.length) this.waiting = [...waiting.slice(next), ...this.waiting];
  }

  private goOn(reader: Reader): void {
    if (reader.closedReason !== null) return;
    reader.reading.resume(PauseReason.turn);
    const { congestion } = reader.context;
    if (congestion.any) congestion.stall(reader);
  }
}
