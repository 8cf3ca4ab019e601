import type { BudgetRequest } from './declarations.js';

const SECOND_MS = 1_000;

/**
 * What an attachment may take per second: messages, bytes, time of the processor. Counted in whole seconds of the clock, so that whoever is over it
 * knows when it goes on.
 */
export class Allowance {
  private readonly messages: number;
  private readonly bytes: number;
  private readonly ns: number;
  private second = 0;
  private messagesUsed = 0;
  private bytesUsed = 0;
  private nsUsed = 0;

  /** Null when there is no limit. */
  static of({ messages_per_second, bytes_per_second, cpu_share }: BudgetRequest): Allowance | null {
    if ((messages_per_second ?? bytes_per_second ?? cpu_share) === undefined) return null;
    const none = Number.POSITIVE_INFINITY;
    return new Allowance(messages_per_second ?? none, bytes_per_second ?? none, (cpu_share ?? none) * 1e9);
  }

  private constructor(messages: number, bytes: number, ns: number) {
    this.messages = messages;
    this.bytes = bytes;
    this.ns = ns;
  }

  /** Counts a message that came; answers which limit is used up, or null. */
  exceeded(bytes: number, nowMs: number): string | null {
    const second = Math.floor(nowMs / SECOND_MS);
    if (second !== this.second) {
      this.second = second;
      this.messagesUsed = 0;
      this.bytesUsed = 0;
      this.nsUsed = 0;
    }
    if (this.messagesUsed >= this.messages) return `${this.messages} messages per second`;
    if (this.bytesUsed + bytes > this.bytes) return `${this.bytes} bytes per second`;
    if (this.nsUsed >= this.ns) return `${(this.ns / 1e9) * 100} % of a processor`;
    this.messagesUsed++;
    this.bytesUsed += bytes;
    return null;
  }

  /** Counts time of the processor. */
  spend(ns: number): void {
    this.nsUsed += ns;
  }
}
