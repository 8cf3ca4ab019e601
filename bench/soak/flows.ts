import { Connection } from '../load/connection.js';

const DIGITS = 10;
const TICK_MS = 5;

/** Messages of one kind at a steady pace, all of one length as they are delivered. */
export interface Plan {
  name: string;
  perSecond: number;
  subscribers: number;
  subscribe: string;
  /** The next message, as it is published. */
  next(number: number): string;
  /** The length of a delivery. */
  deliveredBytes: number;
  /** The share of messages that arrive. */
  passing: number;
}

/** Fixed width, so that deliveries are counted by their bytes. */
export const digits = (number: number) => String(number).padStart(DIGITS, '0');

/** Publishes by plan on a connection of its own and counts what arrives on others. */
export class SteadyFlow {
  sent = 0;
  readonly plan: Plan;
  private receivedBytes = 0;
  private readonly publisher: Connection;
  private readonly receivers: Connection[];
  private timer: NodeJS.Timeout | null = null;

  constructor(plan: Plan, port: number) {
    this.plan = plan;
    this.publisher = new Connection(port);
    this.receivers = Array.from({ length: plan.subscribers }, () => new Connection(port));
  }

  async start(onFailure: (error: Error) => void): Promise<void> {
    await this.publisher.open('');
    await Promise.all(
      this.receivers.map(async (receiver) => {
        await receiver.open(`SUB ${this.plan.subscribe} 1\r\n`);
        receiver.onBytes = (_bytes, length) => {
          this.receivedBytes += length;
        };
      }),
    );
    for (const connection of [this.publisher, ...this.receivers]) {
      connection.onFailure = (error) => onFailure(new Error(`${this.plan.name}: ${error.message}`));
    }
    const startedMs = performance.now();
    this.timer = setInterval(() => this.publish(performance.now() - startedMs), TICK_MS);
  }

  /** Messages that did not arrive, once everything has. */
  get missing(): number {
    const { passing, subscribers, deliveredBytes } = this.plan;
    // A PING among them is shorter than a message.
    return (
      this.sent * passing * subscribers - Math.floor(this.receivedBytes / deliveredBytes / subscribers) * subscribers
    );
  }

  async stop(): Promise<void> {
    clearInterval(this.timer!);
    await this.publisher.flush();
  }

  close(): void {
    for (const connection of [this.publisher, ...this.receivers]) connection.close();
  }

  private publish(elapsedMs: number): void {
    // A publisher that is held back sends later; what is due is not lost.
    if (this.publisher.socket.writableNeedDrain) return;
    const due = Math.floor((elapsedMs / 1000) * this.plan.perSecond);
    const texts: string[] = [];
    // In pieces, so that what a stall held back does not come as one burst; always an even number, since of two readings one passes.
    const most = Math.min(due, this.sent + Math.ceil(this.plan.perSecond / 10)) & ~1;
    while (this.sent < most) texts.push(this.plan.next(this.sent++));
    if (texts.length > 0) this.publisher.socket.write(texts.join(''));
  }
}
