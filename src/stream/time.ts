import type { LogTime } from '../storage/message-log.js';

/** Go's zero time, for what never happened. */
export const NEVER = '0001-01-01T00:00:00Z';

/** RFC 3339 with as many digits of the second as are not zero, at most nine; 0 is never. */
export function timeText(timeMs: number, timeNs = 0): string {
  if (timeMs === 0 && timeNs === 0) return NEVER;
  const whole = new Date(Math.floor(timeMs)).toISOString();
  const fraction = (whole.slice(20, 23) + String(timeNs).padStart(6, '0')).replace(/0+$/, '');
  return `${whole.slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** A time as RFC 3339, as `time` in `shape.ts` lets through. */
export function parseTime(text: string): LogTime {
  const [, digits = ''] = /\.(\d+)/.exec(text) ?? [];
  const nanoseconds = Number(digits.padEnd(9, '0').slice(0, 9));
  const seconds = Date.parse(text.replace(/\.\d+/, ''));
  return { timeMs: seconds + Math.floor(nanoseconds / 1e6), timeNs: nanoseconds % 1e6 };
}

export function isNever(text: string | undefined): boolean {
  return text === undefined || text.startsWith('0001-01-01T00:00:00');
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 3.6e6,
};

/** A duration as Go writes it, `1h30m` or `1.5s`, in ms; null when it is none. */
export function parseDuration(text: string): number | null {
  if (text === '0') return 0;
  if (!/^[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return null;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|μs|ms|s|m|h)/g))
    sum += Number(number) * UNITS_MS[unit];
  return text.startsWith('-') ? -sum : sum;
}

/** Nanoseconds as Go writes durations: `1m30s`. */
export function durationText(ns: number): string {
  if (ns < 1e9) {
    if (ns === 0) return '0s';
    if (ns < 1e3) return `${ns}ns`;
    return ns < 1e6 ? `${ns / 1e3}µs` : `${ns / 1e6}ms`;
  }
  const seconds = ns / 1e9;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
