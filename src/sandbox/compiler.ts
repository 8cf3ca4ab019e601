import { Worker } from 'node:worker_threads';
import { Failure } from '../base/failure.js';
import type { PreparedModule } from './prepare.js';

export interface CompileRequest {
  id: number;
  wasm: Uint8Array;
  memoryBytesMax: number;
}

export type CompileAnswer = { id: number; prepared: PreparedModule } | { id: number; code: string; text: string };

interface Waiting {
  resolve(prepared: PreparedModule): void;
  reject(failure: Failure): void;
  timer: NodeJS.Timeout;
}

/** A module that is not ready by then is refused, and the worker that sits on it ended. */
const PREPARE_MS_MAX = 15_000;
/** The worker ends when nothing was prepared for so long. */
const IDLE_MS = 10_000;

/** Prepares modules in a worker thread, which is started when it is needed and ended when it is not. */
export class Compiler {
  private worker: Worker | null = null;
  private idle: NodeJS.Timeout | null = null;
  private lastId = 0;
  private readonly waiting = new Map<number, Waiting>();

  /** Rejects with a `Failure`, code `module-…`, that says what is wrong with the module. */
  prepare(wasm: Uint8Array, { memoryBytesMax }: { memoryBytesMax: number }): Promise<PreparedModule> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.onStuck(), PREPARE_MS_MAX);
      timer.unref();
      this.waiting.set(id, { resolve, reject, timer });
      const request: CompileRequest = { id, wasm, memoryBytesMax };
      this.started().postMessage(request);
    });
  }

  /** Ends the worker; what is being prepared is refused. */
  async close(): Promise<void> {
    const worker = this.worker;
    this.drop(new Failure('module-aborted', 'the server is stopping'));
    await worker?.terminate();
  }

  private started(): Worker {
    if (this.idle !== null) clearTimeout(this.idle);
    this.idle = null;
    if (this.worker !== null) return this.worker;
    const inSource = import.meta.url.endsWith('.ts');
    const url = new URL(inSource ? '../../dist/compile-worker.js' : './compile-worker.js', import.meta.url);
    const worker = new Worker(url, { resourceLimits: { maxOldGenerationSizeMb: 512 } });
    worker.unref();
    worker.on('message', (answer: CompileAnswer) => this.onAnswer(answer));
    worker.on('error', (error) => {
      if (this.worker === worker)
        this.drop(new Failure('module-crashed', `preparing the module failed: ${error.message}`));
    });
    worker.on('exit', (code) => {
      if (this.worker === worker)
        this.drop(new Failure('module-crashed', `the compile worker ended with code ${code}`));
    });
    this.worker = worker;
    return worker;
  }

  private onAnswer(answer: CompileAnswer): void {
    const waiting = this.waiting.get(answer.id);
    if (waiting === undefined) return;
    this.waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if ('prepared' in answer) waiting.resolve(answer.prepared);
    else waiting.reject(new Failure(answer.code, answer.text));
    if (this.waiting.size > 0) return;
    this.idle = setTimeout(() => void this.close(), IDLE_MS);
    this.idle.unref();
  }

  private onStuck(): void {
    const worker = this.worker;
    this.drop(new Failure('module-slow', `preparing the module took longer than ${PREPARE_MS_MAX} ms`));
    void worker?.terminate();
  }

  private drop(failure: Failure): void {
    this.worker = null;
    if (this.idle !== null) clearTimeout(this.idle);
    this.idle = null;
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(failure);
    }
    this.waiting.clear();
  }
}
