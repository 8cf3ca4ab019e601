import type { LogState, LogTime } from './message-log.js';

/** The sums of a ledger. The first message's time is read when it is asked for. */
export class LedgerState implements LogState {
  messages = 0;
  bytes = 0;
  firstSequence = 1;
  lastSequence = 0;
  deleted = 0;
  subjects = 0;
  lastTimeMs = 0;
  lastTimeNs = 0;
  readonly #readTime: (sequence: number) => LogTime | null;
  #firstTimeKnown = false;
  #firstMs = 0;
  #firstNs = 0;

  /** `readTime` tells the time of a message that is there. */
  constructor(readTime: (sequence: number) => LogTime | null) {
    this.#readTime = readTime;
  }

  get firstTimeMs(): number {
    this.learnFirstTime();
    return this.#firstMs;
  }

  get firstTimeNs(): number {
    this.learnFirstTime();
    return this.#firstNs;
  }

  /** The first message is another one. */
  forgetFirstTime(): void {
    this.#firstTimeKnown = false;
  }

  private learnFirstTime(): void {
    if (this.#firstTimeKnown) return;
    this.#firstTimeKnown = true;
    const time = this.messages > 0 ? this.#readTime(this.firstSequence) : null;
    this.#firstMs = time?.timeMs ?? 0;
    this.#firstNs = time?.timeNs ?? 0;
  }
}
