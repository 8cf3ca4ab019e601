import { Connection } from './connection.js';
import { nowMs } from './orders.js';

const SEND_EVERY_MS = 10;
/** Microseconds, of one width. */
const DIGITS = 15;

/** A client that behaves: sends itself a message every 10 ms and keeps how long each took. */
export class Probe {
  private readonly subject: string;
  private readonly connection: Connection;
  private latenciesMs: number[] = [];
  /** When messages were sent that have not come yet. */
  private readonly underWay = new Set<number>();
  private timer: NodeJS.Timeout | null = null;

  constructor(port: number, subject: string, credentials: object = {}) {
    this.subject = subject;
    this.connection = new Connection(port, credentials);
  }

  async start(onFailure: (error: Error) => void = () => {}): Promise<void> {
    const { connection, subject } = this;
    await connection.open(`SUB ${subject} 1\r\n`);
    connection.onFailure = onFailure;
    connection.onBytes = (bytes, length) => this.take(bytes.toString('latin1', 0, length));
    this.timer = setInterval(() => {
      const now = Math.round(nowMs() * 1e3);
      this.underWay.add(now);
      connection.socket.write(`PUB ${subject} ${DIGITS}\r\n${String(now).padStart(DIGITS, '0')}\r\n`);
    }, SEND_EVERY_MS);
  }

  /** Of messages that came since this was asked before. */
  arrived(): number[] {
    return this.latenciesMs.splice(0);
  }

  /** For how long those wait by now that have not come. */
  waiting(): number[] {
    return [...this.underWay].map((sent) => nowMs() - sent / 1e3);
  }

  stop(): void {
    clearInterval(this.timer!);
    this.connection.close();
  }

  private take(text: string): void {
    for (const [, sent] of text.matchAll(/\n(\d{15})\r/g)) {
      this.underWay.delete(Number(sent));
      this.latenciesMs.push(nowMs() - Number(sent) / 1e3);
    }
    if (text.includes('PING\r\n')) this.connection.socket.write('PONG\r\n');
  }
}
