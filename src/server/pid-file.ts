import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, Failure } from '../base/failure.js';

const fileMode = 0o640;

/**
 * Writes this process's id, without a line feed. The file appears whole or not at all: a script that waits for it never reads
 * half a number. Throws a Failure `pid_file`.
 */
export function writePidFile(path: string): void {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, String(process.pid), { mode: fileMode });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new Failure('pid_file', `Could not write pidfile: ${describe(error)}`, { cause: error });
  }
}

/** Removes the file if it still names this process; a successor's file stays. */
export function removePidFile(path: string): void {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return; // somebody else has removed it
  }
  if (text === String(process.pid)) rmSync(path, { force: true });
}
