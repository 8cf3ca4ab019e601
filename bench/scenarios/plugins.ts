import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Flow, type FlowResult, runFlow } from '../flow.js';
import type { Run, Sample, Scenario } from '../scenario.js';
import { type Attached, missing, withAttachments } from './attachments.js';
import { oneSubject } from './flows.js';
import { shareOf } from './side-by-side.js';

const SERVICE = fileURLToPath(new URL('./relay-service.js', import.meta.url));
const SUBJECT = 'bench.subject';
const RAW_SUBJECT = 'bench.raw.in';
/** The filter lets values from here on through. */
const LOWEST = 50;
const LOW_AND_HIGH = [12.25, 87.5, 49.75, 50.25];
const HIGH_ONLY = [62.25, 87.5, 99.75, 50.25];
/** Fewer bytes than make nats-server cut a slow subscriber off. */
const SERVICE_WINDOW_MESSAGES = 50_000;

const obstacle = () => missing('threshold');

/** JSON readings of 128 B on one subject; `passing` of them arrive. */
function readings(values: number[], passing: number): Flow {
  const flow = oneSubject(1, 1, 128);
  flow.publishers.payload = { kind: 'json', bytes: 128, values };
  flow.copies = passing;
  return flow;
}

function attachment(name: string, subject: string): Attached {
  return { name, plugin: 'threshold', subject, config: { field: 'value', at_least: LOWEST } };
}

/** Throughput with attachments as a percentage of that without. */
function share(run: Run, attachments: Attached[], flows: { with: Flow; without: Flow }): Promise<number> {
  return withAttachments(attachments, (args) => shareOf(run, { with: args, without: [] }, flows));
}

/** nats-server and the service: published on one subject, filtered by the service, received on another. */
async function throughService(run: Run): Promise<FlowResult> {
  const server = await run.start();
  const service = await startService(server.port);
  try {
    const flow = readings(LOW_AND_HIGH, 0.5);
    flow.publishers.subjects = { prefix: RAW_SUBJECT, count: 0, suffix: '' };
    flow.windowMessages = SERVICE_WINDOW_MESSAGES;
    return await runFlow(run, server, flow);
  } finally {
    service.kill();
  }
}

function startService(port: number): Promise<ChildProcess> {
  const service = fork(SERVICE, [String(port), RAW_SUBJECT, SUBJECT, String(LOWEST)]);
  return new Promise((resolve, reject) => {
    service.once('message', () => resolve(service));
    service.once('exit', (code) => reject(new Error(`the service ended with ${code} before it was ready`)));
  });
}

export const plugins: Scenario[] = [
  {
    id: 'filter',
    metrics: [
      {
        id: 'filter',
        title: 'JSON filter, 128 B, half dropped: a plugin, or nats-server and a service',
        unit: 'msg/s',
        better: 'higher',
        goals: [
          { than: '2.9', ratio: 6 },
          { than: 'newest', ratio: 6 },
        ],
      },
    ],
    obstacle,
    async run(run): Promise<Sample> {
      const result =
        run.peer.kind === 'nats-server'
          ? await throughService(run)
          : await withAttachments([attachment('filter', SUBJECT)], async (args) =>
              runFlow(run, await run.start(args), readings(LOW_AND_HIGH, 0.5)),
            );
      return { filter: result.publishedPerSecond, ...result.cores };
    },
  },
  {
    id: 'filter-cost',
    metrics: [
      {
        id: 'filter-pass-share',
        title: 'with a JSON filter that lets all through, of without',
        unit: '%',
        better: 'higher',
        limit: 70,
      },
      {
        id: 'filter-half-share',
        title: 'with a JSON filter that drops half, of without',
        unit: '%',
        better: 'higher',
        limit: 70,
      },
    ],
    only: 'weir',
    obstacle,
    async run(run) {
      const filter = [attachment('filter', SUBJECT)];
      const high = readings(HIGH_ONLY, 1);
      const mixed = { with: readings(LOW_AND_HIGH, 0.5), without: readings(LOW_AND_HIGH, 1) };
      return {
        'filter-pass-share': await share(run, filter, { with: high, without: high }),
        'filter-half-share': await share(run, filter, mixed),
      };
    },
  },
  {
    id: 'worker-tier',
    metrics: [
      {
        id: 'worker-tier',
        title: 'JSON filter in a worker thread, not metered, 128 B, half dropped',
        unit: 'msg/s',
        better: 'higher',
        limit: 300_000,
      },
    ],
    only: 'weir',
    obstacle,
    async run(run): Promise<Sample> {
      const beside: Attached = { ...attachment('beside', SUBJECT), tier: 'worker', metering: 'off' };
      const result = await withAttachments([beside], async (args) =>
        runFlow(run, await run.start(args), readings(LOW_AND_HIGH, 0.5)),
      );
      return { 'worker-tier': result.publishedPerSecond };
    },
  },
  {
    id: 'attachments-1000',
    metrics: [
      {
        id: 'attachments-1000-share',
        title: 'with 1,000 attachments on other subjects, of without, 1→1 128 B',
        unit: '%',
        better: 'higher',
        limit: 98,
      },
    ],
    only: 'weir',
    obstacle,
    async run(run) {
      const others = Array.from({ length: run.scale(1000) }, (_, i) => attachment(`other-${i}`, `other.${i}.>`));
      const flow = oneSubject(1, 1, 128);
      return { 'attachments-1000-share': await share(run, others, { with: flow, without: flow }) };
    },
  },
];
