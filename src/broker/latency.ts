import { randomUUID } from 'node:crypto';
import type { Publisher } from './subscription.js';

interface Answered {
  requestor: Publisher | null;
  responder: Publisher | null;
  /** Whether all of the requestor may be told. */
  share: boolean;
  startMs: number;
  totalNs: number;
}

/** How long a service took to answer a request of another account, as nats-server publishes it. */
export function latencyMetric({ requestor, responder, share, startMs, totalNs }: Answered): object {
  const asked = requestor?.requestInfo?.(share) as { rtt?: number } | undefined;
  const answered = responder?.requestInfo?.(true) as { rtt?: number } | undefined;
  const roundTripsNs = (asked?.rtt ?? 0) + (answered?.rtt ?? 0);
  return {
    type: 'io.nats.server.metric.v1.service_latency',
    id: randomUUID().replaceAll('-', '').slice(0, 22),
    timestamp: new Date(startMs + totalNs / 1e6).toISOString(),
    status: 200,
    requestor: asked,
    responder: answered,
    start: new Date(startMs).toISOString(),
    service: Math.max(0, totalNs - roundTripsNs),
    system: 0,
    total: totalNs,
  };
}
