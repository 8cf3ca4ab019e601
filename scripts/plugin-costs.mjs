// Measures what a message costs each bundled plugin, as dist/ has them: `node scripts/plugin-costs.mjs`; with `--write`, the table goes into plugins/README.md.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ensureInstalled, root, run } from './ensure.mjs';

ensureInstalled();
const cache = join(root, 'node_modules', '.cache');
mkdirSync(cache, { recursive: true });
const out = mkdtempSync(join(cache, 'weir-costs-'));
process.on('exit', () => rmSync(out, { recursive: true, force: true }));
await build({
  absWorkingDir: root,
  entryPoints: ['bench/plugin-costs.ts'],
  outdir: out,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  logLevel: 'warning',
});
run(process.execPath, [join(out, 'plugin-costs.js'), ...process.argv.slice(2)]);
