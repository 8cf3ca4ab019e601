import { describe, expect, it } from 'vitest';
import { nextDue } from '../../src/stream/schedule-pattern.js';

describe('patterns of schedules', () => {
  const at = (text: string) => Date.parse(text);
  const next = (pattern: string, after: string, zone?: string) => {
    const due = nextDue(pattern, zone, at(after), at(after));
    return due === null ? null : new Date(due.timeMs).toISOString();
  };

  const cases: [string, string, string | null, string?][] = [
    ['@at 2026-01-02T03:04:05Z', '2026-01-01T00:00:00Z', '2026-01-02T03:04:05.000Z'],
    ['@every 90s', '2026-01-01T00:00:00Z', '2026-01-01T00:01:30.000Z'],
    ['@every 500ms', '2026-01-01T00:00:00Z', null],
    ['@hourly', '2026-01-01T00:00:00Z', '2026-01-01T01:00:00.000Z'],
    ['@daily', '2026-01-01T12:00:00Z', '2026-01-02T00:00:00.000Z'],
    ['@weekly', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00.000Z'],
    ['@yearly', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00.000Z'],
    ['*/15 * * * * *', '2026-01-01T00:00:16Z', '2026-01-01T00:00:30.000Z'],
    ['0 30 9-17 * * mon-fri', '2026-01-03T00:00:00Z', '2026-01-05T09:30:00.000Z'],
    ['0 0 0 29 feb *', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['0 0 0 31 2 *', '2026-01-01T00:00:00Z', null],
    ['0 0 0 13 * 5', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00.000Z'],
    ['0 0 12 * * *', '2026-07-01T00:00:00Z', '2026-07-01T10:00:00.000Z', 'Europe/Berlin'],
    ['0 0 12 * * *', '2026-01-01T00:00:00Z', '2026-01-01T11:00:00.000Z', 'Europe/Berlin'],
    ['0 0 12 * * *', '2026-01-01T00:00:00Z', null, 'Nowhere/Land'],
    ['@every 5s', '2026-01-01T00:00:00Z', null, 'Europe/Berlin'],
    ['61 * * * * *', '2026-01-01T00:00:00Z', null],
    ['* * * * *', '2026-01-01T00:00:00Z', null],
    ['@sometimes', '2026-01-01T00:00:00Z', null],
  ];
  for (const [pattern, after, expected, zone] of cases)
    it(`${pattern}${zone ? ` in ${zone}` : ''} after ${after}`, () =>
      expect(next(pattern, after, zone)).toBe(expected));
});
