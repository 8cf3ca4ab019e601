import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as zlib from 'node:zlib';
import { utf8 } from '../../src/base/bytes.js';
import { systemClock } from '../../src/base/clock.js';
import { composeMessage, hashSubject, type Message } from '../../src/message/message.js';
import { crc32 } from '../../src/storage/crc32.js';
import type { FileLog } from '../../src/storage/file-log.js';
import { MemoryLog } from '../../src/storage/memory-log.js';
import { type LogListener, type MessageLog, StoredMessage } from '../../src/storage/message-log.js';
import { nodeDisk } from '../../src/storage/node-disk.js';
import { Store } from '../../src/storage/store.js';
import type { MicroFigure } from '../micro.js';
import { kept, nsPerStep } from '../timing.js';

const PAYLOAD_BYTES = 128;
const MESSAGES = 1_000_000;
const SUBJECT = 'bench.storage';
const CRC_ROUNDS = 100_000;

const ignored: LogListener = { onCommit() {}, onTrouble() {}, onDamage() {}, onRemoved() {} };
const time = { timeMs: 1_767_225_600_000, timeNs: 0 };

function benchMessage(subject = SUBJECT): Message {
  return composeMessage({
    subject: utf8(subject),
    reply: null,
    headers: null,
    payload: new Uint8Array(PAYLOAD_BYTES).fill(120),
  });
}

/** Appends `count` messages, `window` of which may wait for their commit; resolves when all are committed. */
function appendAll(
  open: (listener: LogListener) => Promise<MessageLog>,
  count: number,
  window: number,
): Promise<MessageLog> {
  return new Promise((resolve, reject) => {
    const message = benchMessage();
    let log: MessageLog;
    let sent = 0;
    const fill = () => {
      while (sent < count && sent - log.committedSequence < window) {
        if (log.append(message, time) < 0) return reject(new Error('the log refused a message'));
        sent++;
      }
    };
    const listener: LogListener = {
      ...ignored,
      onCommit: (sequence) => (sequence === count ? resolve(log) : fill()),
      onTrouble: (trouble) => trouble && reject(trouble),
    };
    open(listener).then((opened) => {
      log = opened;
      fill();
    }, reject);
  });
}

async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = await Promise.all(
    names.map(async (name) => (name === 'index' ? 0 : (await stat(join(folder, name))).size)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function checksums(): MicroFigure[] {
  const bytes = new Uint8Array(16 * 1024).fill(7);
  const view = new DataView(bytes.buffer);
  const run = (sum: (start: number) => number) =>
    nsPerStep(CRC_ROUNDS, () => {
      for (let i = 0; i < CRC_ROUNDS; i++) kept.value ^= sum((i * 57) & 1023);
    });
  return [64, 166, 1024].flatMap((length) => [
    { name: `crc32 of ${length} B`, ns: run((start) => crc32(bytes, view, start, start + length)) },
    {
      name: `crc32 of ${length} B, zlib's`,
      ns: run((start) => zlib.crc32(bytes.subarray(start, start + length))),
    },
  ]);
}

async function withStore<T>(run: (store: Store, folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const store = await Store.open({ disk: nodeDisk, clock: systemClock, folder });
  try {
    return await run(store, folder);
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function appends(window: number, count: number): Promise<MicroFigure> {
  return withStore(async (store) => {
    const delays = monitorEventLoopDelay({ resolution: 1 });
    const started = process.hrtime.bigint();
    delays.enable();
    const log = await appendAll((listener) => store.openLog('log', { listener }), count, window);
    const ns = Number(process.hrtime.bigint() - started) / count;
    delays.disable();
    await log.close();
    const stall = ((delays.percentile(99.9) - 1e6) / 1e6).toFixed(1);
    return {
      name: `append ${PAYLOAD_BYTES} B and fsync, window ${window}`,
      ns,
      note: `event loop late by ${stall} ms at p99.9`,
    };
  });
}

function replay(log: MessageLog, count: number): number {
  const into = new StoredMessage();
  const started = process.hrtime.bigint();
  for (let from = 1; log.next(from, null, into); from = into.sequence + 1) kept.value ^= into.message.payloadEnd;
  return Number(process.hrtime.bigint() - started) / count;
}

/** Replay, recovery with and without the checkpoint, and size on disk of a million messages. */
async function million(): Promise<MicroFigure[]> {
  return withStore(async (store, folder) => {
    const open = (listener: LogListener = ignored): Promise<FileLog> => store.openLog('log', { listener });
    let log = await appendAll(open, MESSAGES, 4000);
    await log.close();
    const bytes = await folderBytes(join(folder, 'log'));
    const perMessage = bytes / MESSAGES;
    const recovered = async (name: string): Promise<MicroFigure> => {
      const started = process.hrtime.bigint();
      log = await open();
      return { name, ns: Number(process.hrtime.bigint() - started) / MESSAGES };
    };
    const clean = await recovered('recover one of 1,000,000 messages after a clean stop');
    const figures = [
      { name: 'replay, from disk', ns: replay(log, MESSAGES), note: `${perMessage.toFixed(1)} B a message on disk` },
      { name: 'replay, once more', ns: replay(log, MESSAGES) },
    ];
    await log.close();
    await rm(join(folder, 'log', 'index'));
    const whole = await recovered('recover one of 1,000,000 messages from the segments alone');
    await log.close();
    return [...figures, clean, whole];
  });
}

/** Memory and time of a million subjects in one log. */
function manySubjects(): MicroFigure[] {
  const log = new MemoryLog(ignored);
  const messages = Array.from({ length: 1000 }, (_, i) => benchMessage(`device.${1000 + i}.00000`));
  const before = memory();
  const started = process.hrtime.bigint();
  for (let i = 0; i < MESSAGES; i++) {
    const message = messages[i % 1000];
    const digits = String(10_000 + Math.floor(i / 1000));
    for (let at = 0; at < 5; at++) message.bytes[12 + at] = digits.charCodeAt(at);
    message.subjectHash = hashSubject(message.bytes, message.subjectStart, message.subjectEnd);
    log.append(message, time);
  }
  const ns = Number(process.hrtime.bigint() - started) / MESSAGES;
  // A record takes ten bytes more than what is counted for the message.
  const each = (memory() - before - log.state.bytes) / MESSAGES - 10;
  kept.value ^= log.state.subjects;
  return [
    { name: 'append in memory, each to a new subject', ns, note: `${each.toFixed(0)} B a subject beside the messages` },
  ];
}

function memory(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** The message log: appending with group commit, reading back, recovering. */
export async function benches(): Promise<MicroFigure[]> {
  // First of all: what others leave to the collector would spoil the figure of memory.
  const figures = [...manySubjects(), ...checksums()];
  figures.push(await appends(1, 2000), await appends(500, 500_000), await appends(4000, 1_000_000));
  figures.push(...(await million()));
  return figures;
}
