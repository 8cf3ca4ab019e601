// `npm run bench`, and `soak`, `attack` or `fuzz` behind `npm run bench --`: builds the project and the benchmarks (TypeScript, which Node 20 cannot run by itself), and runs them.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundleHere } from './bundle.mjs';
import { ensureBuilt, ensureInstalled, root, run } from './ensure.mjs';

ensureInstalled();
const what = ['soak', 'attack', 'fuzz'].find((word) => process.argv.includes(word)) ?? 'main';
const args = process.argv.slice(2).filter((word) => word !== what);
if (!args.includes('--no-build')) ensureBuilt();
const micro = join(root, 'bench', 'micro');
const microNames = existsSync(micro) ? readdirSync(micro).filter((name) => name.endsWith('.ts')) : [];
const out = await bundleHere({
  entryPoints: {
    main: 'bench/main.ts',
    worker: 'bench/load/worker.ts',
    'link-peer': 'bench/link/peer.ts',
    soak: 'bench/soak.ts',
    'soak-load': 'bench/soak/load.ts',
    'soak-inside': 'bench/soak/inside.ts',
    attack: 'bench/attack/main.ts',
    'attack-probe': 'bench/attack/probe.ts',
    fuzz: 'bench/fuzz/main.ts',
    'relay-service': 'bench/relay-service.ts',
    // Where those who start them look for them: beside the file they are bundled into.
    'compile-worker': 'src/sandbox/compile-worker.ts',
    'tier-worker': 'src/workers/tier-worker.ts',
    'password-worker': 'src/auth/password-worker.ts',
    ...Object.fromEntries(microNames.map((name) => [`micro-${name.slice(0, -3)}`, `bench/micro/${name}`])),
  },
});
run(process.execPath, [join(out, `${what}.js`), ...args]);
