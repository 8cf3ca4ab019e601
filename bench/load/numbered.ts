import type { Connection } from './connection.js';

/** Numbers have one width, so that all lines of a batch are equally long. */
export const DIGITS = 7;

/** Copies of one line, of which each gets its own number before they are sent together. */
export class Batch {
  bytes: Buffer;
  used = 0;
  private readonly line: Buffer;
  private readonly count: number;

  private constructor(line: Buffer, count: number) {
    this.line = line;
    this.count = count;
    this.bytes = Buffer.alloc(line.length * count, line);
  }

  static of(line: string, count: number): Batch {
    return new Batch(Buffer.from(line, 'latin1'), count);
  }

  get isFull(): boolean {
    return this.used === this.bytes.length;
  }

  flush(connection: Connection): void {
    if (this.used === 0) return;
    const written = this.bytes.subarray(0, this.used);
    this.used = 0;
    connection.socket.write(written);
    // What the kernel did not take yet is still being read: go on in a new buffer.
    if (connection.socket.writableLength > 0) this.bytes = Buffer.alloc(this.line.length * this.count, this.line);
  }
}

export function writeDigits(bytes: Buffer, at: number, value: number): void {
  for (let i = at + DIGITS - 1; i >= at; i--) {
    bytes[i] = 0x30 + (value % 10);
    value = Math.floor(value / 10);
  }
}

export function readDigits(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + DIGITS; i++) value = value * 10 + bytes[i] - 0x30;
  return value;
}
