import type { LogSink } from './log-sink.js';
import type { LeveledLogger } from './log-text.js';

export interface JsonLoggerOptions {
  sink: LogSink;
  debug: boolean;
  trace: boolean;
}

/**
 * One JSON object a line: `{"level":"info","time":"2025-01-02T15:04:05.000Z","pid":1,"msg":"text"}`, written by pino, which is
 * only loaded when JSON logs are asked for.
 */
export async function openJsonLogger(options: JsonLoggerOptions): Promise<LeveledLogger> {
  const { pino, stdTimeFunctions } = await import('pino');
  const lines = pino(
    {
      level: 'trace',
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.sink,
  );
  const logger: LeveledLogger = {
    debugEnabled: options.debug,
    traceEnabled: options.trace,
    fatal: (text) => lines.fatal(text),
    error: (text) => lines.error(text),
    warn: (text) => lines.warn(text),
    info: (text) => lines.info(text),
    debug: (text) => {
      if (logger.debugEnabled) lines.debug(text);
    },
    trace: (text) => {
      if (logger.traceEnabled) lines.trace(text);
    },
  };
  return logger;
}
