import { describe, expect, it } from 'vitest';
import { goDuration, uptimeText } from '../../src/monitor/durations.js';

describe('uptimes', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [999, '0s'],
    [61_000, '1m1s'],
    [3_600_000, '1h0m0s'],
    [86_400_000 + 5_000, '1d0h0m5s'],
    [366 * 86_400_000, '1y1d0h0m0s'],
    [-5, '0s'],
  ];
  for (const [ms, text] of cases) it(text, () => expect(uptimeText(ms)).toBe(text));
});

describe('durations as Go prints them', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [5, '5ns'],
    [1_500, '1.5µs'],
    [1_179_639, '1.179639ms'],
    [100_000_000, '100ms'],
    [2_000_000_000, '2s'],
    [60_500_000_000, '1m0.5s'],
    [3_600_000_000_000, '1h0m0s'],
  ];
  for (const [ns, text] of cases) it(text, () => expect(goDuration(ns)).toBe(text));
});
