import { Worker } from 'node:worker_threads';
import { Failure } from '../base/failure.js';
import type { Budget } from './budget.js';
import type { CompileAnswer, CompileRequest, CompileResult, CompileWork } from './compile-job.js';
import type { PreparedModule } from './prepare.js';
import type { SelfTest } from './self-test.js';
import type { Started, StartSettings } from './start.js';

interface Job {
  request: CompileRequest;
  resolve(result: CompileResult): void;
  reject(failure: Failure): void;
}

/** A module that is not ready by then is refused, and the worker that sits on it ended. */
const PREPARE_MS_MAX = 15_000;
/** A guest that is not started by then; fuel ends those that are metered long before. */
const START_MS_MAX = 5_000;
/** The worker ends when nothing was prepared for so long. */
const IDLE_MS = 10_000;

/**
 * Prepares modules, and starts guests, one after the other in a worker thread, which is started when it is needed and ended when it is not; or on
 * this thread while `here` says so.
 */
export class Compiler {
  private readonly here: () => boolean;
  private worker: Worker | null = null;
  private timer: NodeJS.Timeout | null = null;
  private lastId = 0;
  private current: Job | null = null;
  private queue: Job[] = [];

  constructor(here: () => boolean = () => false) {
    this.here = here;
  }

  /** Rejects with a `Failure`, code `module-…`, that says what is wrong with the module. */
  async prepare(wasm: Uint8Array, metered = true): Promise<PreparedModule> {
    const result = await this.enqueue({ wasm, metered });
    return (result as { prepared: PreparedModule }).prepared;
  }

  /** Starts a guest and answers its image, or why it cannot run. */
  async start(prepared: PreparedModule, start: StartSettings): Promise<Started> {
    const result = await this.enqueue({ prepared, ...start });
    return (result as { started: Started }).started;
  }

  /** Runs a plugin's own tests. Rejects with a `Failure` that says what did not come out as it should. */
  async selfTest(prepared: PreparedModule, budget: Budget, tests: readonly SelfTest[]): Promise<void> {
    const { difference } = (await this.enqueue({ prepared, budget, tests })) as { difference: string | null };
    if (difference !== null) throw new Failure('module-self-test', `the module fails its own tests: ${difference}`);
  }

  private enqueue(work: CompileWork): Promise<CompileResult> {
    const request = { ...work, id: ++this.lastId };
    return new Promise((resolve, reject) => {
      this.queue.push({ request, resolve, reject });
      if (this.current === null) this.next();
    });
  }

  /** Ends the worker; what is being prepared or waits is refused. */
  async close(): Promise<void> {
    const waiting = this.queue;
    this.queue = [];
    const failure = new Failure('module-aborted', 'the server is stopping');
    for (const { reject } of waiting) reject(failure);
    const ended = this.endWorker();
    this.fail(failure);
    await ended;
  }

  private next(): void {
    this.setTimer(null);
    this.current = this.queue.shift() ?? null;
    if (this.current === null) {
      this.setTimer(setTimeout(() => void this.endWorker(), IDLE_MS));
      return;
    }
    if (this.here()) {
      void this.workHere(this.current.request);
      return;
    }
    const limitMs = 'config' in this.current.request ? START_MS_MAX : PREPARE_MS_MAX;
    this.setTimer(setTimeout(() => this.onStuck(limitMs), limitMs));
    this.worker ??= this.startWorker();
    this.worker.postMessage(this.current.request);
  }

  private async workHere(request: CompileRequest): Promise<void> {
    const { answerTo } = await import('./compile-job.js');
    this.onAnswer(answerTo(request));
  }

  private startWorker(): Worker {
    const inSource = import.meta.url.endsWith('.ts');
    const url = new URL(inSource ? '../../dist/compile-worker.js' : './compile-worker.js', import.meta.url);
    const worker = new Worker(url, { resourceLimits: { maxOldGenerationSizeMb: 512 } });
    worker.unref();
    const onEnd = (text: string) => {
      if (this.worker !== worker) return;
      this.worker = null;
      this.fail(new Failure('module-crashed', text));
    };
    worker.on('message', (answer: CompileAnswer) => this.onAnswer(answer));
    worker.on('error', (error) => onEnd(`preparing the module failed: ${error.message}`));
    worker.on('exit', (code) => onEnd(`the compile worker ended with code ${code}`));
    return worker;
  }

  private onAnswer(answer: CompileAnswer): void {
    if (this.current?.request.id !== answer.id) return;
    if ('code' in answer) {
      this.fail(new Failure(answer.code, answer.text));
      return;
    }
    this.current.resolve(answer);
    this.next();
  }

  private onStuck(limitMs: number): void {
    void this.endWorker();
    this.fail(new Failure('module-slow', `preparing the module took longer than ${limitMs} ms`));
  }

  private fail(failure: Failure): void {
    const failed = this.current;
    if (failed === null) return;
    failed.reject(failure);
    this.next();
  }

  private async endWorker(): Promise<void> {
    const { worker } = this;
    this.worker = null;
    await worker?.terminate();
  }

  private setTimer(timer: NodeJS.Timeout | null): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = timer?.unref() ?? null;
  }
}
