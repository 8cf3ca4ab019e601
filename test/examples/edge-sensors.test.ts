import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cli, projectFolder } from '../cli/weir.js';

interface Day {
  location: string;
  warmest: number;
}

function readDays(): Day[] {
  const file = join(projectFolder, 'node_modules', 'vega-datasets', 'data', 'weather.csv');
  const rows = readFileSync(file, 'utf8').trim().split(/\r?\n/).slice(1);
  return rows.map((row) => row.split(',')).map((cells) => ({ location: cells[0], warmest: Number(cells[3]) }));
}

/** Temperatures that differ by more than 5 °C from the last one of the same place that was reported. */
function countReports(days: Day[]): number {
  const last = new Map<string, number>();
  const reported = days.filter(({ location, warmest }) => {
    const isReport = !(Math.abs(warmest - (last.get(location) ?? Number.NaN)) <= 5);
    if (isReport) last.set(location, warmest);
    return isReport;
  });
  return reported.length;
}

test('examples/edge-sensors lets the storms through, small, converted and with their place', {
  timeout: 60_000,
}, async () => {
  const script = join(projectFolder, 'examples', 'edge-sensors', 'run.mjs');
  const { code, stdout, stderr } = await new Cli([], { script }).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('2922 readings of');
  // Days with a wind above 8 m/s in the data set.
  expect(stdout).toContain('118 readings of');
  const first = /sensors\.seattle +(\{.*\})/.exec(stdout)![1]!;
  expect(JSON.parse(first)).toEqual({
    location: 'Seattle',
    date: expect.stringMatching(/^2012-/),
    wind: expect.closeTo(29.52, 5),
    latitude: 47.44,
    longitude: -122.31,
  });
  const days = readDays();
  expect(stdout).toContain(`2922 temperatures became ${countReports(days)} reports of a change`);
  for (const [name, location] of Object.entries({ seattle: 'Seattle', 'new-york': 'New York' })) {
    const warmth = days.filter((day) => day.location === location).map(({ warmest }) => warmest);
    const mean = warmth.reduce((sum, value) => sum + value, 0) / warmth.length;
    const range = `${Math.min(...warmth)} to ${Math.max(...warmth)} °C`;
    expect(stdout).toContain(`${name}: 1461 days, ${range}, ${mean.toFixed(1)} °C on average`);
  }
});
