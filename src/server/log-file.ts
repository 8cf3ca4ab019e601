import { closeSync, fstatSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.js';
import { describe, Failure } from '../base/failure.js';
import { type LogSink, StderrSink, writeFully } from './log-sink.js';
import { calendarParts, LogTime } from './log-time.js';

export interface LogFileOptions {
  path: string;
  /** The file is put aside once it is larger than this; 0 = never. */
  sizeBytesMax: number;
  /** Files kept in all, the current one included; 0 = all. */
  filesMax: number;
  clock?: Clock;
}

/** What the file has to say about itself; the logger that writes to it puts it into its own format. */
export type LogFileReport = (level: 'info' | 'error', text: string) => void;

const fileMode = 0o640;
const backupPattern = /^\.\d{4}(\.\d{2}){5}\.\d{9}$/;

/**
 * Appends to a log file. A file that has grown beyond its limit is renamed to `<path>.2025.01.02.15.04.05.000000000` and a new
 * one is begun, as nats-server does. When the file cannot be written any more, lines go to stderr.
 */
export class LogFile implements LogSink {
  /** Set by whoever writes log lines here. */
  report: LogFileReport = () => {};
  private readonly path: string;
  private readonly sizeBytesMax: number;
  private readonly filesMax: number;
  private readonly time: LogTime;
  private readonly fallback = new StderrSink();
  private descriptor = -1;
  private failing = false;
  /** While the file is being rotated: what it reports itself may be larger than a tiny limit. */
  private rotating = false;
  private sizeBytes = 0;
  /** Raised when a rotation fails, so that the next attempt waits for as much again. */
  private rotateBytes: number;

  /** Throws a Failure `log_file` when the file cannot be opened. */
  constructor(options: LogFileOptions) {
    this.path = options.path;
    this.sizeBytesMax = options.sizeBytesMax;
    this.rotateBytes = options.sizeBytesMax;
    this.filesMax = options.filesMax;
    this.time = new LogTime(options.clock ?? systemClock, false);
    this.open();
  }

  write(line: string): void {
    if (this.descriptor < 0) {
      this.fallback.write(line);
      return;
    }
    const bytes = Buffer.from(line);
    try {
      writeFully(this.descriptor, bytes);
      this.failing = false;
    } catch (error) {
      // A full disk may have room again later: the file stays open and the next line is tried again.
      if (!this.failing)
        this.fallback.write(`cannot write log file "${this.path}", using stderr: ${describe(error)}\n`);
      this.failing = true;
      this.fallback.write(line);
      return;
    }
    this.sizeBytes += bytes.length;
    if (this.sizeBytesMax === 0 || this.sizeBytes <= this.rotateBytes || this.rotating) return;
    this.rotating = true;
    this.rotate();
    this.rotating = false;
  }

  reopen(): boolean {
    this.close();
    try {
      this.open();
    } catch (error) {
      this.fallback.write(`${describe(error)}; using stderr\n`);
    }
    return true;
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = -1;
  }

  private open(): void {
    try {
      this.descriptor = openSync(this.path, 'a', fileMode);
      this.sizeBytes = fstatSync(this.descriptor).size;
    } catch (error) {
      throw new Failure('log_file', `cannot open log file "${this.path}": ${describe(error)}`, { cause: error });
    }
  }

  private rotate(): void {
    const backup = this.backupPath();
    try {
      renameSync(this.path, backup);
    } catch (error) {
      this.rotateBytes = this.sizeBytes + this.sizeBytesMax;
      this.report(
        'error',
        `Unable to rotate log file "${this.path}" (${describe(error)}), will attempt next rotation at size ${this.rotateBytes}`,
      );
      return;
    }
    this.rotateBytes = this.sizeBytesMax;
    this.reopen();
    this.report('info', `Rotated log, backup saved as "${backup}"`);
    if (this.filesMax > 0) this.purge();
  }

  private backupPath(): string {
    const us = this.time.nowUs();
    const nanoseconds = `${String(us % 1e6).padStart(6, '0')}000`;
    return [this.path, ...calendarParts(us / 1000, false), nanoseconds].join('.');
  }

  /** Removes the oldest backups: their names sort by age. */
  private purge(): void {
    const folder = dirname(this.path);
    const name = basename(this.path);
    try {
      const backups = readdirSync(folder).filter(
        (entry) => entry.startsWith(name) && backupPattern.test(entry.slice(name.length)),
      );
      const surplus = backups.length - (this.filesMax - 1);
      for (const backup of surplus > 0 ? backups.sort().slice(0, surplus) : []) {
        rmSync(join(folder, backup));
        this.report('info', `Purged log file "${backup}"`);
      }
    } catch (error) {
      this.report('error', `Unable to remove backup log files of "${this.path}": ${describe(error)}`);
    }
  }
}
