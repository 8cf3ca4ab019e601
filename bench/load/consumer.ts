import { Connection } from './connection.js';
import { Deliveries, type Delivery, textOf } from './deliveries.js';
import { type ConsumeOrder, type ConsumeResult, nowMs } from './orders.js';

const INBOX = '_INBOX.2hNq8cXw5TbVn3Rp9ALmZk';
const SPACE = 0x20;
const I = 'i'.charCodeAt(0);
const PULL_EXPIRES_NS = 30e9;
const ACK = Buffer.from(' 4\r\n+ACK\r\n');
const PUB = Buffer.from('PUB ');

/** Reads a stream by a consumer of its own, and acknowledges what wants to be. */
export class Consumer {
  private order: ConsumeOrder | null = null;
  private connection: Connection | null = null;
  private pull: string | null = null;
  private messages = 0;
  private target = 0;
  private endMs = 0;
  private asked = 0;
  private out = Buffer.allocUnsafeSlow(1024 * 1024);
  private outBytes = 0;
  private done: () => void = () => {};

  async open(order: ConsumeOrder): Promise<void> {
    this.order = order;
    const connection = new Connection(order.port);
    this.connection = connection;
    await connection.open(`SUB ${INBOX}.api 1\r\nSUB ${INBOX}.in 2\r\n`);
    const deliveries = new Deliveries(connection, (delivery) => this.take(delivery));
    connection.onBytes = (bytes, length) => {
      deliveries.feed(bytes, length);
      this.flush();
      if (this.messages >= this.target) this.done();
    };
  }

  /** Makes the consumer and reads until `count` messages came, or the time is over and all that was asked for has come. */
  async run(durationMs: number, count: number): Promise<ConsumeResult> {
    const { stream, config } = this.order!;
    const connection = this.connection!;
    this.messages = this.asked = 0;
    this.target = count;
    this.pull = null;
    const beganMs = nowMs();
    this.endMs = beganMs + durationMs;
    const settings = config.deliver_subject === undefined ? config : { ...config, deliver_subject: `${INBOX}.in` };
    const body = JSON.stringify({ stream_name: stream, config: settings });
    await new Promise<void>((resolve, reject) => {
      connection.onFailure = reject;
      this.done = resolve;
      const subject = `CONSUMER.DURABLE.CREATE.${stream}.${config.durable_name}`;
      const api = config.durable_name === undefined ? `CONSUMER.CREATE.${stream}` : subject;
      connection.socket.write(`PUB $JS.API.${api} ${INBOX}.api ${body.length}\r\n${body}\r\n`);
    });
    return { messages: this.messages, elapsedMs: nowMs() - beganMs };
  }

  private take(delivery: Delivery): void {
    const { bytes, lineStart, bodyStart, bodyEnd, hasHeaders } = delivery;
    // `MSG _INBOX….in 2 …`: the subject ends in `.api` for answers of the API.
    const subjectEnd = bytes.indexOf(SPACE, lineStart + 5);
    if (bytes[subjectEnd - 1] === I) this.onCreated(delivery);
    else if (hasHeaders || bodyEnd - bodyStart !== this.order!.payloadBytes) this.onStatus(delivery);
    else this.onMessage(delivery, subjectEnd);
  }

  private onMessage(delivery: Delivery, subjectEnd: number): void {
    this.messages++;
    if (this.order!.config.ack_policy === 'explicit') this.acknowledge(delivery, subjectEnd);
    if (this.pull !== null) this.askMore();
  }

  private onCreated({ bytes, bodyStart, bodyEnd }: Delivery): void {
    const answer = JSON.parse(bytes.toString('latin1', bodyStart, bodyEnd));
    if (answer.error !== undefined) this.connection!.fail(new Error(JSON.stringify(answer.error)));
    if (answer.config?.deliver_subject !== undefined) return;
    const { stream, batch } = this.order!;
    const body = `{"batch":${batch},"expires":${PULL_EXPIRES_NS}}`;
    this.pull = `PUB $JS.API.CONSUMER.MSG.NEXT.${stream}.${answer.name} ${INBOX}.in ${body.length}\r\n${body}\r\n`;
    this.askMore();
  }

  private askMore(): void {
    const { batch, ahead } = this.order!;
    const open = this.asked - this.messages;
    if (open > (ahead ? batch / 2 : 0) || this.asked >= this.target) return;
    if (nowMs() >= this.endMs) {
      this.target = Math.min(this.target, this.asked);
      return;
    }
    this.asked += batch;
    this.write(Buffer.from(this.pull!, 'latin1'), 0, this.pull!.length);
  }

  /** `PUB <reply> 4\r\n+ACK\r\n`. The line is `MSG <subject> <sid> <reply> <bytes>`. */
  private acknowledge({ bytes, lineEnd }: Delivery, subjectEnd: number): void {
    const replyStart = bytes.indexOf(SPACE, subjectEnd + 1) + 1;
    const replyEnd = bytes.lastIndexOf(SPACE, lineEnd);
    this.write(PUB, 0, PUB.length);
    this.write(bytes, replyStart, replyEnd);
    this.write(ACK, 0, ACK.length);
  }

  /** Flow control is answered; a heartbeat says nothing. */
  private onStatus(delivery: Delivery): void {
    const { bytes, lineStart, lineEnd, bodyStart, bodyEnd } = delivery;
    const status = bytes.toString('latin1', bodyStart, bodyEnd);
    if (!status.startsWith('NATS/1.0 100')) this.connection!.fail(new Error(`not a message: ${textOf(delivery)}`));
    const words = bytes.toString('latin1', lineStart, lineEnd).split(' ');
    if (status.includes('FlowControl')) this.connection!.socket.write(`PUB ${words[3]} 0\r\n\r\n`);
  }

  private write(source: Buffer, start: number, end: number): void {
    if (this.outBytes + end - start > this.out.length) this.flush();
    source.copy(this.out, this.outBytes, start, end);
    this.outBytes += end - start;
  }

  private flush(): void {
    if (this.outBytes === 0) return;
    const { socket } = this.connection!;
    socket.write(this.out.subarray(0, this.outBytes));
    this.outBytes = 0;
    if (socket.writableLength > 0) this.out = Buffer.allocUnsafeSlow(this.out.length);
  }

  close(): void {
    this.connection?.close();
    this.connection = null;
  }
}
