import { Connection } from './connection.js';
import { Deliveries, type Delivery, textOf } from './deliveries.js';
import { Batch, DIGITS, writeDigits } from './numbered.js';
import { type AskOrder, type AskResult, nowMs } from './orders.js';

const INBOX = '_INBOX.7kVq2mZ8sLcXw9TbVn3RpA.';
const NUMBERS = 10 ** DIGITS;
/** The byte after `{"` of an acknowledgement, and of an error. */
const FIRST_OF_STREAM = 's'.charCodeAt(0);

/**
 * Publishes into a stream, or asks for messages of it, with so many under way on each connection: for each answer that comes, the next
 * one goes out. An answer that is not the expected one ends the run.
 */
export class Asker {
  private lanes: Lane[] = [];

  async open(order: AskOrder): Promise<void> {
    this.lanes = Array.from({ length: order.connections }, (_, i) => new Lane(order, i));
    await Promise.all(this.lanes.map((lane) => lane.open()));
  }

  /** Goes on for so long, or until `count` were answered. */
  async run(durationMs: number, count: number | null): Promise<AskResult> {
    const beganMs = nowMs();
    const share = count === null ? Number.POSITIVE_INFINITY : Math.ceil(count / this.lanes.length);
    await Promise.all(this.lanes.map((lane) => lane.run(beganMs + durationMs, share)));
    const answers = this.lanes.reduce((sum, lane) => sum + lane.answers, 0);
    return { answers, elapsedMs: nowMs() - beganMs };
  }

  close(): void {
    for (const lane of this.lanes) lane.close();
    this.lanes = [];
  }
}

/** One connection. */
class Lane {
  answers = 0;
  private readonly order: AskOrder;
  private readonly connection: Connection;
  private readonly inbox: string;
  private readonly lineBytes: number;
  private readonly out: Batch;
  private readonly deliveries: Deliveries;
  private readonly subjectNumberAt: number;
  private readonly replyNumberAt: number;
  /** Numbers of the next request and its subject. */
  private token = 0;
  private next: number;
  private underWay = 0;
  private left = 0;
  private endMs = 0;
  private done: () => void = () => {};

  constructor(order: AskOrder, index: number) {
    const { subjects, payloadBytes, window } = order;
    this.order = order;
    this.inbox = `${INBOX}${index}.`;
    this.next = index;
    const number = subjects.count > 0 ? '0'.repeat(DIGITS) : '';
    const subject = `${subjects.prefix}${number}${subjects.suffix}`;
    const line = `PUB ${subject} ${this.inbox}${'0'.repeat(DIGITS)} ${payloadBytes}\r\n${'x'.repeat(payloadBytes)}\r\n`;
    this.lineBytes = line.length;
    this.subjectNumberAt = 'PUB '.length + subjects.prefix.length;
    this.replyNumberAt = `PUB ${subject} ${this.inbox}`.length;
    this.out = Batch.of(line, window);
    this.connection = new Connection(order.port);
    this.deliveries = new Deliveries(this.connection, (delivery) => this.take(delivery));
  }

  async open(): Promise<void> {
    await this.connection.open(`SUB ${this.inbox}* 1\r\n`);
    this.connection.onBytes = (bytes, length) => {
      this.deliveries.feed(bytes, length);
      if (this.underWay < this.order.window) this.fill();
      if (this.underWay === 0) this.done();
    };
  }

  run(endMs: number, count: number): Promise<void> {
    this.endMs = endMs;
    this.left = count;
    this.answers = 0;
    return new Promise((resolve, reject) => {
      this.connection.onFailure = reject;
      this.done = resolve;
      this.fill();
    });
  }

  close(): void {
    this.connection.close();
  }

  private fill(): void {
    const { window } = this.order;
    const isOver = nowMs() >= this.endMs;
    while (!isOver && this.underWay < window && this.left > 0) this.send();
    this.out.flush(this.connection);
  }

  private send(): void {
    const { out, order } = this;
    const { subjects, connections } = order;
    if (subjects.count > 0) {
      writeDigits(out.bytes, out.used + this.subjectNumberAt, this.next % subjects.count);
      this.next += connections;
    }
    this.token = (this.token + 1) % NUMBERS;
    writeDigits(out.bytes, out.used + this.replyNumberAt, this.token);
    out.used += this.lineBytes;
    this.underWay++;
    this.left--;
    if (out.isFull) out.flush(this.connection);
  }

  private take(delivery: Delivery): void {
    const { bytes, bodyStart, bodyEnd, hasHeaders } = delivery;
    const { answer } = this.order;
    const isRight =
      answer.kind === 'acknowledgement'
        ? bytes[bodyStart + 2] === FIRST_OF_STREAM
        : hasHeaders && bodyEnd - bodyStart > answer.payloadBytes;
    if (!isRight) this.connection.fail(new Error(`not the expected answer: ${textOf(delivery)}`));
    this.answers++;
    this.underWay--;
  }
}
