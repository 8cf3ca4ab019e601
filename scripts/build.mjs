// Builds `dist/`: bundles by esbuild (a small server entry, everything else in lazily loaded chunks), type declarations by
// tsc, and the bundled plugins by asc.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root, run } from './ensure.mjs';

ensureInstalled();
const { build } = await import('esbuild');
const started = Date.now();
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

await build({
  absWorkingDir: root,
  entryPoints: {
    index: 'src/index.ts',
    weir: 'src/cli/weir.ts',
    'nats-server': 'src/cli/nats-server.ts',
    'compile-worker': 'src/sandbox/compile-worker.ts',
    'password-worker': 'src/auth/password-worker.ts',
  },
  outdir: 'dist',
  outExtension: { '.js': '.js' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: true,
  legalComments: 'none',
  logLevel: 'warning',
});
if (!process.argv.includes('--no-types')) {
  run(process.execPath, [
    'node_modules/typescript/bin/tsc', '--noEmit', 'false', '--emitDeclarationOnly', '--declaration',
    '--rootDir', 'src', '--outDir', 'dist/types', '-p', 'tsconfig.build.json',
  ]);
}
const { buildPlugins } = await import('./build-plugins.mjs');
await buildPlugins();
writeFileSync(join(dist, '.built'), '');
console.log(`built dist/ in ${((Date.now() - started) / 1000).toFixed(1)} s`);
