import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from '../child.js';
import { ECHO, FRAME_HEAD_BYTES, readFrames, writeFrame } from '../link/frame.js';
import type { PeerReport } from '../link/peer.js';
import { nowMs } from '../load/orders.js';
import type { MicroFigure } from '../micro.js';
import { percentile } from '../statistics.js';
import { kept, nsPerStep } from '../timing.js';
import { chunkOf, newParser, publishSink } from './parser.js';

const PEER = fileURLToPath(new URL('./link-peer.js', import.meta.url));
const BATCH_BYTES = 64 * 1024;
const CHUNKS = 500;
const WARM_MS = 300;
const RUN_MS = 1_000;
const ECHOES = 2_000;
const PAYLOAD_BYTES = 128;
const LINE = `PUB bench.subject ${PAYLOAD_BYTES}\r\n${'x'.repeat(PAYLOAD_BYTES)}\r\n`;

/** Time of making a frame of a message that was parsed, and a batch of such frames. */
function measureWrite(): { ns: number; batch: Buffer; messages: number } {
  const batch = Buffer.alloc(2 * BATCH_BYTES);
  const { bytes, start, end, messages } = chunkOf(LINE);
  let at = 0;
  let framing = false;
  const parser = newParser(
    publishSink((message) => {
      if (framing) at = writeFrame(batch, at, message);
    }),
  );
  const run = () => {
    for (let i = 0; i < CHUNKS; i++) {
      at = 0;
      parser.parse(bytes, start, end);
    }
  };
  const parsing = nsPerStep(CHUNKS * messages, run);
  framing = true;
  const ns = nsPerStep(CHUNKS * messages, run) - parsing;
  return { ns, batch: batch.subarray(0, at), messages };
}

function measureRead(batch: Buffer, messages: number): number {
  const take = (bytes: Buffer, at: number, end: number) => {
    kept.value ^= bytes.readInt32LE(at + 4) ^ end;
  };
  return nsPerStep(CHUNKS * messages, () => {
    for (let i = 0; i < CHUNKS; i++) readFrames(batch, batch.length, take);
  });
}

/** A link to another process: over TCP on this machine, or over a Unix socket. */
class Link {
  private readonly server: Server;
  private readonly peer: ChildProcess;
  readonly socket: Socket;

  private constructor(server: Server, peer: ChildProcess, socket: Socket) {
    this.server = server;
    this.peer = peer;
    this.socket = socket;
  }

  static async open(unix: boolean): Promise<Link> {
    const path = join(tmpdir(), `weir-link-${process.pid}.sock`);
    const server = createServer({ noDelay: true });
    server.listen(unix ? { path } : { port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const address = server.address();
    const peer = fork(PEER, [typeof address === 'object' ? String(address?.port) : path]);
    const [socket] = (await once(server, 'connection')) as [Socket];
    if (unix) rmSync(path, { force: true });
    return new Link(server, peer, socket);
  }

  report(): Promise<PeerReport> {
    return ask<PeerReport>(this.peer, 'report');
  }

  /** Writes the batch over and over for so long; resolves with how often. */
  async pour(batch: Buffer, durationMs: number): Promise<number> {
    const endMs = nowMs() + durationMs;
    let written = 0;
    while (nowMs() < endMs) {
      written++;
      if (!this.socket.write(batch)) await once(this.socket, 'drain');
    }
    return written;
  }

  close(): void {
    this.socket.destroy();
    this.server.close();
    this.peer.disconnect();
  }
}

/** CPU of both processes for a message that crosses the link in batches, and the time there and back of one that crosses alone. */
async function measureLink(unix: boolean, batch: Buffer, messages: number): Promise<MicroFigure[]> {
  const link = await Link.open(unix);
  try {
    await link.pour(batch, WARM_MS);
    await link.report();
    const before = process.cpuUsage();
    const written = await link.pour(batch, RUN_MS);
    const { user, system } = process.cpuUsage(before);
    const report = await link.report();
    const over = unix ? 'a Unix socket' : 'TCP';
    const sending = ((user + system) * 1000) / (written * messages);
    const receiving = (report.cpuMs * 1e6) / report.messages;
    const roundTripUs = await echo(link.socket, batch.subarray(0, 4 + batch.readUInt32LE(0)));
    return [
      { name: `hop over ${over}, 128 B: CPU of the sender`, ns: sending, note: 'in batches of 64 KB' },
      { name: `hop over ${over}, 128 B: CPU of the receiver`, ns: receiving, note: 'frames are read, not routed' },
      { name: `hop over ${over}: there and back, p50`, ns: roundTripUs * 1000, note: 'one message at a time' },
    ];
  } finally {
    link.close();
  }
}

async function echo(socket: Socket, frame: Buffer): Promise<number> {
  const question = Buffer.from(frame);
  question.writeUInt16LE(ECHO, FRAME_HEAD_BYTES - 2);
  const tookUs: number[] = [];
  for (let i = 0; i < ECHOES; i++) {
    const startedMs = nowMs();
    const answer = once(socket, 'data');
    socket.write(question);
    await answer;
    tookUs.push((nowMs() - startedMs) * 1000);
  }
  return percentile(tookUs, 0.5);
}

/** What one hop between two processes adds to a message. */
export async function benches(): Promise<MicroFigure[]> {
  const { ns, batch, messages } = measureWrite();
  return [
    { name: 'frame of a parsed message, 128 B', ns },
    { name: 'read a frame, 128 B', ns: measureRead(batch, messages) },
    ...(await measureLink(false, batch, messages)),
    ...(await measureLink(true, batch, messages)),
  ];
}
