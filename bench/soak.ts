// `npm run bench -- soak`: a mixed load for a long time, and whether anything grows or stalls meanwhile.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ask } from './child.js';
import { nowMs } from './load/orders.js';
import { Probe } from './load/probe.js';
import { cpuSecondsOf, residentBytesOf } from './process-usage.js';
import { type SoakResult, saveSoak } from './results.js';
import type { Inside } from './soak/inside.js';
import type { LoadReport } from './soak/load.js';
import { percentile } from './statistics.js';
import { tableOf } from './table.js';

const USAGE = `usage: npm run bench -- soak [options]
  --minutes n     how long (default 60)
  --rate n        messages published in a second (default 20000)
  --weir path     measure this Weir instead of this project's
  --edge          with the edge profile
  --save          write bench/soak.json, and RESULTS.md with it`;

const MINUTE_MS = 60_000;

/**
 * Slow clients are cut off soon; clients that read do not have to answer pings in the middle of their data; what is kept of closed connections
 * is all there within a minute, and not after nine.
 */
const CONFIG = `
max_pending: 4mb
write_deadline: "2s"
ping_interval: "10h"
max_closed_clients: 1000
plugins {
  modules { threshold: "${resolve('dist/plugins/threshold.wasm')}" }
  attachments { low { plugin: threshold, subject: "soak.filtered", config { field: "value", at_least: 50 } } }
}
`;

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

async function startServer(weir: string, flags: string[]): Promise<{ server: ChildProcess; port: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-soak-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'weir.conf');
  writeFileSync(config, CONFIG);
  const args = ['serve', '-a', '127.0.0.1', '-p', '-1', '-c', config, ...flags];
  const execArgv = ['--import', file('./soak-inside.js')];
  const server = fork(resolve(weir), args, { execArgv, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  server.stdout!.resume();
  const port = await new Promise<number>((found, failed) => {
    let log = '';
    server.stderr!.on('data', (data) => {
      log = (log + data).slice(-4096);
      if (log.includes('Server is ready')) found(Number(/client connections on \S*?:(\d+)/.exec(log)?.[1]));
    });
    server.once('exit', (code) => failed(new Error(`the server ended with ${code}\n${log}`)));
  });
  return { server, port };
}

const HEAD = ['minute', 'msg/s in', 'CPU', 'RSS MB', 'heap', 'external', 'p50 ms', 'p99 ms', 'max ms'];
const HEAD_INSIDE = ['loop p99 ms', 'loop max ms', 'GC max ms', 'GC %', 'visitors', 'slow cut off'];

/** Resolves with what was printed. */
async function soak(minutes: number, rate: number, weir: string, flags: string[]): Promise<SoakResult> {
  const rows: string[][] = [];
  const { server, port } = await startServer(weir, flags);
  const load = fork(file('./soak-load.js'), [String(port), String(rate)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(load, 'message');
  // In a process that does nothing else.
  const probe = new Probe(port, 'soak.probe');
  await probe.start();
  console.log(tableOf([...HEAD, ...HEAD_INSIDE], []));
  let before = { published: 0, cpu: cpuSecondsOf(server.pid!), atMs: nowMs() };
  await ask<Inside>(server, 'inside');
  const endMs = nowMs() + minutes * MINUTE_MS;
  const failed = once(server, 'exit').then(() => Promise.reject(new Error('the server ended')));
  for (let minute = 1; nowMs() < endMs; minute++) {
    await Promise.race([sleep(Math.min(MINUTE_MS, endMs - nowMs())), failed]);
    const inside = await ask<Inside>(server, 'inside');
    const report = await ask<LoadReport>(load, 'report');
    const now = { published: report.published, cpu: cpuSecondsOf(server.pid!), atMs: nowMs() };
    const seconds = (now.atMs - before.atMs) / 1000;
    const latencies = probe.arrived();
    const row = [
      (now.published - before.published) / seconds,
      (now.cpu - before.cpu) / seconds,
      residentBytesOf(server.pid!) / 1e6,
      inside.heapBytes / 1e6,
      inside.externalBytes / 1e6,
      percentile(latencies, 0.5),
      percentile(latencies, 0.99),
      Math.max(...latencies),
      inside.loopP99Ms,
      inside.loopMaxMs,
      inside.pauseMaxMs,
      inside.pausesMs / seconds / 10,
      report.connectionsOpened,
      report.slowCutOff,
    ];
    const cells = [minute, ...row].map((value) => Number(value.toPrecision(4)).toLocaleString('en'));
    console.log(`| ${cells.join(' | ')} |`);
    rows.push(cells);
    before = now;
  }
  probe.stop();
  const { missing, failures } = await ask<LoadReport>(load, 'end');
  console.log(
    `\nnot arrived: ${JSON.stringify(missing)}${failures.length > 0 ? `\nfailures: ${failures.join(', ')}` : ''}`,
  );
  load.disconnect();
  server.kill();
  const lost = Object.values(missing ?? {}).reduce((sum, count) => sum + count, 0);
  const what = `${minutes} minutes, ${rate} messages a second in${flags.length > 0 ? `, ${flags.join(' ')}` : ''}`;
  const end = `${lost} messages did not arrive; failures of clients that read: ${failures.length}.`;
  return { title: `${new Date().toISOString().slice(0, 10)}, ${what}. ${end}`, head: [...HEAD, ...HEAD_INSIDE], rows };
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '20000' },
    weir: { type: 'string', default: 'bin/weir.mjs' },
    edge: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false }, // for scripts/bench.mjs
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(USAGE);
else {
  const done = soak(Number(values.minutes), Number(values.rate), values.weir, values.edge ? ['--edge'] : []);
  done.then(
    (result) => {
      if (values.save) saveSoak(result);
      process.exit(0);
    },
    (error: Error) => {
      console.error(error.message);
      process.exit(1);
    },
  );
}
