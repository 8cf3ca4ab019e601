import { type ChildProcess, fork, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
const ROLES = ['publisher', 'subscriber', 'requester', 'responder', 'idle', 'asker', 'consumer', 'newcomer'];
const ANSWER_MS_MAX = 60_000;

/** A child process that publishes, subscribes, or asks; it serves one run after another, so that its code is warm. */
export class LoadProcess {
  onProgress: (messages: number) => void = () => {};
  private readonly child: ChildProcess;
  private readonly open = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  private lastId = 0;

  constructor(pin: boolean) {
    this.child = pin
      ? spawn('taskset', ['-c', '1-1023', process.execPath, WORKER], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      : fork(WORKER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', (message: { id?: number; result?: never; error?: string; progress?: number }) => {
      if (message.progress !== undefined) this.onProgress(message.progress);
      const order = this.open.get(message.id ?? 0);
      if (order === undefined) return;
      this.open.delete(message.id!);
      if (message.error === undefined) order.resolve(message.result as never);
      else order.reject(new Error(message.error));
    });
    this.child.once('exit', (code) => {
      for (const { reject } of this.open.values()) reject(new Error(`the load process ended with ${code}`));
    });
  }

  /** Orders `role.method(...args)` and resolves with its result. */
  ask<T>(role: string, method: string, ...args: unknown[]): Promise<T> {
    const id = ++this.lastId;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.open.delete(id);
        reject(new Error(`${role}.${method}: nothing after ${ANSWER_MS_MAX / 1000} s`));
      }, ANSWER_MS_MAX);
      const settle = <V>(then: (value: V) => void) => {
        return (value: V) => {
          clearTimeout(timer);
          then(value);
        };
      };
      this.open.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.child.send({ id, role, method, args });
    });
  }

  cpuSeconds(): Promise<number> {
    return this.ask('process', 'cpuSeconds');
  }

  /** Lets go of whatever the run before has left. */
  async reset(): Promise<void> {
    for (const role of ROLES) await this.ask(role, 'close');
  }

  stop(): void {
    this.child.disconnect();
  }
}
