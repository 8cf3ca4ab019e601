import type { Clock } from '../base/clock.js';

const dayMs = 86_400_000;
const secondUs = 1_000_000;
const stepMsMax = 20;

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

/** Calendar parts of a moment: `[year, month, day, hour, minute, second]`, zero-padded, in UTC or local time. */
export function calendarParts(timeMs: number, utc: boolean): string[] {
  // Shifted by the zone's offset, the UTC getters read local time.
  const shiftMs = utc ? 0 : new Date(timeMs).getTimezoneOffset() * -60_000;
  const date = new Date(timeMs + shiftMs);
  const parts = [
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  return [pad(date.getUTCFullYear(), 4), ...parts.map((part) => pad(part, 2))];
}

/** Stamps log lines as `2025/01/02 15:04:05.000000 `: the text of a second is made once and kept. */
export class LogTime {
  private readonly clock: Clock;
  private readonly utc: boolean;
  private anchorMs: number;
  private anchorNs: number;
  private second = -1;
  private secondText = '';

  constructor(clock: Clock, utc: boolean) {
    this.clock = clock;
    this.utc = utc;
    this.anchorMs = clock.nowMs();
    this.anchorNs = clock.monotonicNs();
  }

  stamp(): string {
    const us = this.nowUs();
    const second = Math.floor(us / secondUs);
    if (second !== this.second) {
      const [year, month, day, hour, minute, seconds] = calendarParts(second * 1000, this.utc);
      this.second = second;
      this.secondText = `${year}/${month}/${day} ${hour}:${minute}:${seconds}.`;
    }
    return `${this.secondText}${pad(us - second * secondUs, 6)} `;
  }

  /** Wall-clock microseconds: the wall clock has only milliseconds, so the monotonic one fills in, until the wall clock steps. */
  nowUs(): number {
    const wallMs = this.clock.nowMs();
    const monotonicNs = this.clock.monotonicNs();
    const elapsedMs = (monotonicNs - this.anchorNs) / 1e6;
    const timeMs = this.anchorMs + elapsedMs;
    if (Math.abs(timeMs - wallMs) <= stepMsMax && elapsedMs < dayMs) return Math.floor(timeMs * 1000);
    this.anchorMs = wallMs;
    this.anchorNs = monotonicNs;
    return wallMs * 1000;
  }
}
