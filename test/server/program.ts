import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from '../kit/wait.js';

const bin = join(import.meta.dirname, '..', '..', 'bin');

/** A command: our own from `dist/`, or another program. */
export type Command = 'nats-server' | 'weir' | { path: string };

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A server's command as a process of its own. */
export class Program {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;

  constructor(command: Command, args: readonly string[], cwd = process.cwd()) {
    const own = typeof command === 'string';
    const serve = command === 'weir' ? ['serve'] : [];
    const line = own ? [join(bin, `${command}.mjs`), ...serve, ...args] : [...args];
    this.child = spawn(own ? process.execPath : command.path, line, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits until the log has the text, so often. */
  async says(text: string, times = 1): Promise<void> {
    const heard = () => this.stderr.split(text).length > times;
    await until(() => heard() || this.child.exitCode !== null, `the server to say "${text}"`, 10_000);
    if (!heard()) throw new Error(`the server ended without saying "${text}":\n${this.stdout}\n${this.stderr}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it, if it has not ended yet. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
