// `npm test`: installs, builds, runs every test, and ends with `N passed, N failed` from the test runner's own report.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './ensure.mjs';

ensureInstalled();
ensureBuilt();
const folder = mkdtempSync(join(tmpdir(), 'weir-test-report-'));
const report = join(folder, 'report.json');
const done = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);
let passed = 0;
let failed = 0;
try {
  const result = JSON.parse(readFileSync(report, 'utf8'));
  passed = result.numPassedTests;
  failed = result.numFailedTests;
  // A file that cannot be loaded has no tests of its own to count: it is one failure.
  for (const file of result.testResults) if (file.status === 'failed' && file.assertionResults.length === 0) failed++;
} catch (error) {
  console.error(`the test runner left no report: ${error.message}`);
  failed = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (done.status !== 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
