// Bundles TypeScript of this clone for scripts that run it: Node 20 cannot do so by itself.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './ensure.mjs';

/** Bundles what esbuild's `options` name into a folder that is there until this process ends, and answers the folder. */
export async function bundleHere(options) {
  // Not before it is needed: whoever imports this file may have to install it first.
  const { build } = await import('esbuild');
  // Inside node_modules, so that packages are found from there.
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const outdir = mkdtempSync(join(cache, 'weir-bundle-'));
  process.on('exit', () => rmSync(outdir, { recursive: true, force: true }));
  await build({
    absWorkingDir: root,
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    logLevel: 'warning',
    ...options,
  });
  return outdir;
}
