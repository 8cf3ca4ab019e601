import type { Transport } from '../net/transport.js';
import type { Parser } from '../wire/nats/parser.js';
import { PauseReason } from './pause-reason.js';

/** What waits for nothing but others. */
const FOR_OTHERS = PauseReason.turn | PauseReason.rest | PauseReason.congestion;

/** Whether a client's bytes are read, and whether those that were read are parsed: not while there is any reason to wait. */
export class Reading {
  private readonly parser: Parser;
  private readonly transport: Transport;
  /** `PauseReason` bits: why nothing is read, and of those, why nothing is parsed. */
  private pauses = 0;
  private holds = 0;
  private ended = false;

  constructor(parser: Parser, transport: Transport) {
    this.parser = parser;
    this.transport = transport;
  }

  get isPaused(): boolean {
    return this.pauses !== 0;
  }

  has(reason: PauseReason): boolean {
    return (this.pauses & reason) !== 0;
  }

  /** Reads nothing until `resume` was called for every reason. */
  pause(reason: PauseReason): void {
    this.pauses |= reason;
    this.transport.pause();
  }

  /** As `pause`, and keeps what was read already. */
  hold(reason: PauseReason): void {
    this.holds |= reason;
    this.parser.hold();
    this.pause(reason);
  }

  /** Ends `pause` or `hold`. */
  resume(reason: PauseReason): void {
    this.pauses &= ~reason;
    if ((this.holds & reason) !== 0) {
      this.holds &= ~reason;
      // What was kept may lead to the next reason to wait.
      if (this.holds === 0) this.parser.release();
    }
    if (this.pauses === 0 && !this.ended) this.transport.resume();
  }

  /**
   * The peer is gone: what it sent before that, and waits for others, is done now. TLS and WebSocket see the end in what they have read, also while
   * nobody reads on. There is no more of it than one chunk.
   */
  finish(): void {
    while (this.holds !== 0 && (this.holds & ~FOR_OTHERS) === 0) {
      this.holds = 0;
      this.parser.release();
    }
  }

  end(): void {
    this.ended = true;
    this.parser.stop();
  }
}
