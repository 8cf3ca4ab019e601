import { Connection } from './connection.js';
import { lineStart } from './frames.js';
import { Batch, DIGITS, readDigits, writeDigits } from './numbered.js';
import { nowMs, type RequestOrder, type RequestResult } from './orders.js';

/** A reply subject of its own for each request, as clients with one reply subscription make them. */
const INBOX = '_INBOX.4hFpQ2mZ8sLcXw9TbVn3Re.';
const TOKENS = 10 ** DIGITS;
/** `P` of PING, which begins no message. */
const PING_BYTE = 0x50;
const PING_BYTES = 6;
const LATENCIES_MAX = 1_000_000;

/** Hands on whole records of one length from a stream that may be cut anywhere; a PING between them is skipped. */
export class Records {
  private readonly bytes: number;
  private readonly take: (record: Buffer, at: number) => void;
  private readonly kept: Buffer;
  private keptBytes = 0;
  private skippedBytes = 0;

  constructor(bytes: number, take: (record: Buffer, at: number) => void) {
    this.bytes = bytes;
    this.take = take;
    this.kept = Buffer.alloc(bytes);
  }

  feed(chunk: Buffer, length: number): void {
    let at = this.skippedBytes;
    this.skippedBytes = 0;
    while (at < length) {
      if (this.keptBytes === 0 && chunk[at] === PING_BYTE) at += PING_BYTES;
      else if (this.keptBytes === 0 && at + this.bytes <= length) {
        this.take(chunk, at);
        at += this.bytes;
      } else {
        const taken = Math.min(this.bytes - this.keptBytes, length - at);
        chunk.copy(this.kept, this.keptBytes, at, at + taken);
        at += taken;
        this.keptBytes += taken;
        if (this.keptBytes < this.bytes) continue;
        this.keptBytes = 0;
        this.take(this.kept, 0);
      }
    }
    this.skippedBytes = at - length;
  }
}

/** Answers every request at once. */
export class Responder {
  private connection: Connection | null = null;

  async open(order: RequestOrder): Promise<void> {
    const connection = new Connection(order.port);
    this.connection = connection;
    await connection.open(`SUB ${order.subject} 1\r\n`);
    const before = `MSG ${order.subject} 1 `;
    const line = `${before}${INBOX}${'0'.repeat(DIGITS)} ${order.payloadBytes}\r\n`;
    const start = lineStart(order.wire, INBOX + '0'.repeat(DIGITS));
    const answer = `${start} ${order.payloadBytes}\r\n${'y'.repeat(order.payloadBytes)}\r\n`;
    const out = Batch.of(answer, 4096);
    const records = new Records(line.length + order.payloadBytes + 2, (record, at) => {
      const digits = at + before.length + INBOX.length;
      record.copy(out.bytes, out.used + 'PUB '.length + INBOX.length, digits, digits + DIGITS);
      out.used += answer.length;
    });
    connection.onBytes = (bytes, length) => {
      records.feed(bytes, length);
      out.flush(connection);
    };
  }

  close(): void {
    this.connection?.close();
    this.connection = null;
  }
}

/** Sends requests with `inFlight` of them on their way, and keeps how long each took. */
export class Requester {
  private connection: Connection | null = null;
  private order: RequestOrder | null = null;
  private token = 0;
  private readonly startedMs = new Float64Array(TOKENS);
  private readonly latenciesMs = new Float64Array(LATENCIES_MAX);

  async open(order: RequestOrder): Promise<void> {
    this.order = order;
    this.connection = new Connection(order.port);
    await this.connection.open(`SUB ${INBOX}* 1\r\n`);
  }

  async run(durationMs: number, inFlight: number): Promise<RequestResult> {
    const { wire, subject, payloadBytes } = this.order!;
    const connection = this.connection!;
    const payload = 'x'.repeat(payloadBytes);
    const start = `${lineStart(wire, subject)} ${INBOX}`;
    const request = `${start}${'0'.repeat(DIGITS)} ${payloadBytes}\r\n${payload}\r\n`;
    const tokenAt = start.length;
    const out = Batch.of(request, 4096);
    const answerBytes = `MSG ${INBOX}${'0'.repeat(DIGITS)} 1 ${payloadBytes}\r\n`.length + payloadBytes + 2;
    const answerTokenAt = `MSG ${INBOX}`.length;
    const beganMs = nowMs();
    const endMs = beganMs + durationMs;
    let answers = 0;
    let open = 0;
    const send = (now: number) => {
      this.token = (this.token + 1) % TOKENS;
      this.startedMs[this.token] = now;
      writeDigits(out.bytes, out.used + tokenAt, this.token);
      out.used += request.length;
      open++;
    };
    await new Promise<void>((resolve, reject) => {
      connection.onFailure = reject;
      let now = beganMs;
      const records = new Records(answerBytes, (record, at) => {
        const token = readDigits(record, at + answerTokenAt);
        this.latenciesMs[answers++ % LATENCIES_MAX] = now - this.startedMs[token];
        open--;
        if (now < endMs) send(now);
      });
      connection.onBytes = (bytes, length) => {
        now = nowMs();
        records.feed(bytes, length);
        out.flush(connection);
        if (open === 0) resolve();
      };
      for (let i = 0; i < inFlight; i++) send(now);
      out.flush(connection);
    });
    const elapsedMs = nowMs() - beganMs;
    const sorted = this.latenciesMs.slice(0, Math.min(answers, LATENCIES_MAX)).sort();
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] * 1000;
    return { requests: answers, elapsedMs, p50Us: at(0.5), p99Us: at(0.99) };
  }

  close(): void {
    this.connection?.close();
    this.connection = null;
  }
}
