// `npm run bench`, and `soak`, `attack` or `fuzz` behind `npm run bench --`: builds the project and the benchmarks (TypeScript, which Node 20 cannot run by itself), and runs them.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root, run } from './ensure.mjs';

ensureInstalled();
const what = ['soak', 'attack', 'fuzz'].find((word) => process.argv.includes(word)) ?? 'main';
const args = process.argv.slice(2).filter((word) => word !== what);
if (!args.includes('--no-build')) ensureBuilt();
const { build } = await import('esbuild');
// Inside node_modules, so that packages are found from there.
const cache = join(root, 'node_modules', '.cache');
mkdirSync(cache, { recursive: true });
const out = mkdtempSync(join(cache, 'weir-bench-'));
process.on('exit', () => rmSync(out, { recursive: true, force: true }));
const micro = join(root, 'bench', 'micro');
const microNames = existsSync(micro) ? readdirSync(micro).filter((name) => name.endsWith('.ts')) : [];
await build({
  absWorkingDir: root,
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
  outdir: out,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  logLevel: 'warning',
});
run(process.execPath, [join(out, `${what}.js`), ...args]);
