import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cli, projectFolder } from '../cli/weir.js';

test('examples/earthquakes tests, installs, attaches and swaps its plugin, and the quakes are those of the data set', {
  timeout: 60_000,
}, async () => {
  const script = join(projectFolder, 'examples', 'earthquakes', 'run.mjs');
  const { code, stdout, stderr } = await new Cli([], { script }).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('7 passed, 0 failed');
  // Of 1707 events, with a magnitude of at least 2.5, 4.5, 6 and 5.5.
  expect(stdout.match(/^ {2}\d+ quakes/gm)).toEqual(['  297 quakes', '  85 quakes']);
  expect(stdout.match(/^ {2}\d+ alerts/gm)).toEqual(['  5 alerts', '  9 alerts']);
  expect(stdout).toContain('alerts.us  {"magnitude":6.4,"place":"22km NNE of Hualian, Taiwan"}');
  expect(stdout).toContain('is told: 422 this is no GeoJSON feature');
  expect(stdout).toMatch(/^quakes +quakes@1 +feed\.\* .* 1707 +1622 +85 /m);
});
