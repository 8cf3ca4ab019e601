import type { Message } from '../message/message.js';

/** A message that plugins gave rise to and that was not published yet. */
export interface EmitEntry {
  readonly message: Message;
  /** Past all plugins: dead letters and logs. */
  readonly direct: boolean;
}

const ENTRIES_MAX = 10_000;

/** Messages that wait until the one that led to them was delivered: plugins are never re-entered. */
export class EmitQueue {
  private entries: EmitEntry[] = [];
  private next = 0;
  /** Entries that found the queue full. */
  lost = 0;

  get length(): number {
    return this.entries.length - this.next;
  }

  push(message: Message, direct: boolean): void {
    if (this.length >= ENTRIES_MAX) this.lost++;
    else this.entries.push({ message, direct });
  }

  shift(): EmitEntry | undefined {
    if (this.next >= this.entries.length) return undefined;
    const entry = this.entries[this.next++];
    if (this.next === this.entries.length) {
      this.entries.length = 0;
      this.next = 0;
    }
    return entry;
  }
}
