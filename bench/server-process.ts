import { type ChildProcess, spawn } from 'node:child_process';
import { ask } from './child.js';
import { nowMs, type Wire } from './load/orders.js';
import type { Peer } from './peers.js';
import { cpuSecondsOf, residentBytesOf } from './process-usage.js';
import type { Inside } from './soak/inside.js';

const READY_MS_MAX = 20_000;
const INSIDE = new URL('./soak-inside.js', import.meta.url).href;
const LISTENING = /Listening for client connections on \S*?:(\d+)/;

const STDIO: ('ignore' | 'pipe')[] = ['ignore', 'pipe', 'pipe'];

/** A server of its own for one run, on a random port with its default configuration. */
export class ServerProcess {
  readonly port: number;
  /** What senders write to it. */
  readonly wire: Wire;
  /** From spawn to `Server is ready`. */
  readonly readyMs: number;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, ready: Pick<ServerProcess, 'port' | 'wire' | 'readyMs'>) {
    this.child = child;
    this.port = ready.port;
    this.wire = ready.wire;
    this.readyMs = ready.readyMs;
  }

  /** `inside`: a Weir that says, when it is asked, how late its event loop was. */
  static start(peer: Peer, options: { pin: boolean; args?: string[]; inside?: boolean }): Promise<ServerProcess> {
    const before = options.inside === true ? ['--import', INSIDE] : [];
    const args = [...before, ...peer.args, '-a', '127.0.0.1', '-p', '-1', ...(options.args ?? [])];
    const startedMs = nowMs();
    const child = options.pin
      ? spawn('taskset', ['-c', '0', peer.command, ...args], { stdio: STDIO })
      : spawn(peer.command, args, { stdio: options.inside === true ? [...STDIO, 'ipc'] : STDIO });
    return new Promise((resolve, reject) => {
      let log = '';
      const fail = (why: string) => {
        clearTimeout(timer);
        child.kill('SIGKILL');
        reject(new Error(`${peer.name}: ${why}\n${log.slice(-2000)}`));
      };
      const timer = setTimeout(() => fail('not ready in time'), READY_MS_MAX);
      const read = (data: Buffer) => {
        log = (log + data.toString()).slice(-20_000);
        if (!log.includes('Server is ready')) return;
        const readyMs = nowMs() - startedMs;
        const port = Number(LISTENING.exec(log)?.[1]);
        clearTimeout(timer);
        for (const stream of [child.stdout!, child.stderr!]) stream.off('data', read).resume();
        child.off('exit', exited);
        resolve(new ServerProcess(child, { port, wire: peer.kind === 'relay' ? 'delivered' : 'published', readyMs }));
      };
      const exited = (code: number | null) => fail(`ended with ${code} before it was ready`);
      child.stdout!.on('data', read);
      child.stderr!.on('data', read);
      child.once('error', (error) => fail(error.message));
      child.once('exit', exited);
    });
  }

  get cpuSeconds(): number {
    return cpuSecondsOf(this.child.pid!);
  }

  get peakResidentBytes(): number {
    return residentBytesOf(this.child.pid!, 'VmHWM');
  }

  get residentBytes(): number {
    return residentBytesOf(this.child.pid!);
  }

  /** Since the time it was asked before. */
  inside(): Promise<Inside> {
    return ask<Inside>(this.child, 'inside');
  }

  stop(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.child.once('exit', () => resolve());
      this.child.kill(signal);
    });
  }
}
