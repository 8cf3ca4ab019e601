import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.js';
import { FolderPluginStore } from '../../src/host/folder-store.js';
import { PluginHost } from '../../src/host/plugin-host.js';
import { nodeDisk } from '../../src/storage/node-disk.js';
import type { MicroFigure } from '../micro.js';
import { CONFIGS } from '../readings.js';

const ROUNDS = 9;
const ATTACHMENTS = 1_000;
const PLUGIN = 'threshold';
const CONFIG = CONFIGS[PLUGIN];

/** The life of a plugin with a store on the disk: what a request waits for, and what the event loop does. */
export async function benches(): Promise<MicroFigure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const host = new PluginHost({ clock: systemClock, payloadBytesMax: () => 1024 * 1024 });
  try {
    await host.open(await FolderPluginStore.open({ disk: nodeDisk, clock: systemClock, folder }));
    const wasm = readFileSync(join('dist', 'plugins', `${PLUGIN}.wasm`));
    // The first one starts the compile worker.
    await host.install('warm', variant(wasm, 255));
    return [await installs(host, wasm), await swaps(host), ...(await attachments(host))];
  } finally {
    await host.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same module with other bytes: a custom section with a number in it. */
function variant(wasm: Uint8Array, number: number): Uint8Array {
  return Buffer.concat([wasm, Buffer.from([0, 3, 1, 0x78, number])]);
}

async function installs(host: PluginHost, wasm: Uint8Array): Promise<MicroFigure> {
  const times: number[] = [];
  const loop = new LoopWatch();
  for (let i = 0; i < ROUNDS; i++) times.push(await timed(() => host.install(PLUGIN, variant(wasm, i))));
  const note = `${wasm.length} B, event loop at most ${loop.stop().toFixed(1)} ms at a time`;
  return { name: 'install to compiled and stored', ns: median(times), note };
}

async function swaps(host: PluginHost): Promise<MicroFigure> {
  await host.deployments.create({ name: 'swapped', plugin: PLUGIN, subject: 'swapped', config: CONFIG, version: 1 });
  const times: number[] = [];
  const loop = new LoopWatch();
  for (let i = 0; i < ROUNDS; i++) {
    times.push(await timed(() => host.deployments.swap('swapped', { version: 2 + (i % 2) })));
  }
  const note = `event loop at most ${loop.stop().toFixed(1)} ms at a time`;
  return { name: 'swap to another version, stored', ns: median(times), note };
}

async function attachments(host: PluginHost): Promise<MicroFigure[]> {
  const startedNs = performance.now() * 1e6;
  for (let i = 0; i < ATTACHMENTS; i++) {
    await host.deployments.create({ name: `a${i}`, plugin: PLUGIN, subject: `a.${i}.>`, config: CONFIG });
  }
  const ns = (performance.now() * 1e6 - startedNs) / ATTACHMENTS;
  const note = `${ATTACHMENTS} in ${((ns * ATTACHMENTS) / 1e9).toFixed(1)} s, one after the other; each waits for the disk`;
  return [{ name: `attachment of ${ATTACHMENTS}, stored`, ns, note }];
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedNs = performance.now() * 1e6;
  await run();
  return performance.now() * 1e6 - startedNs;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Measures the longest turn of the event loop, from now on. */
class LoopWatch {
  private longestMs = 0;
  private lastMs = performance.now();
  private stopped = false;

  constructor() {
    setImmediate(this.tick);
  }

  stop(): number {
    this.stopped = true;
    return this.longestMs;
  }

  private readonly tick = (): void => {
    if (this.stopped) return;
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.lastMs);
    this.lastMs = now;
    setImmediate(this.tick);
  };
}
