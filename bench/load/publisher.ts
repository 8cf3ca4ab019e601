import { Connection } from './connection.js';
import { type Chunk, encodeChunks } from './frames.js';
import { nowMs, type PacedResult, type PublisherOrder, type PublishResult } from './orders.js';

/** Writes batches that were encoded before, as fast as the server takes them or at a given rate. */
export class Publisher {
  private connections: Connection[] = [];
  private chunks: Chunk[][] = [];
  private sent = 0;
  private endMs = 0;
  private windowMessages = Number.POSITIVE_INFINITY;
  private done = 0;
  private paused: (() => void)[] = [];
  private wire: PublisherOrder['wire'] = 'published';

  async open(order: PublisherOrder): Promise<void> {
    this.wire = order.wire;
    this.chunks = Array.from({ length: order.subjectEach ? order.connections : 1 }, (_, i) => encodeChunks(order, i));
    this.connections = Array.from({ length: order.connections }, () => new Connection(order.port, {}, order.tls));
    await Promise.all(this.connections.map((connection) => connection.open('')));
  }

  /** Publishes for so long; ends when the server has handled everything, where it can be asked. At most `windowMessages` are on their way. */
  async run(durationMs: number, windowMessages: number | null): Promise<PublishResult> {
    this.sent = 0;
    this.done = 0;
    this.windowMessages = windowMessages ?? Number.POSITIVE_INFINITY;
    const startedMs = nowMs();
    this.endMs = startedMs + durationMs;
    await Promise.all(
      this.connections.map((connection, i) => this.pump(connection, this.chunks[i % this.chunks.length])),
    );
    if (this.wire === 'published') await Promise.all(this.connections.map((connection) => connection.flush()));
    return { messages: this.sent, startedMs, endedMs: nowMs() };
  }

  /** So many messages have arrived where they were sent to. */
  credit(done: number): void {
    this.done = done;
    for (const goOn of this.paused.splice(0)) goOn();
  }

  private pump(connection: Connection, chunks: Chunk[]): Promise<void> {
    const socket = connection.socket;
    let next = 0;
    return new Promise((resolve, reject) => {
      const end = () => {
        socket.off('drain', write);
        resolve();
      };
      connection.onFailure = reject;
      const write = () => {
        for (;;) {
          if (nowMs() >= this.endMs) return end();
          if (this.sent - this.done >= this.windowMessages) {
            this.paused.push(write);
            return;
          }
          const chunk = chunks[next++ % chunks.length];
          this.sent += chunk.messages;
          if (!socket.write(chunk.bytes)) return;
        }
      };
      socket.on('drain', write);
      write();
    });
  }

  /** Publishes `perSecond` messages a second in a batch each millisecond, however slowly they are taken. */
  runPaced(durationMs: number, perSecond: number): Promise<PacedResult> {
    const connection = this.connections[0];
    const { bytes, messages } = this.chunks[0][0];
    const messageBytes = bytes.length / messages;
    const batchMs: number[] = [];
    const batchMessages: number[] = [];
    const startedMs = nowMs();
    let sent = 0;
    return new Promise((resolve, reject) => {
      connection.onFailure = reject;
      const tick = () => {
        const now = nowMs();
        let due = Math.floor(((now - startedMs) / 1000) * perSecond) - sent;
        sent += Math.max(0, due);
        for (; due > 0; due -= messages) {
          connection.socket.write(due >= messages ? bytes : bytes.subarray(0, due * messageBytes));
        }
        batchMs.push(now);
        batchMessages.push(sent);
        if (now - startedMs < durationMs) setTimeout(tick, 1);
        else {
          connection
            .flush()
            .then(() => resolve({ messages: sent, startedMs, endedMs: nowMs(), batchMs, batchMessages }), reject);
        }
      };
      tick();
    });
  }

  close(): void {
    for (const connection of this.connections) connection.close();
    this.connections = [];
    this.chunks = [];
    this.paused = [];
  }
}
