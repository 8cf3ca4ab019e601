// Compiles every folder of plugins/ that has an `assembly/index.ts`. What was compiled before from the same sources comes from a cache.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { appendSection, splitManifest } from '../plugins/build/manifest.mjs';
import { bundleHere } from './bundle.mjs';
import { filesUnder, root } from './ensure.mjs';

const folder = join(root, 'plugins');
const cache = join(root, 'node_modules', '.cache', 'weir-plugins');
const CACHED_MS = 7 * 24 * 60 * 60 * 1000;
const NOT_PLUGINS = new Set(['sdk', 'template']);

/** The bundled plugins as `<name>.wasm` and their bytes. */
export async function buildPlugins() {
  mkdirSync(cache, { recursive: true });
  const options = readFileSync(join(root, 'asconfig.json'));
  const shared = digestOf([join(folder, 'sdk'), join(folder, 'build')])
    .update(options)
    .digest('hex');
  const plugins = pluginNames().map((name) => {
    const digest = digestOf([join(folder, name, 'assembly'), join(folder, name, 'tests')])
      .update(readFileSync(join(folder, name, 'plugin.json')))
      .update(shared)
      .digest('hex');
    return { name, folder: join(folder, name), outFile: join(cache, `${name}-${digest}.wasm`) };
  });
  const made = plugins
    .filter(({ outFile }) => !existsSync(outFile))
    .map((plugin) => ({ ...plugin, target: plugin.outFile, outFile: `${plugin.outFile}.${process.pid}.made` }));
  await compileAll(made);
  await embedTests(made);
  const files = new Map(plugins.map(({ name, outFile }) => [`${name}.wasm`, readFileSync(outFile)]));
  sweepCache(new Set(plugins.map(({ outFile }) => outFile)));
  return files;
}

function pluginNames() {
  return readdirSync(folder).filter(
    (name) => !NOT_PLUGINS.has(name) && existsSync(join(folder, name, 'assembly', 'index.ts')),
  );
}

function digestOf(folders) {
  const hash = createHash('sha256');
  for (const path of folders) {
    for (const file of filesUnder(path).sort()) {
      hash
        .update(`${relative(path, file)}\0`)
        .update(readFileSync(file))
        .update('\0');
    }
  }
  return hash;
}

/** Puts into each module what it makes of its test cases: whoever installs it makes sure that it does the same there. */
async function embedTests(plugins) {
  if (plugins.length === 0) return;
  const { prepareModule, vectorsOf } = await engine();
  for (const { folder: path, outFile, target } of plugins) {
    const { wasm, manifest } = splitManifest(readFileSync(outFile));
    const tests = vectorsOf(prepareModule(readFileSync(outFile)), path);
    writeFileSync(outFile, appendSection(wasm, { ...manifest, self_tests: tests }));
    renameSync(outFile, target);
  }
}

/** The broker's own engine, from its sources: dist/ is not there yet. */
async function engine() {
  const entryPoints = { vectors: 'src/cli/plugin-vectors.ts', prepare: 'src/sandbox/prepare.ts' };
  const out = await bundleHere({ entryPoints, outExtension: { '.js': '.mjs' } });
  const [vectors, prepare] = await Promise.all(
    Object.keys(entryPoints).map((name) => import(pathToFileURL(join(out, `${name}.mjs`)).href)),
  );
  return { ...vectors, ...prepare };
}

/** Two threads: asc takes a second to warm up, so more would only help with many more plugins. */
async function compileAll(jobs) {
  if (jobs.length === 0) return;
  const queue = [...jobs];
  const threads = Math.min(2, availableParallelism(), jobs.length);
  await Promise.all(Array.from({ length: threads }, () => compileNext(queue)));
}

async function compileNext(queue) {
  const worker = new Worker(new URL('./plugin-worker.mjs', import.meta.url));
  try {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const failure = await ask(worker, job);
      if (failure !== null) throw new Error(`plugin "${job.name}":\n${failure}`);
    }
  } finally {
    await worker.terminate();
  }
}

function ask(worker, job) {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
    worker.postMessage(job);
  });
}

/** What no build has made for a week goes; other checkouts may share the cache. */
function sweepCache(used) {
  for (const path of readdirSync(cache).map((name) => join(cache, name))) {
    const found = statSync(path, { throwIfNoEntry: false });
    if (!used.has(path) && found !== undefined && Date.now() - found.mtimeMs > CACHED_MS)
      rmSync(path, { recursive: true, force: true });
  }
}
