import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumeOrder, ConsumeResult } from '../load/orders.js';
import type { Metric, Run, Sample, Scenario } from '../scenario.js';
import type { ServerProcess } from '../server-process.js';
import { fill, makeStream, waitForMessages, withStreams } from '../stream-server.js';
import { PAYLOAD_BYTES } from './streams.js';

const MESSAGES = 1_000_000;
const SUBJECTS = 1_000_000;
const BATCH = 500;
const STREAM = { name: 'BENCH', subject: 'bench.stream' };
/** After this long without work a server has written what it writes later, and given back what it gives back. */
const SETTLE_MS = 1_500;
/** Longer than any run. */
const FOR_EVER_MS = 50_000;
const RUNS_MAX = 3;

type Reading = Pick<ConsumeOrder, 'config' | 'batch' | 'ahead'>;

const READINGS: Record<string, Reading> = {
  /** As `fetch` of the clients: the next batch when one is there. */
  'stream-pull': {
    ...{ batch: BATCH, ahead: false },
    config: { ack_policy: 'explicit', deliver_policy: 'all', durable_name: 'PULL' },
  },
  /** What clients call an ordered consumer: today's, and the one before. */
  'stream-ordered': { batch: BATCH, ahead: true, config: { ack_policy: 'none', deliver_policy: 'all' } },
  'stream-replay': {
    ...{ batch: 0, ahead: false },
    config: {
      ...{ deliver_subject: 'set by the load', ack_policy: 'none', deliver_policy: 'all', max_deliver: 1 },
      ...{ flow_control: true, idle_heartbeat: 5e9, mem_storage: true },
    },
  },
};

async function read(run: Run, server: ServerProcess, id: string, count: number): Promise<[number, Sample]> {
  const { receiver } = run;
  const order = { ...READINGS[id], port: server.port, stream: STREAM.name, payloadBytes: PAYLOAD_BYTES };
  await receiver.ask('consumer', 'open', order);
  const before = [server.cpuSeconds, await receiver.cpuSeconds()];
  const { messages, elapsedMs } = await receiver.ask<ConsumeResult>('consumer', 'run', FOR_EVER_MS, count);
  const seconds = elapsedMs / 1000;
  const cores = {
    serverCores: (server.cpuSeconds - before[0]) / seconds,
    senderCores: 0,
    receiverCores: ((await receiver.cpuSeconds()) - before[1]) / seconds,
  };
  await receiver.ask('consumer', 'close');
  return [messages / seconds, cores];
}

function rate(id: string, title: string): Metric {
  return { id, title, unit: 'msg/s', better: 'higher', goals: [{ than: 'newest', ratio: 1.5 }] };
}

/** One stream of a million messages: its size, then readers one after the other. */
const reads: Scenario = {
  id: 'stream-read',
  newestOnly: true,
  metrics: [
    {
      ...{ id: 'stream-disk', title: 'stream, 1,000,000 × 128 B on disk', unit: 'MB', better: 'lower' },
      goals: [{ than: 'newest', ratio: 1 }],
    },
    rate('stream-replay', 'stream, replay of 1,000,000 × 128 B, pushed in order'),
    rate('stream-ordered', 'stream, replay of 1,000,000 × 128 B, pulled in order'),
    rate('stream-pull', 'stream, pull consumer, batch 500, explicit ack, 128 B'),
  ],
  run: (run) =>
    withStreams(run, {}, async (server, folder) => {
      const { port } = server;
      const count = run.scale(MESSAGES);
      await makeStream(port, STREAM.name, { subjects: [STREAM.subject] });
      await fill(run, { port, subjects: { prefix: STREAM.subject, count: 0, suffix: '' }, payloadBytes: 128 }, count);
      await sleep(run.scale(SETTLE_MS));
      const sample: Sample = { 'stream-disk': folder.bytes / 1e6 };
      let cores: Sample = {};
      for (const id of ['stream-replay', 'stream-ordered', 'stream-pull'])
        [sample[id], cores] = await read(run, server, id, id === 'stream-pull' ? Math.ceil(count / 2) : count);
      return { ...sample, ...cores };
    }),
};

const memory: Scenario = {
  id: 'stream-subjects',
  leftOut: 'quick',
  newestOnly: true,
  runsMax: RUNS_MAX,
  metrics: [
    {
      ...{ id: 'stream-subjects', title: 'memory with 1,000,000 subjects in one stream', unit: 'MB', better: 'lower' },
      goals: [{ than: 'newest', ratio: 1 }],
    },
  ],
  run: (run) =>
    withStreams(run, {}, async (server) => {
      const { port } = server;
      const count = run.scale(SUBJECTS);
      await makeStream(port, STREAM.name, { subjects: [`${STREAM.subject}.>`] });
      await fill(run, { port, subjects: { prefix: `${STREAM.subject}.`, count, suffix: '' }, payloadBytes: 16 }, count);
      await waitForMessages(port, STREAM.name, count);
      await sleep(run.scale(SETTLE_MS));
      return { 'stream-subjects': server.residentBytes / 1e6 };
    }),
};

export const streamReads: Scenario[] = [reads, memory];
