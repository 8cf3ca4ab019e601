// Measures what a message costs each bundled plugin, as dist/ has them: `node scripts/plugin-costs.mjs`; with `--write`, the table goes into plugins/README.md.
import { join } from 'node:path';
import { bundleHere } from './bundle.mjs';
import { ensureInstalled, run } from './ensure.mjs';

ensureInstalled();
const out = await bundleHere({ entryPoints: ['bench/plugin-costs.ts'] });
run(process.execPath, [join(out, 'plugin-costs.js'), ...process.argv.slice(2)]);
