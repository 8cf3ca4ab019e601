import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Failure } from '../base/failure.js';

/** The commands of `--signal`, as nats-server names them. */
const commands: Record<string, NodeJS.Signals> = {
  stop: 'SIGKILL',
  quit: 'SIGINT',
  term: 'SIGTERM',
  reopen: 'SIGUSR1',
  reload: 'SIGHUP',
  ldm: 'SIGUSR2',
};

/** What the sender needs of the operating system; tests hand in their own. */
export interface ProcessTable {
  /** Ids of the running processes of this name, this one excluded; null when they cannot be listed. */
  named(name: string): number[] | null;
  /** Throws Node's system error (ESRCH, EPERM) when the signal cannot be sent. */
  signal(pid: number, signal: NodeJS.Signals): void;
}

/** Linux keeps 15 bytes of a process's name. */
const nameBytesMax = 15;
const killTexts: Record<string, string> = { ESRCH: 'no such process', EPERM: 'operation not permitted' };

function commandName(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return ''; // it has ended since the folder was listed
  }
}

function pidsFromProc(name: string): number[] | null {
  try {
    const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
    return pids.length === 0
      ? null
      : pids.filter((pid) => commandName(pid) === name.slice(0, nameBytesMax)).map(Number);
  } catch {
    return null; // not Linux
  }
}

function pidsFromPgrep(name: string): number[] | null {
  const found = spawnSync('pgrep', ['-x', name], { encoding: 'utf8' });
  return found.error ? null : found.stdout.split('\n').filter(Boolean).map(Number);
}

export const systemProcesses: ProcessTable = {
  named: (name) => (pidsFromProc(name) ?? pidsFromPgrep(name))?.filter((pid) => pid !== process.pid) ?? null,
  signal: (pid, signal) => {
    process.kill(pid, signal);
  },
};

function pidOrFileContent(text: string): string {
  try {
    return readFileSync(text, 'utf8').trim();
  } catch {
    return text; // not a file: a process id then
  }
}

/** The processes meant by `expression`: a process id, `*`, a prefix such as `12*`, or empty for the only one that runs. */
function targets(expression: string, processName: string, processes: ProcessTable): number[] {
  const glob = expression.endsWith('*');
  const prefix = glob ? expression.slice(0, -1) : expression;
  if (prefix !== '' && !/^[1-9]\d{0,8}$/.test(prefix)) throw new Failure('signal', `invalid pid: ${prefix}`);
  if (prefix !== '' && !glob) return [Number(prefix)];
  const running = processes.named(processName);
  if (running === null) throw new Failure('signal', 'unable to resolve pid, try providing one');
  const pids = running.filter((pid) => String(pid).startsWith(prefix));
  if (pids.length === 0) throw new Failure('signal', `no ${processName} processes running`);
  if (pids.length > 1 && !glob) {
    throw new Failure('signal', `multiple ${processName} processes running:\n${pids.join('\n')}`);
  }
  return pids;
}

/**
 * Carries out `--signal <command>[=<pid or pid file>]`. Throws a Failure `signal` with nats-server's words when the command is
 * unknown, no process is meant, or the signal cannot be sent.
 */
export function sendSignal(text: string, processName: string, processes: ProcessTable = systemProcesses): void {
  const [command = '', target = '', ...rest] = text.split('=');
  if (rest.length > 0) throw new Failure('signal', `invalid signal parameters: [${rest.join(' ')}]`);
  const pids = targets(pidOrFileContent(target), processName, processes);
  const signal = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (signal === undefined) throw new Failure('signal', `unknown signal "${command}"`);
  const failures: string[] = [];
  for (const pid of pids) {
    try {
      processes.signal(pid, signal);
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      failures.push(`signal "${command}" ${pid}: ${killTexts[code] ?? message}`);
    }
  }
  // A line for each, behind the name of the command.
  if (failures.length > 0) throw new Failure('signal', failures.map((failure) => `\n${failure}`).join(''));
}
