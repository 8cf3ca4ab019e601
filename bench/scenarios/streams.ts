import type { AskOrder, AskResult } from '../load/orders.js';
import type { Metric, Run, Sample, Scenario } from '../scenario.js';
import type { ServerProcess } from '../server-process.js';
import { fill, makeStream, withStreams } from '../stream-server.js';

export const PAYLOAD_BYTES = 128;
const KEYS = 10_000;
const KV_IN_FLIGHT = 500;
const STREAM = { name: 'BENCH', subject: 'bench.stream' };
const BUCKET = { stream: 'KV_BENCH', keys: '$KV.BENCH.' };
/** What KV clients make a bucket of. */
const BUCKET_CONFIG = {
  subjects: [`${BUCKET.keys}>`],
  max_msgs_per_subject: 1,
  discard: 'new',
  allow_rollup_hdrs: true,
  allow_direct: true,
  deny_delete: true,
};
const oneSubject = { prefix: STREAM.subject, count: 0, suffix: '' };
const publishing = { payloadBytes: PAYLOAD_BYTES, answer: { kind: 'acknowledgement' } } as const;

function metric(id: string, title: string, ratio: number): Metric {
  return { id, title, unit: 'msg/s', better: 'higher', goals: [{ than: 'newest', ratio }] };
}

/** Answers in a second, and who was busy. */
async function measureAsking(
  run: Run,
  server: ServerProcess,
  { inside = false, ...order }: Omit<AskOrder, 'port'> & { inside?: boolean },
): Promise<AskingResult> {
  const { sender } = run;
  await sender.ask('asker', 'open', { ...order, port: server.port });
  await sender.ask('asker', 'run', run.warmMs, null);
  // What it said before is of the time until it was warm.
  if (inside) await server.inside();
  const before = [server.cpuSeconds, await sender.cpuSeconds()];
  const { answers, elapsedMs } = await sender.ask<AskResult>('asker', 'run', run.runMs, null);
  const seconds = elapsedMs / 1000;
  const [serverCores, senderCores] = [
    (server.cpuSeconds - before[0]) / seconds,
    ((await sender.cpuSeconds()) - before[1]) / seconds,
  ];
  return { perSecond: answers / seconds, cores: { serverCores, senderCores, receiverCores: 0 } };
}

interface AskingResult {
  perSecond: number;
  cores: Sample;
}

interface Publishing {
  connections: number;
  window: number;
  syncing: boolean;
}

async function publish(run: Run, { connections, window, syncing }: Publishing, inside = false) {
  return withStreams(run, { syncing, inside }, async (server) => {
    await makeStream(server.port, STREAM.name, { subjects: [STREAM.subject] });
    const order = { ...publishing, subjects: oneSubject, connections: run.scale(connections), window, inside };
    const result = await measureAsking(run, server, order);
    return { ...result, inside: inside ? await server.inside() : null };
  });
}

function publishRow(row: Metric, publishing: Publishing): Scenario {
  return {
    id: row.id,
    newestOnly: true,
    metrics: [row],
    async run(run) {
      const { perSecond, cores } = await publish(run, publishing);
      return { [row.id]: perSecond, ...cores };
    },
  };
}

async function withBucket<T>(run: Run, use: (server: ServerProcess) => Promise<T>): Promise<T> {
  return withStreams(run, {}, async (server) => {
    await makeStream(server.port, BUCKET.stream, BUCKET_CONFIG);
    return use(server);
  });
}

const kvPut: Scenario = {
  id: 'kv-put',
  newestOnly: true,
  metrics: [metric('kv-put', `KV put, ${KEYS.toLocaleString('en')} keys, ${KV_IN_FLIGHT} in flight, 128 B`, 1.5)],
  run: (run) =>
    withBucket(run, async (server) => {
      const subjects = { prefix: BUCKET.keys, count: KEYS, suffix: '' };
      const order = { ...publishing, subjects, connections: 1, window: KV_IN_FLIGHT };
      const { perSecond, cores } = await measureAsking(run, server, order);
      return { 'kv-put': perSecond, ...cores };
    }),
};

const kvGet: Scenario = {
  id: 'kv-get',
  newestOnly: true,
  metrics: [metric('kv-get', `KV get, ${KEYS.toLocaleString('en')} keys, ${KV_IN_FLIGHT} in flight, 128 B`, 1.5)],
  run: (run) =>
    withBucket(run, async (server) => {
      const keys = run.scale(KEYS);
      const { port } = server;
      const subjects = { prefix: BUCKET.keys, count: keys, suffix: '' };
      await fill(run, { port, subjects, payloadBytes: PAYLOAD_BYTES }, keys);
      const { perSecond, cores } = await measureAsking(run, server, {
        connections: 1,
        window: KV_IN_FLIGHT,
        subjects: { prefix: `$JS.API.DIRECT.GET.${BUCKET.stream}.${BUCKET.keys}`, count: keys, suffix: '' },
        payloadBytes: 0,
        answer: { kind: 'message', payloadBytes: PAYLOAD_BYTES },
      });
      return { 'kv-get': perSecond, ...cores };
    }),
};

const stalls: Scenario = {
  id: 'stream-stalls',
  only: 'weir',
  metrics: [
    {
      id: 'stream-stalls',
      title: 'stream, event loop late while publishing at full speed: p99.9',
      unit: 'ms',
      better: 'lower',
      limit: 20,
    },
  ],
  async run(run) {
    const { inside } = await publish(run, { connections: 1, window: 4_000, syncing: false }, true);
    return { 'stream-stalls': inside!.loopP999Ms };
  },
};

/** Weir syncs before it acknowledges in all of them; nats-server does where the title says so. */
export const streams: Scenario[] = [
  publishRow(metric('stream-async-500', 'stream, async publish, window 500, 128 B', 2), {
    ...{ connections: 1, window: 500, syncing: false },
  }),
  publishRow(metric('stream-async-4000', 'stream, async publish, window 4,000, 128 B', 2), {
    ...{ connections: 1, window: 4_000, syncing: false },
  }),
  publishRow(metric('stream-sync', 'stream, one publisher, one at a time, both sync always, 128 B', 1), {
    ...{ connections: 1, window: 1, syncing: true },
  }),
  publishRow(metric('stream-sync-100', 'stream, 100 publishers, one at a time each, both sync always, 128 B', 3), {
    ...{ connections: 100, window: 1, syncing: true },
  }),
  kvPut,
  kvGet,
  stalls,
];
