import type { PacedResult } from '../load/orders.js';
import type { Run, Scenario } from '../scenario.js';
import { type Attached, missing, withAttachments } from './attachments.js';
import { oneSubject } from './flows.js';

const SUBJECT = 'bench.subject';
const PER_SECOND = 10_000;
/** Long enough for the engine to optimize, and to collect what starting left behind. */
const LOAD_MS_MIN = 10_000;
const CELSIUS = [62.25, 87.25, 99.75, 50.25];
const PAYLOAD_BYTES = 128;
/** In Fahrenheit a value is one digit longer, and the row of the table is added. */
const ENRICHED_BYTES = PAYLOAD_BYTES + 1 + ',"site":"plant-7"'.length;

const ATTACHED: Attached[] = [
  { name: 'a', plugin: 'threshold', subject: SUBJECT, config: { field: 'value', at_least: 50 } },
  { name: 'b', plugin: 'convert', subject: SUBJECT, config: { field: 'value', from: 'C', to: 'F' } },
  {
    ...{ name: 'c', plugin: 'enrich', subject: SUBJECT },
    config: { key: 'sensor', table: { 'line-4/oven-17': { site: 'plant-7' } } },
  },
];

/** Readings at an edge device's pace through three plugins, all of which arrive. */
async function load(run: Run, port: number): Promise<void> {
  const { publishers, subscribers } = oneSubject(1, 1, PAYLOAD_BYTES);
  const payload = { kind: 'json', bytes: PAYLOAD_BYTES, values: CELSIUS };
  const subscriber = { ...subscribers, payloadBytes: ENRICHED_BYTES, port, headers: false };
  await run.receiver.ask('subscriber', 'open', subscriber);
  await run.sender.ask('publisher', 'open', { ...publishers, payload, port, wire: 'published' });
  await run.receiver.ask('subscriber', 'begin', false);
  const durationMs = Math.max(run.runMs, run.scale(LOAD_MS_MIN));
  const sent = await run.sender.ask<PacedResult>('publisher', 'runPaced', durationMs, PER_SECOND);
  await run.receiver.ask('subscriber', 'receive', sent.messages);
}

export const edge: Scenario = {
  id: 'edge',
  leftOut: 'quick',
  metrics: [
    {
      ...{ id: 'edge-rss', title: '`--edge`, three plugins at 10,000 msg/s: memory', unit: 'MB', better: 'lower' },
      limit: 64,
    },
    {
      id: 'edge-peak',
      title: '`--edge`, three plugins at 10,000 msg/s: most memory ever',
      unit: 'MB',
      better: 'lower',
    },
  ],
  only: 'weir',
  obstacle: () => missing('threshold', 'convert', 'enrich'),
  run(run) {
    return withAttachments(ATTACHED, async (args) => {
      const server = await run.start([...args, '--edge']);
      await load(run, server.port);
      return { 'edge-rss': server.residentBytes / 1e6, 'edge-peak': server.peakResidentBytes / 1e6 };
    });
  },
};
