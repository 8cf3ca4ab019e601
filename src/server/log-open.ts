import { fstatSync } from 'node:fs';
import type { LogOptions } from '../config/options.js';
import { LogFile } from './log-file.js';
import { type LogSink, StderrSink } from './log-sink.js';
import { type LeveledLogger, TextLogger } from './log-text.js';

/** A logger and the output behind it. Whoever opened it closes it. */
export interface Log {
  logger: LeveledLogger;
  sink: LogSink;
}

function stderrIsTerminal(): boolean {
  try {
    return fstatSync(2).isCharacterDevice();
  } catch {
    return false; // stderr is closed: nothing to colour
  }
}

async function openLogger(options: LogOptions, sink: LogSink): Promise<LeveledLogger> {
  if (options.format === 'text') {
    const colors = options.file === '' && stderrIsTerminal();
    const { debug, trace, time, utc } = options;
    return new TextLogger({ sink, debug, trace, timestamps: time, utc, colors });
  }
  const { openJsonLogger } = await import('./log-json.js');
  return openJsonLogger({ ...options, sink });
}

/** Opens the server's log. Rejects with a Failure `log_file` when its file cannot be opened. */
export async function openLog(options: LogOptions): Promise<Log> {
  const { file, sizeBytesMax, filesMax } = options;
  if (file === '') {
    const sink = new StderrSink();
    return { logger: await openLogger(options, sink), sink };
  }
  const sink = new LogFile({ path: file, sizeBytesMax, filesMax });
  const logger = await openLogger(options, sink);
  sink.report = (level, text) => logger[level](text);
  return { logger, sink };
}
