// Compiles every folder of plugins/ that has an `assembly/index.ts` into dist/plugins/<name>.wasm. What was compiled before from the same
// sources comes from a cache.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './ensure.mjs';

const folder = join(root, 'plugins');
const cache = join(root, 'node_modules', '.cache', 'weir-plugins');

export async function buildPlugins() {
  const out = join(root, 'dist', 'plugins');
  mkdirSync(out, { recursive: true });
  mkdirSync(cache, { recursive: true });
  const shared = digestOf([join(folder, 'sdk'), join(folder, 'build')]).update(readFileSync(join(root, 'asconfig.json'))).digest('hex');
  for (const name of pluginNames()) {
    const digest = digestOf([join(folder, name, 'assembly')]).update(shared).digest('hex');
    const cached = join(cache, `${name}-${digest}.wasm`);
    if (!existsSync(cached)) {
      const { compilePlugin } = await import('../plugins/build/compile.mjs');
      const made = join(cache, `${name}-${process.pid}.tmp`);
      await compilePlugin({ folder: join(folder, name), outFile: made });
      renameSync(made, cached);
    }
    copyFileSync(cached, join(out, `${name}.wasm`));
  }
}

const NOT_PLUGINS = new Set(['sdk', 'template']);

/** The bundled plugins. */
function pluginNames() {
  return readdirSync(folder).filter((name) => !NOT_PLUGINS.has(name) && existsSync(join(folder, name, 'assembly', 'index.ts')));
}

function digestOf(folders) {
  const hash = createHash('sha256');
  for (const path of folders) {
    const files = readdirSync(path, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
    for (const file of files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort()) {
      hash.update(`${relative(path, file)}\0`).update(readFileSync(file)).update('\0');
    }
  }
  return hash;
}
