// `npm run check`: types, lint and format, dead code.
import { ensureInstalled, run } from './ensure.mjs';

ensureInstalled();
run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']);
run('npx', ['biome', 'check', '.']);
run('npx', ['knip']);
