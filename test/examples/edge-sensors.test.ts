import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cli, projectFolder } from '../cli/weir.js';

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
});
