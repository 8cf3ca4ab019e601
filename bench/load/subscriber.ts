import { Connection } from './connection.js';
import { deliveryBytes, encodeSubscriptions } from './frames.js';
import { nowMs, type ReceiveResult, type SubscriberOrder } from './orders.js';

const PING = 'PING\r\n';
/** How often, in messages, a publisher with a window hears of progress. */
const PROGRESS_STEP = 4096;

/** Counts what arrives, by its length: all messages of a run are equally long. */
export class Subscriber {
  private connections: Connection[] = [];
  private messages = 0;
  private lastMs = 0;
  private target = Number.POSITIVE_INFINITY;
  private reached: () => void = () => {};
  private failed: (error: Error) => void = () => {};
  private failure: Error | null = null;
  private reportedMessages = 0;
  private recording = false;
  private chunkMs: number[] = [];
  private chunkMessages: number[] = [];
  private readonly report: (messages: number) => void;

  /** `report` is told of progress now and then. */
  constructor(report: (messages: number) => void) {
    this.report = report;
  }

  async open(order: SubscriberOrder): Promise<void> {
    this.failure = null;
    const bytes = deliveryBytes(order);
    this.connections = Array.from({ length: order.connections }, () => new Connection(order.port, {}, order.tls));
    await Promise.all(
      this.connections.map(async (connection, index) => {
        await connection.open(encodeSubscriptions(order, index));
        this.count(connection, bytes);
        connection.onFailure = (error) => this.fail(error);
      }),
    );
  }

  /** Starts to count from 0. */
  begin(recording: boolean): void {
    this.messages = 0;
    this.reportedMessages = 0;
    this.target = Number.POSITIVE_INFINITY;
    this.recording = recording;
    this.chunkMs = [];
    this.chunkMessages = [];
  }

  /** Resolves when so many messages have come since `begin`. */
  async receive(target: number): Promise<ReceiveResult> {
    if (this.messages < target) {
      await new Promise<void>((resolve, reject) => {
        this.target = target;
        this.reached = resolve;
        this.failed = reject;
        if (this.failure !== null) reject(this.failure);
      });
    }
    const { messages, lastMs, chunkMs, chunkMessages } = this;
    if (messages > target) throw new Error(`${target} messages expected, ${messages} came`);
    return { messages, lastMs, chunkMs, chunkMessages };
  }

  /** How many have come since `begin`. */
  get received(): number {
    return this.messages;
  }

  private count(connection: Connection, messageBytes: number): void {
    let bytesBefore = 0;
    connection.onBytes = (bytes, length) => {
      if (bytesBefore === 0) {
        if (length === PING.length && bytes.toString('latin1', 0, length) === PING) {
          connection.socket.write('PONG\r\n');
          return;
        }
        this.checkFirst(bytes.toString('latin1', 0, Math.min(length, 256)), messageBytes);
      }
      const before = Math.floor(bytesBefore / messageBytes);
      bytesBefore += length;
      // A PING among the messages is shorter than any of them and lost in the rounding.
      this.advance(Math.floor(bytesBefore / messageBytes) - before);
    };
  }

  private advance(messages: number): void {
    this.messages += messages;
    this.lastMs = nowMs();
    if (this.recording) {
      this.chunkMs.push(this.lastMs);
      this.chunkMessages.push(this.messages);
    }
    if (this.messages - this.reportedMessages >= PROGRESS_STEP) {
      this.reportedMessages = this.messages;
      this.report(this.messages);
    }
    if (this.messages >= this.target) this.reached();
  }

  /** Counting by length is only right if the length is. */
  private checkFirst(text: string, messageBytes: number): void {
    const line = text.slice(0, text.indexOf('\r\n') + 2);
    const size = Number(line.trim().split(' ').pop());
    if (!/^H?MSG /.test(line) || line.length + size + 2 === messageBytes) return;
    this.fail(new Error(`messages of ${messageBytes} bytes expected, found ${JSON.stringify(line)}`));
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.failed(this.failure);
  }

  close(): void {
    for (const connection of this.connections) connection.close();
    this.connections = [];
    this.failed = () => {};
  }
}
