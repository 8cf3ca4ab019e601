import type { Connection } from './connection.js';

const CR = 0x0d;
const SPACE = 0x20;
const ZERO = 0x30;
const M = 0x4d;
const H = 0x48;

/** One message as it arrived: where in `bytes` its line and its payload (headers in front) begin and end. */
export interface Delivery {
  bytes: Buffer;
  lineStart: number;
  lineEnd: number;
  bodyStart: number;
  bodyEnd: number;
  hasHeaders: boolean;
}

/**
 * Hands on whole deliveries of any length from a connection. One object and one buffer are used over and over: what `take` wants to
 * keep it copies.
 */
export class Deliveries {
  private readonly take: (delivery: Delivery) => void;
  private readonly connection: Connection;
  private readonly delivery: Delivery;
  private kept = Buffer.allocUnsafeSlow(1024 * 1024);
  private keptBytes = 0;

  constructor(connection: Connection, take: (delivery: Delivery) => void) {
    this.connection = connection;
    this.take = take;
    this.delivery = { bytes: this.kept, lineStart: 0, lineEnd: 0, bodyStart: 0, bodyEnd: 0, hasHeaders: false };
  }

  feed(chunk: Buffer, length: number): void {
    if (this.keptBytes === 0) {
      const end = this.takeAll(chunk, length);
      this.keep(chunk, end, length);
      return;
    }
    this.reserve(this.keptBytes + length);
    chunk.copy(this.kept, this.keptBytes, 0, length);
    const all = this.keptBytes + length;
    const end = this.takeAll(this.kept, all);
    this.kept.copyWithin(0, end, all);
    this.keptBytes = all - end;
  }

  private keep(chunk: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    chunk.copy(this.kept, 0, start, end);
    this.keptBytes = end - start;
  }

  private reserve(bytes: number): void {
    if (bytes <= this.kept.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * bytes);
    this.kept.copy(larger, 0, 0, this.keptBytes);
    this.kept = larger;
  }

  /** Takes what is there whole; returns where the rest begins. */
  private takeAll(bytes: Buffer, length: number): number {
    const { delivery } = this;
    delivery.bytes = bytes;
    let at = 0;
    for (;;) {
      let lineEnd = at;
      while (lineEnd < length && bytes[lineEnd] !== CR) lineEnd++;
      if (lineEnd + 2 > length) return at;
      const kind = bytes[at];
      if (kind !== M && kind !== H) {
        this.other(bytes.toString('latin1', at, lineEnd));
        at = lineEnd + 2;
        continue;
      }
      let bodyBytes = 0;
      for (let i = lineEnd - 1, unit = 1; bytes[i] !== SPACE; i--, unit *= 10) bodyBytes += (bytes[i] - ZERO) * unit;
      const end = lineEnd + 2 + bodyBytes + 2;
      if (end > length) return at;
      delivery.lineStart = at;
      delivery.lineEnd = lineEnd;
      delivery.bodyStart = lineEnd + 2;
      delivery.bodyEnd = end - 2;
      delivery.hasHeaders = kind === H;
      this.take(delivery);
      at = end;
    }
  }

  private other(line: string): void {
    if (line === 'PING') this.connection.socket.write('PONG\r\n');
    else if (line.startsWith('-ERR')) this.connection.fail(new Error(`the server said ${line}`));
  }
}

/** A delivery as text, for what goes wrong. */
export function textOf({ bytes, lineStart, bodyEnd }: Delivery): string {
  return JSON.stringify(bytes.toString('latin1', lineStart, Math.min(bodyEnd, lineStart + 300)));
}
