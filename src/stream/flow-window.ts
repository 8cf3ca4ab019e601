/** Bytes that may be under way to a client at most, once it has shown that it keeps up. */
const WINDOW_BYTES_MAX = 32 * 1024 * 1024;
const WINDOW_BYTES_MIN = WINDOW_BYTES_MAX / 16;

/**
 * Flow control of a push consumer: when half of the window is under way the client is asked to answer, and until it does no more than
 * the window goes out. The window doubles with each answer.
 */
export class FlowWindow {
  /** The subject that the client is to answer on; empty: it was not asked. */
  reply = '';
  private windowBytes = WINDOW_BYTES_MIN;
  private pendingBytes = 0;
  /** Bytes that were under way when the client was asked. */
  private askedBytes = 0;

  /** Whether nothing may go out now. */
  get stalled(): boolean {
    return this.pendingBytes > this.windowBytes;
  }

  /** Bytes went out; whether the client has to be asked now. */
  add(bytes: number): boolean {
    this.pendingBytes += bytes;
    return this.reply === '' && this.pendingBytes > this.windowBytes / 2;
  }

  asked(reply: string): void {
    this.reply = reply;
    this.askedBytes = this.pendingBytes;
  }

  /** The client answered; false when it answered something else. */
  answered(reply: string): boolean {
    if (reply !== this.reply || reply === '') return false;
    this.pendingBytes = Math.max(0, this.pendingBytes - this.askedBytes);
    this.windowBytes = Math.min(WINDOW_BYTES_MAX, this.windowBytes * 2);
    this.askedBytes = 0;
    this.reply = '';
    return true;
  }

  reset(): void {
    this.reply = '';
    this.pendingBytes = 0;
    this.askedBytes = 0;
  }
}
