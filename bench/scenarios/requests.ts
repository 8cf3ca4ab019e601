import type { RequestOrder, RequestResult } from '../load/orders.js';
import type { Run, Scenario } from '../scenario.js';

const ORDER: Omit<RequestOrder, 'port' | 'wire'> = { subject: 'service.echo', payloadBytes: 16 };

async function ask(run: Run, inFlight: number): Promise<RequestResult> {
  const server = await run.start();
  const order = { ...ORDER, port: server.port, wire: server.wire };
  await run.receiver.ask('responder', 'open', order);
  await run.sender.ask('requester', 'open', order);
  await run.sender.ask('requester', 'run', run.warmMs, inFlight);
  return run.sender.ask('requester', 'run', run.runMs, inFlight);
}

export const requests: Scenario[] = [
  {
    id: 'reqrep',
    relay: true,
    runsFactor: 3,
    metrics: [
      {
        id: 'reqrep-p50',
        title: 'request and reply, one at a time: p50',
        unit: 'µs',
        better: 'lower',
        goals: [
          { than: '2.9', ratio: 0.5 },
          { than: 'newest', ratio: 0.6 },
        ],
      },
      { id: 'reqrep-p99', title: 'request and reply, one at a time: p99', unit: 'µs', better: 'lower' },
    ],
    async run(run) {
      const result = await ask(run, 1);
      return { 'reqrep-p50': result.p50Us, 'reqrep-p99': result.p99Us };
    },
  },
  {
    id: 'reqrep-100',
    metrics: [
      {
        id: 'reqrep-100',
        title: 'request and reply, 100 in flight',
        unit: 'msg/s',
        better: 'higher',
        goals: [{ than: 'newest', ratio: 1.3 }],
      },
      { id: 'reqrep-100-p99', title: 'request and reply, 100 in flight: p99', unit: 'µs', better: 'lower' },
    ],
    async run(run) {
      const result = await ask(run, 100);
      return { 'reqrep-100': result.requests / (result.elapsedMs / 1000), 'reqrep-100-p99': result.p99Us };
    },
  },
];
