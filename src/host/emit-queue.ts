import type { Message } from '../message/message.js';

/** A message that plugins gave rise to and that was not published yet. */
export interface EmitEntry {
  readonly message: Message;
  /** Past all plugins: dead letters and logs. */
  readonly direct: boolean;
}

const ENTRIES_MAX = 10_000;
const BYTES_MAX = 64 * 1024 * 1024;
/** Places of entries that were taken are given back when there are so many. */
const TAKEN_MAX = 1024;

/** Messages that wait until the one that led to them was delivered: plugins are never re-entered. */
export class EmitQueue {
  private entries: EmitEntry[] = [];
  private next = 0;
  private bytes = 0;
  private listener: () => void = () => {};
  /** Entries that found the queue full. */
  lost = 0;

  get length(): number {
    return this.entries.length - this.next;
  }

  /** Whether there is room for it. */
  hasRoomFor(message: Message): boolean {
    return this.length < ENTRIES_MAX && this.bytes + message.bytes.length <= BYTES_MAX;
  }

  push(message: Message, direct: boolean): void {
    if (!this.hasRoomFor(message)) {
      this.lost++;
      return;
    }
    this.bytes += message.bytes.length;
    this.entries.push({ message, direct });
  }

  /** `drain` publishes what waits: it is called when no message is under way that would do so. */
  onWake(drain: () => void): void {
    this.listener = drain;
  }

  /** For those who push between messages. */
  wake(): void {
    if (this.length > 0) this.listener();
  }

  shift(): EmitEntry | undefined {
    if (this.next >= this.entries.length) return undefined;
    const entry = this.entries[this.next++];
    this.bytes -= entry.message.bytes.length;
    if (this.next === this.entries.length || this.next >= TAKEN_MAX) {
      this.entries.splice(0, this.next);
      this.next = 0;
    }
    return entry;
  }
}
