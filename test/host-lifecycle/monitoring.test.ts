import { afterEach, beforeEach, expect, test } from 'vitest';
import { guest } from '../hostile/guest.js';
import { optionsOf } from '../kit/servers.js';
import { Stage, verdictGuest } from './stage.js';

let stage: Stage;
let base: string;
beforeEach(async () => {
  stage = await Stage.open(await optionsOf('http: "127.0.0.1:-1"'));
  base = stage.server.urls.monitoring![0];
  await stage.bring('drop', await verdictGuest(1));
  await stage.bring('fail', await guest({ message: 'unreachable' }));
  for (let i = 0; i < 3; i++) stage.client.publish('drop.in', 'x');
  stage.client.publish('fail.in', 'x');
  await stage.client.flush();
});
afterEach(() => stage.close());

const json = async (path: string) => (await fetch(base + path)).json();

test('/pluginz shows what is installed and attached, and what it did', async () => {
  const all = await json('/pluginz');
  expect(all).toMatchObject({
    ...{ num_plugins: 2, num_attachments: 2, total: 2, offset: 0, limit: 1024 },
    totals: { calls: 4, faults: 1, quarantined: 0, dead_letters: 1 },
    emits: { waiting: 0, lost: 0 },
    workers: [],
    plugins: [
      { account: '$G', name: 'drop' },
      { account: '$G', name: 'fail' },
    ],
    attachments: [
      { name: 'drop', counters: { calls: 3, dropped: 3 }, latency_ns: { p50: expect.any(Number) } },
      { name: 'fail', last_fault: { cause: 'trap' } },
    ],
  });
  const names = async (query: string) =>
    (await json(`/pluginz${query}`)).attachments.map(({ name }: { name: string }) => name);
  expect(await names('?sort=faults')).toEqual(['fail', 'drop']);
  expect(await names('?attachment=drop')).toEqual(['drop']);
  expect(await names('?plugin=fail')).toEqual(['fail']);
  expect(await names('?offset=1&limit=1')).toEqual(['fail']);
  expect((await json('/pluginz?plugins=0')).plugins).toBeUndefined();
  const wrong = await fetch(`${base}/pluginz?sort=colour`);
  expect([wrong.status, await wrong.text()]).toEqual([
    400,
    'Error decoding sort option: "colour"; expected calls, faults, cpu, fuel, memory',
  ]);
});

test('/metrics has the figures of each attachment and version', async () => {
  const text = await (await fetch(`${base}/metrics`)).text();
  const labels = (name: string) => `{account="$G",attachment="${name}",plugin="${name}",version="1"}`;
  expect(text).toContain(`weir_attachment_dropped_total${labels('drop')} 3\n`);
  expect(text).toContain(`weir_attachment_dead_letters${labels('fail')} 1\n`);
  expect(text).toContain(
    'weir_attachment_faults_total{account="$G",attachment="fail",plugin="fail",version="1",cause="trap"} 1\n',
  );
  expect(text).toContain('weir_emits_lost_total 0\n');
});

/** One line of the Prometheus text format. */
interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Reads the text format; throws at a line that is none. */
function samplesOf(text: string): { types: Map<string, string>; samples: Sample[] } {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('# HELP '))) {
    const type = /^# TYPE (\w+) (\w+)$/.exec(line);
    if (type !== null) {
      types.set(type[1]!, type[2]!);
      continue;
    }
    const parts = /^(\w+)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$/.exec(line);
    if (parts === null) throw new Error(`no line of the format: ${line}`);
    const labels = [...(parts[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((pair) => [pair[1], pair[2]]);
    samples.push({ name: parts[1]!, labels: Object.fromEntries(labels), value: Number(parts[3]) });
  }
  return { types, samples };
}

/** The one series of a histogram, with what its buckets hold by their bounds. */
function histogramOf(samples: Sample[], name: string, attachment: string) {
  const own = samples.filter((sample) => sample.labels.attachment === attachment);
  const labels = { account: '$G', attachment, plugin: attachment, version: '1' };
  const only = (suffix: string) => {
    const found = own.filter((sample) => sample.name === `${name}_${suffix}`);
    expect(found).toMatchObject([{ labels }]);
    expect(found[0]!.labels).toEqual(labels);
    return found[0]!.value;
  };
  const buckets = own
    .filter((sample) => sample.name === `${name}_bucket`)
    .map(({ labels: { le, ...rest }, value }) => {
      expect(rest).toEqual(labels);
      return { bound: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value };
    });
  return { buckets, sum: only('sum'), count: only('count') };
}

const scrape = async () => samplesOf(await (await fetch(`${base}/metrics`)).text());

test.each(['weir_attachment_call_duration_seconds', 'weir_attachment_call_fuel'])(
  '%s is a histogram of each attachment, as Prometheus reads it',
  async (name) => {
    const before = await scrape();
    expect(before.types.get(name)).toBe('histogram');
    for (let i = 3; i < 640; i++) stage.client.publish('drop.in', 'x'.repeat(i));
    await stage.client.flush();
    const { samples } = await scrape();
    const seriesOf = (all: Sample[]) =>
      all.filter((sample) => sample.name.startsWith(name)).map((sample) => JSON.stringify(sample.labels));
    expect(seriesOf(samples)).toEqual(seriesOf(before.samples));
    const { buckets, sum, count } = histogramOf(samples, name, 'drop');
    // One call of 64 is timed, the first of all among them.
    expect(count).toBe(10);
    expect(buckets.at(-1)).toEqual({ bound: Number.POSITIVE_INFINITY, value: count });
    let [least, most] = [0, 0];
    for (const [i, { bound, value }] of buckets.entries()) {
      const below = buckets[i - 1] ?? { bound: 0, value: 0 };
      expect(bound).toBeGreaterThan(below.bound);
      expect(value).toBeGreaterThanOrEqual(below.value);
      least += (value - below.value) * below.bound;
      if (value > below.value) most += (value - below.value) * bound;
    }
    expect(sum).toBeGreaterThanOrEqual(least);
    expect(sum).toBeLessThanOrEqual(most);
    const bounds = (attachment: string) => histogramOf(samples, name, attachment).buckets.map(({ bound }) => bound);
    expect(bounds('fail')).toEqual(bounds('drop'));
    if (name !== 'weir_attachment_call_fuel') return;
    // All calls of this plugin cost the same.
    const { attachment } = await stage.done('ATTACHMENT.INFO.drop');
    const { fuel_per_call: fuel } = attachment as { fuel_per_call: number };
    expect(sum).toBe(count * fuel);
    for (const { bound, value } of buckets) expect(value, String(bound)).toBe(bound < fuel ? 0 : count);
  },
);
