// Builds `dist/`: bundles by esbuild (a small server entry, everything else in lazily loaded chunks), type declarations by
// tsc, and the bundled plugins by asc, all three at once. `--no-types` leaves out the declarations; `--clean` leaves nothing of earlier builds.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { buildPlugins } from './build-plugins.mjs';
import { Dist } from './dist.mjs';
import { ensureInstalled, filesUnder, root } from './ensure.mjs';

ensureInstalled();
// valibot is bundled, since a fifth of it is used: the whole, loaded with the first plugin, would cost 1 MB of memory (bench: edge).
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const EXTERNAL = Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => name !== 'valibot');

const startedMs = Date.now();
const withTypes = !process.argv.includes('--no-types');
const clean = process.argv.includes('--clean');
try {
  // Everything is made before the first file is put in place: a build that fails leaves what there was.
  const parts = await Promise.allSettled([bundle(), buildPlugins(), withTypes ? declarations() : null]);
  const failed = parts.find(({ status }) => status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const [code, plugins, types] = parts.map(({ value }) => value);
  const dist = new Dist(join(root, 'dist'), { startedMs, clean });
  dist.place('.', code);
  dist.place('plugins', plugins);
  if (types !== null) dist.place('types', types);
} catch (error) {
  console.error(`the build failed, dist/ is as it was: ${error.message}`);
  process.exit(1);
}
console.log(`built dist/ in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);

async function bundle() {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: {
      index: 'src/index.ts',
      weir: 'src/cli/weir.ts',
      'nats-server': 'src/cli/nats-server.ts',
      'compile-worker': 'src/sandbox/compile-worker.ts',
      'tier-worker': 'src/workers/tier-worker.ts',
      'password-worker': 'src/auth/password-worker.ts',
    },
    outdir: 'dist',
    outExtension: { '.js': '.js' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: EXTERNAL,
    sourcemap: true,
    // V8 keeps the source of what it has loaded: 0.8 MB less (bench: edge). Names stay, and lines are short enough for a stack trace to say where.
    minifyWhitespace: true,
    lineLimit: 120,
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
  });
  return new Map(
    outputFiles.map(({ path, contents, text }) => [
      relative(join(root, 'dist'), path),
      path.endsWith('.js') ? ascii(text) : contents,
    ]),
  );
}

/** A source with a single character beyond Latin-1 costs two bytes for each of its characters in V8; esbuild leaves such in regular expressions and some comments. */
function ascii(source) {
  return source.replace(/[^\x00-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

async function declarations() {
  const folder = mkdtempSync(join(tmpdir(), 'weir-types-'));
  try {
    const tsc = ['node_modules/typescript/bin/tsc', '--noEmit', 'false', '--emitDeclarationOnly', '--declaration'];
    await node([...tsc, '--rootDir', 'src', '--outDir', folder, '-p', 'tsconfig.build.json']);
    return new Map(filesUnder(folder).map((path) => [relative(folder, path), readFileSync(path)]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs Node beside this process, which goes on with the rest. */
function node(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${args[0]} ended with ${code}`))));
  });
}
