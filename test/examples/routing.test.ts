import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cli, projectFolder } from '../cli/weir.js';

test('examples/routing sorts a feed by what is in it, and by another table later', { timeout: 60_000 }, async () => {
  const script = join(projectFolder, 'examples', 'routing', 'run.mjs');
  const { code, stdout, stderr } = await new Cli([], { script }).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [first, second] = stdout.split('Now there are readers');
  // As counted in the data set.
  expect(first).toMatch(/ 297 {2}quakes\.alaska\.earthquake\n/);
  expect(first).toMatch(/ 379 {2}quakes\.elsewhere\.ci\.earthquake\n/);
  expect(first).toMatch(/ 368 {2}quakes\.elsewhere\.nc\.earthquake\n/);
  expect(second).toMatch(/ 747 {2}quakes\.california\.earthquake\n/);
  expect(second).toMatch(/ 297 {2}quakes\.alaska\.earthquake\n/);
});
