import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Failure } from '../base/failure.js';

/** A question to the worker and its answer. */
export interface PasswordQuestion {
  id: number;
  password: string;
  hash: string;
}
export interface PasswordAnswer {
  id: number;
  matches: boolean;
}

/** Logins that may wait; further ones are refused. */
const WAITING_MAX = 1000;
/** A worker ends when nobody logged in for so long. */
const IDLE_MS = 30_000;
/** The event loop keeps a core for itself where there are several. */
const WORKERS_MAX = 4;
const workersMax = () => Math.max(1, Math.min(WORKERS_MAX, availableParallelism() - 1));

/** Checks bcrypt hashes in worker threads: one check takes tens of milliseconds of CPU. */
export class PasswordChecker {
  private readonly workers = Array.from({ length: workersMax() }, () => new PasswordWorker());

  /** Whether the password belongs to the hash; false as well when too many are waiting or the worker dies. */
  matches(password: string, hash: string): Promise<boolean> {
    const waiting = this.workers.reduce((sum, worker) => sum + worker.load, 0);
    if (waiting >= WAITING_MAX) return Promise.resolve(false);
    return this.workers.reduce((least, one) => (one.load < least.load ? one : least)).matches(password, hash);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }
}

/** One thread, which is there while somebody waits for it and a little longer. */
class PasswordWorker {
  private worker: Worker | null = null;
  private idle: NodeJS.Timeout | null = null;
  private lastId = 0;
  private readonly waiting = new Map<number, (matches: boolean) => void>();

  get load(): number {
    return this.waiting.size;
  }

  matches(password: string, hash: string): Promise<boolean> {
    const question: PasswordQuestion = { id: ++this.lastId, password, hash };
    return new Promise((resolve) => {
      this.waiting.set(question.id, resolve);
      this.started().postMessage(question);
    });
  }

  async close(): Promise<void> {
    const worker = this.worker;
    this.forget();
    await worker?.terminate();
  }

  private started(): Worker {
    if (this.idle !== null) clearTimeout(this.idle);
    if (this.worker === null) {
      const worker = new Worker(workerUrl('password-worker'));
      worker.unref();
      worker.on('message', (answer: PasswordAnswer) => this.onAnswer(answer));
      worker.on('error', () => this.forget());
      worker.on('exit', () => {
        if (this.worker === worker) this.forget();
      });
      this.worker = worker;
    }
    return this.worker;
  }

  private onAnswer(answer: PasswordAnswer): void {
    this.waiting.get(answer.id)?.(answer.matches);
    this.waiting.delete(answer.id);
    if (this.waiting.size > 0) return;
    this.idle = setTimeout(() => void this.close(), IDLE_MS);
    this.idle.unref();
  }

  private forget(): void {
    this.worker = null;
    if (this.idle !== null) clearTimeout(this.idle);
    for (const refuse of this.waiting.values()) refuse(false);
    this.waiting.clear();
  }
}

/** Where a bundled worker is: beside this file in `dist/`, or there from the source tree. */
function workerUrl(name: string): URL {
  const inSource = import.meta.url.endsWith('.ts');
  const url = new URL(inSource ? `../../dist/${name}.js` : `./${name}.js`, import.meta.url);
  if (url.protocol !== 'file:') throw new Failure('worker-missing', `cannot start ${name} from ${url.href}`);
  return url;
}
