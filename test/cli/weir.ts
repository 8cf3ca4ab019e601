import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from '../kit/wait.js';

export const projectFolder = join(import.meta.dirname, '..', '..');
const executable = join(projectFolder, 'bin', 'weir.mjs');

export interface CliOptions {
  /** What stdin has; it is empty without. */
  input?: string;
  cwd?: string;
  env?: Record<string, string>;
  /** Instead of bin/weir.mjs. */
  script?: string;
}

/** Without what would change what a command does or says, such as how these tests were started. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  const changing = /^(NATS_URL|NO_COLOR|FORCE_COLOR|npm_.*)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !changing.test(name)));
}

/** How a command ended, and all it said. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A command that runs as a process of its own, as users run it: from `dist/`. */
export class Cli {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;

  constructor(args: readonly string[], { input = '', cwd, env, script = executable }: CliOptions = {}) {
    const settings = { ...(cwd !== undefined && { cwd }), env: { ...inheritedEnvironment(), ...env } };
    const child = spawn(process.execPath, [script, ...args], { ...settings, stdio: 'pipe' });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    child.stdin.on('error', () => undefined).end(input);
    this.child = child;
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** Waits until stdout or stderr has the text. */
  async says(text: string, deadlineMs = 10_000): Promise<void> {
    const heard = () => this.stdout.includes(text) || this.stderr.includes(text);
    await until(() => heard() || this.child.exitCode !== null, `the command to say "${text}"`, deadlineMs);
    if (!heard()) throw new Error(`the command ended without saying "${text}":\n${this.stdout}\n${this.stderr}`);
  }

  signal(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Runs `weir` with these arguments to its end. */
export function weir(args: readonly string[], options?: CliOptions): Promise<Ended> {
  return new Cli(args, options).ended;
}
