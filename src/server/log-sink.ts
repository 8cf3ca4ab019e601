import { writeSync } from 'node:fs';

/** Where finished log lines go. `write` returns when the line is with the operating system, and never throws. */
export interface LogSink {
  /** `line` ends with a line feed. */
  write(line: string): void;
  /** Opens the output again, for log rotation by another program; false when this output is not a file. */
  reopen(): boolean;
  close(): void;
}

const stderrDescriptor = 2;
const attemptsMax = 100;
const pauseMs = 2;
const pauseCell = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of `bytes`; a pipe that is full for a moment is tried again. Throws what the operating system says. */
export function writeFully(descriptor: number, bytes: Uint8Array): void {
  let written = 0;
  let attempts = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      // A pipe that somebody else made non-blocking answers EAGAIN while its reader is slow.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || ++attempts >= attemptsMax) throw error;
      Atomics.wait(pauseCell, 0, 0, pauseMs);
    }
  }
}

/** Lines on stderr. Lines that stderr cannot take (its reader has gone) are counted and lost: a log never stops the server. */
export class StderrSink implements LogSink {
  lostLines = 0;

  write(line: string): void {
    try {
      writeFully(stderrDescriptor, Buffer.from(line));
    } catch {
      this.lostLines++;
    }
  }

  reopen(): boolean {
    return false;
  }

  close(): void {}
}
