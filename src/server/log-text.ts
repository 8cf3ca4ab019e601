import { type Clock, systemClock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { LogSink } from './log-sink.js';
import { LogTime } from './log-time.js';

/** A logger whose levels can be changed while it is in use. */
export interface LeveledLogger extends Logger {
  debugEnabled: boolean;
  traceEnabled: boolean;
}

export interface TextLoggerOptions {
  sink: LogSink;
  /** Whether debug and trace lines are written. */
  debug: boolean;
  trace: boolean;
  /** Whether lines carry a time stamp, and whether that is UTC rather than local time. */
  timestamps: boolean;
  utc: boolean;
  colors: boolean;
  pid?: number;
  clock?: Clock;
}

/** Label and ANSI colour of each level, as nats-server prints them. */
const labels = {
  fatal: ['FTL', '31'],
  error: ['ERR', '31'],
  warn: ['WRN', '0;93'],
  info: ['INF', '32'],
  debug: ['DBG', '36'],
  trace: ['TRC', '33'],
} as const;
type Level = keyof typeof labels;

function labelTexts(colors: boolean): Record<Level, string> {
  const texts = Object.entries(labels).map(([level, [label, color]]) => [
    level,
    colors ? `[\u001b[${color}m${label}\u001b[0m] ` : `[${label}] `,
  ]);
  return Object.fromEntries(texts) as Record<Level, string>;
}

/** nats-server's log format: `[pid] 2025/01/02 15:04:05.000000 [INF] text`. */
export class TextLogger implements LeveledLogger {
  debugEnabled: boolean;
  traceEnabled: boolean;
  private readonly sink: LogSink;
  private readonly prefix: string;
  private readonly time: LogTime | null;
  private readonly labels: Record<Level, string>;

  constructor(options: TextLoggerOptions) {
    this.debugEnabled = options.debug;
    this.traceEnabled = options.trace;
    this.sink = options.sink;
    this.prefix = `[${options.pid ?? process.pid}] `;
    this.time = options.timestamps ? new LogTime(options.clock ?? systemClock, options.utc) : null;
    this.labels = labelTexts(options.colors);
  }

  fatal(text: string): void {
    this.line('fatal', text);
  }

  error(text: string): void {
    this.line('error', text);
  }

  warn(text: string): void {
    this.line('warn', text);
  }

  info(text: string): void {
    this.line('info', text);
  }

  debug(text: string): void {
    if (this.debugEnabled) this.line('debug', text);
  }

  trace(text: string): void {
    if (this.traceEnabled) this.line('trace', text);
  }

  private line(level: Level, text: string): void {
    // Further lines are indented: text that came from a peer can then never pose as a log line of its own.
    const body = text.includes('\n') ? text.trimEnd().replace(/\r?\n/g, '\n    ') : text;
    this.sink.write(`${this.prefix}${this.time === null ? '' : this.time.stamp()}${this.labels[level]}${body}\n`);
  }
}
