import type { LogOptions } from '../config/options.js';
import { type Log, openLog } from './log-open.js';
import type { LeveledLogger } from './log-text.js';

/** A log that is ready to take over. */
export interface PreparedLog {
  use(): void;
  discard(): void;
}

/** A log whose output and format may change while everybody keeps the same logger. */
export class LogSwitch implements LeveledLogger {
  private log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  get debugEnabled(): boolean {
    return this.log.logger.debugEnabled;
  }

  set debugEnabled(enabled: boolean) {
    this.log.logger.debugEnabled = enabled;
  }

  get traceEnabled(): boolean {
    return this.log.logger.traceEnabled;
  }

  set traceEnabled(enabled: boolean) {
    this.log.logger.traceEnabled = enabled;
  }

  fatal(text: string): void {
    this.log.logger.fatal(text);
  }

  error(text: string): void {
    this.log.logger.error(text);
  }

  warn(text: string): void {
    this.log.logger.warn(text);
  }

  info(text: string): void {
    this.log.logger.info(text);
  }

  debug(text: string): void {
    this.log.logger.debug(text);
  }

  trace(text: string): void {
    this.log.logger.trace(text);
  }

  /** Opens what another configuration asks for. Rejects with a Failure `log_file`; then all stays as it is. */
  async prepare(before: LogOptions, next: LogOptions): Promise<PreparedLog> {
    if (outputOf(before) === outputOf(next)) {
      return {
        use: () => {
          this.debugEnabled = next.debug;
          this.traceEnabled = next.trace;
        },
        discard: () => {},
      };
    }
    const log = await openLog(next);
    return {
      use: () => {
        this.log.sink.close();
        this.log = log;
      },
      discard: () => log.sink.close(),
    };
  }

  /** Opens the file again; false when the log is no file. */
  reopen(): boolean {
    return this.log.sink.reopen();
  }

  close(): void {
    this.log.sink.close();
  }
}

/** What is said of a log beside its levels. */
function outputOf({ file, format, time, utc, sizeBytesMax, filesMax }: LogOptions): string {
  return JSON.stringify([file, format, time, utc, sizeBytesMax, filesMax]);
}
