import { runFlow } from '../flow.js';
import type { PacedResult, ReceiveResult } from '../load/orders.js';
import type { Run, Scenario } from '../scenario.js';
import { median, percentile } from '../statistics.js';
import { oneSubject } from './flows.js';

const PAYLOAD_BYTES = 128;
const PEAK_RUNS = 3;
const PEAK_MS_MAX = 800;
/** Long enough for a percentile of batches of a millisecond. */
const PACED_MS_MIN = 2_000;

/** The rate at which all servers are compared: half of what the rival can do at most. */
async function rateOf(run: Run): Promise<number> {
  const known = run.shared.get('rate');
  if (known !== undefined) return known;
  const peaks: number[] = [];
  for (let i = 0; i < PEAK_RUNS; i++) {
    const server = await run.start([], { peer: run.rival });
    const short = { ...run, runMs: Math.min(run.runMs, PEAK_MS_MAX) };
    peaks.push((await runFlow(short, server, oneSubject(1, 1, PAYLOAD_BYTES))).publishedPerSecond);
    await Promise.all([run.sender.reset(), run.receiver.reset()]);
    await server.stop();
  }
  const rate = median(peaks) / 2;
  run.shared.set('rate', rate);
  return rate;
}

/** How long the last message of each batch took from its write to its arrival, in µs. */
function latenciesUs(sent: PacedResult, received: ReceiveResult): number[] {
  const latencies: number[] = [];
  let chunk = 0;
  for (let batch = 0; batch < sent.batchMs.length; batch++) {
    while (received.chunkMessages[chunk] < sent.batchMessages[batch]) chunk++;
    latencies.push((received.chunkMs[chunk] - sent.batchMs[batch]) * 1000);
  }
  return latencies;
}

async function pace(run: Run, durationMs: number, rate: number): Promise<number[]> {
  await run.receiver.ask('subscriber', 'begin', true);
  const sent = await run.sender.ask<PacedResult>('publisher', 'runPaced', durationMs, rate);
  const received = await run.receiver.ask<ReceiveResult>('subscriber', 'receive', sent.messages);
  return latenciesUs(sent, received);
}

export const paced: Scenario = {
  id: 'paced',
  metrics: [
    {
      id: 'paced-p99',
      title: "1→1, 128 B at half of nats-server's peak: p99",
      unit: 'µs',
      better: 'lower',
      goals: [{ than: 'newest', ratio: 1 }],
    },
    { id: 'paced-p50', title: "1→1, 128 B at half of nats-server's peak: p50", unit: 'µs', better: 'lower' },
  ],
  async run(run) {
    const rate = await rateOf(run);
    const server = await run.start();
    const { publishers, subscribers } = oneSubject(1, 1, PAYLOAD_BYTES);
    await run.receiver.ask('subscriber', 'open', { ...subscribers, port: server.port, headers: false });
    await run.sender.ask('publisher', 'open', { ...publishers, port: server.port, wire: server.wire });
    await pace(run, run.warmMs, rate);
    const latencies = await pace(run, Math.max(run.runMs, run.scale(PACED_MS_MIN)), rate);
    return { 'paced-p99': percentile(latencies, 0.99), 'paced-p50': percentile(latencies, 0.5) };
  },
};
