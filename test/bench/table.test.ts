import { describe, expect, it } from 'vitest';
import type { Peer } from '../../bench/peers.js';
import type { Sample, Scenario } from '../../bench/scenario.js';
import { median, percentile, spread } from '../../bench/statistics.js';
import { markdown, rowsOf } from '../../bench/table.js';

const peer = (name: string, kind: Peer['kind'], version: string): Peer => ({
  name,
  kind,
  version,
  command: '',
  args: [],
});
const peers = [
  peer('weir', 'weir', '1.0.0'),
  peer('nats-server 2.9.10', 'nats-server', '2.9.10'),
  peer('nats-server 2.15.2', 'nats-server', '2.15.2'),
  peer('nats-server 2.14.9', 'nats-server', '2.14.9'),
];
const scenario: Scenario = {
  id: 'flow',
  metrics: [
    {
      id: 'flow',
      title: 'a flow',
      unit: 'msg/s',
      better: 'higher',
      goals: [
        { than: '2.9', ratio: 1.7 },
        { than: 'newest', ratio: 2 },
      ],
    },
    { id: 'idle', title: 'memory', unit: 'MB', better: 'lower', limit: 64 },
  ],
  run: async () => ({}),
};
const samples = new Map<string, Sample[]>([
  ['weir', [900, 1000, 2000].map((flow) => ({ flow, idle: 70 }))],
  ['nats-server 2.9.10', [{ flow: 500, idle: 14 }]],
  ['nats-server 2.15.2', [{ flow: 600, idle: Number.NaN }]],
  ['nats-server 2.14.9', [{ flow: 400, idle: 15 }]],
]);

describe('table', () => {
  it('compares medians, and asks of each server what is meant for it', () => {
    const [flow] = rowsOf(scenario, samples, peers);
    expect(flow.weir).toMatchObject({ median: 1000, runs: 3, spread: 0.55 });
    expect(flow.others.map(({ name, ratio, goal }) => [name, ratio.toFixed(2), goal])).toEqual([
      ['nats-server 2.9.10', '2.00', 1.7],
      ['nats-server 2.15.2', '1.67', 2],
      ['nats-server 2.14.9', '2.50', null],
    ]);
  });

  it('leaves a server out that has no figure', () => {
    const [, idle] = rowsOf(scenario, samples, peers);
    expect(idle.others.map(({ name }) => name)).toEqual(['nats-server 2.9.10', 'nats-server 2.14.9']);
  });

  it('marks goals met and missed', () => {
    const text = markdown(rowsOf(scenario, samples, peers));
    expect(text).toContain('| 500 msg/s | 2.00 | ≥ 1.7 ✓ | 600 msg/s | 1.67 | ≥ 2 ✗ |');
    expect(text).toContain('| memory | 70 MB ±0 % (≤ 64 ✗) | 14 MB | 5.00 |');
  });
});

describe('statistics', () => {
  it('takes the middle, or the mean of both middles', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN]);
  });

  it('takes percentiles from sorted numbers', () => {
    const numbers = Array.from({ length: 200 }, (_, i) => 199 - i);
    expect([percentile(numbers, 0.5), percentile(numbers, 0.99), percentile(numbers, 1)]).toEqual([100, 198, 199]);
    expect(spread([90, 100, 110])).toBeCloseTo(0.1);
  });
});
