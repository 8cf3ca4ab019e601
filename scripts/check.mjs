// `npm run check`: types, lint and format, dead code. All three run; it fails when one of them does.
import { spawnSync } from 'node:child_process';
import { ensureInstalled, root } from './ensure.mjs';

ensureInstalled();
const checks = {
  types: ['typescript/bin/tsc', '-p', 'tsconfig.json'],
  'lint and format': ['@biomejs/biome/bin/biome', 'check', '.'],
  'dead code': ['knip/bin/knip.js', '--no-progress'],
};
const failed = Object.entries(checks).filter(([, [program, ...args]]) => {
  const done = spawnSync(process.execPath, [`node_modules/${program}`, ...args], { cwd: root, stdio: 'inherit' });
  return done.status !== 0;
});
for (const [name] of failed) console.log(`check failed: ${name}`);
if (failed.length === 0) console.log('check passed');
process.exit(failed.length === 0 ? 0 : 1);
