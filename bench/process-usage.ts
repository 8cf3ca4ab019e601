import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Ticks of /proc are hundredths of a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU time (seconds) a process has used in all its threads; NaN where there is no /proc. */
export function cpuSecondsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command, in brackets, may hold spaces: fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}

/** Resident memory (bytes) of a process, at present or at most so far; NaN where there is no /proc. */
export function residentBytesOf(pid: number, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(new RegExp(`${which}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

/** How many files, so connections, a process may have open. */
export function openFilesMax(): number {
  try {
    return Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}

const BUSY_SAMPLE_MS = 1_000;

/** How busy the machine is with other things, as a share of all its cores. */
export async function machineBusyShare(): Promise<number> {
  const before = cpus();
  await sleep(BUSY_SAMPLE_MS);
  let idle = 0;
  let all = 0;
  for (const [core, { times }] of cpus().entries()) {
    const old = before[core].times;
    idle += times.idle - old.idle;
    for (const kind of Object.keys(times) as (keyof typeof times)[]) all += times[kind] - old[kind];
  }
  return all === 0 ? 0 : 1 - idle / all;
}
