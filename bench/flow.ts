import type { PublisherOrder, PublishResult, ReceiveResult, SubscriberOrder } from './load/orders.js';
import type { Run } from './scenario.js';
import type { ServerProcess } from './server-process.js';

/** Messages from publishers through a server to subscribers. */
export interface Flow {
  publishers: Omit<PublisherOrder, 'port' | 'tls' | 'wire'>;
  subscribers: Omit<SubscriberOrder, 'port' | 'tls' | 'headers'> | null;
  /** Deliveries for each message published. */
  copies: number;
  /** Of a server that has TLS, by a handshake that comes first. */
  tls?: boolean;
  /** Messages that may be on their way: for what comes behind the server and cannot be slowed down by it. */
  windowMessages?: number;
}

export interface FlowResult {
  publishedPerSecond: number;
  deliveredPerSecond: number;
  /** CPU seconds of the server for a million messages published. */
  serverCpuPerMillion: number;
  /** Cores kept busy during the run: a load process near 1 is a bottleneck. */
  cores: { serverCores: number; senderCores: number; receiverCores: number };
}

/** Publishes for `warmMs`, then measures for `runMs`: from the first write until the last message has arrived. */
export async function runFlow(run: Run, server: ServerProcess, flow: Flow): Promise<FlowResult> {
  const { sender, receiver } = run;
  const { subscribers, publishers, copies, tls = false } = flow;
  if (subscribers !== null) {
    const order = { ...subscribers, port: server.port, tls, headers: publishers.headers };
    await receiver.ask('subscriber', 'open', order);
  }
  await sender.ask('publisher', 'open', { ...publishers, port: server.port, tls, wire: server.wire });
  receiver.onProgress = (messages) => {
    if (flow.windowMessages !== undefined) sender.ask('publisher', 'credit', messages / copies).catch(() => {});
  };
  await burst(run, flow, run.warmMs);
  const cpuBefore = [server.cpuSeconds, await sender.cpuSeconds(), await receiver.cpuSeconds()];
  const { messages, elapsedMs } = await burst(run, flow, run.runMs);
  const cpu = [server.cpuSeconds, await sender.cpuSeconds(), await receiver.cpuSeconds()];
  const used = cpu.map((seconds, i) => seconds - cpuBefore[i]);
  const seconds = elapsedMs / 1000;
  return {
    publishedPerSecond: messages / seconds,
    deliveredPerSecond: (messages * copies) / seconds,
    serverCpuPerMillion: (used[0] / messages) * 1e6,
    cores: {
      serverCores: used[0] / seconds,
      senderCores: used[1] / seconds,
      receiverCores: used[2] / seconds,
    },
  };
}

async function burst(run: Run, flow: Flow, durationMs: number): Promise<{ messages: number; elapsedMs: number }> {
  const { sender, receiver } = run;
  if (flow.subscribers !== null) await receiver.ask('subscriber', 'begin', false);
  const published = await sender.ask<PublishResult>('publisher', 'run', durationMs, flow.windowMessages ?? null);
  let endedMs = published.endedMs;
  if (flow.subscribers !== null) {
    const expected = Math.round(published.messages * flow.copies);
    const received = await receiver.ask<ReceiveResult>('subscriber', 'receive', expected);
    endedMs = Math.max(endedMs, received.lastMs);
  }
  return { messages: published.messages, elapsedMs: endedMs - published.startedMs };
}
