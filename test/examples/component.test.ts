import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cli, projectFolder } from '../cli/weir.js';

test('examples/component builds a component, and a year of readings goes through it', { timeout: 60_000 }, async () => {
  const script = join(projectFolder, 'examples', 'component', 'run.mjs');
  const { code, stdout, stderr } = await new Cli([], { script }).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^built .*readings\.wasm: \d+ bytes$/m);
  expect(stdout).toContain('2 passed, 0 failed');
  // As the data set says.
  expect(stdout).toMatch(/^8759 readings came out, 11\.13 degrees in the mean, such as$/m);
  expect(stdout).toMatch(/^ {2}\{"date":"2010-01-01T01:00:00","pressure":1016\.6,"temperature":4,"wind":3\.8\}$/m);
  expect(stdout).toContain('is told: 422 expected date,pressure,temperature,wind');
});
