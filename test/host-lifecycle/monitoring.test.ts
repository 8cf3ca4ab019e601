import { afterEach, beforeEach, expect, test } from 'vitest';
import { guest } from '../hostile/guest.js';
import { optionsOf, Stage, verdictGuest } from './stage.js';

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
  expect(text).toMatch(
    /weir_attachment_latency_ns\{account="\$G",attachment="drop",plugin="drop",version="1",quantile="0\.99"\} \d+\n/,
  );
  expect(text).toContain('weir_emits_lost_total 0\n');
});
