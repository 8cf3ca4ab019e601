import { Cron } from './cron.js';
import { parseDuration, parseTime } from './time.js';

const ALIASES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 0 1 1 *',
  '@annually': '0 0 0 1 1 *',
  '@monthly': '0 0 0 1 * *',
  '@weekly': '0 0 0 * * 0',
  '@daily': '0 0 0 * * *',
  '@midnight': '0 0 0 * * *',
  '@hourly': '0 0 * * * *',
};

/** When a schedule is due next, and whether that is not the last time. */
export interface Due {
  timeMs: number;
  repeats: boolean;
}

/** Reads `@at <time>`, `@every <duration>`, an alias or a cron line: when it is due after that time. Null when it is wrong. */
export function nextDue(pattern: string, zone: string | undefined, afterMs: number, nowMs: number): Due | null {
  if (pattern.startsWith('@at ')) {
    const time = pattern.slice(4);
    if (zone !== undefined || Number.isNaN(Date.parse(time)) || !time.includes('T')) return null;
    return { timeMs: parseTime(time).timeMs, repeats: false };
  }
  if (pattern.startsWith('@every ')) {
    const everyMs = parseDuration(pattern.slice(7));
    if (zone !== undefined || everyMs === null || everyMs < 1000) return null;
    const next = wholeSecond(afterMs) + everyMs;
    return { timeMs: next < nowMs ? wholeSecond(nowMs) + everyMs : next, repeats: true };
  }
  const cron = Cron.parse(ALIASES[pattern] ?? pattern);
  const offset = zone === undefined ? () => 0 : offsetOf(zone);
  const next = offset === null ? null : (cron?.next(Math.max(afterMs, nowMs), offset) ?? null);
  return next === null ? null : { timeMs: next, repeats: true };
}

function wholeSecond(timeMs: number): number {
  return Math.round(timeMs / 1000) * 1000;
}

/** Whether there is such a time zone. */
export function isZone(zone: string): boolean {
  return offsetOf(zone) !== null;
}

/** How far a zone's clocks are ahead of UTC at a time, in ms; null when there is no such zone. */
function offsetOf(zone: string): ((timeMs: number) => number) | null {
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
    return (timeMs) => {
      const part = Object.fromEntries(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
      const wall = Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
      return wall - Math.floor(timeMs / 1000) * 1000;
    };
  } catch {
    return null;
  }
}
