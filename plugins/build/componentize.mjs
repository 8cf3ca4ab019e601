// Compiles a plugin's folder with a `plugin.js` to a WebAssembly component: `weir plugin build` comes through here.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withManifest } from './manifest.mjs';

const COMPILER = '@bytecodealliance/componentize-js';
const contractFile = join(dirname(dirname(fileURLToPath(import.meta.url))), 'wit', 'weir-plugin.wit');
/** A plugin computes and nothing else: what these need would be imports. */
const disableFeatures = ['stdio', 'random', 'clocks', 'http', 'fetch-event'];
/** The interfaces of `weir-plugin.wit`, by the names under which a plugin exports what it has of them. */
const INTERFACES = ['processor', 'configurable', 'timed', 'stateful', 'tabular'];

/** Compiles `<folder>/plugin.js` into `outFile` (by default `<folder>/build/<name of the folder>.wasm`). */
export async function compilePlugin({ folder, outFile }) {
  const base = resolve(folder);
  const { componentize } = await loadCompiler(base);
  const source = await readFile(join(base, 'plugin.js'), 'utf8');
  const witWorld = worldOf(await readFile(contractFile, 'utf8'), source);
  const { component } = await componentize(source, { witWorld, worldName: 'this-plugin', disableFeatures });
  const target = outFile ?? join(base, 'build', `${basename(base)}.wasm`);
  const module = await withManifest(component, base);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, module);
  return { bytes: module.length, outFile: target };
}

/** The contract with a world of what the plugin exports: the compiler wants to find all of a world. */
function worldOf(contract, source) {
  const exported = INTERFACES.filter((name) =>
    new RegExp(`\\bexport\\s+(?:(?:const|let|var)\\s+${name}\\b|\\{[^}]*\\b${name}\\b[^}]*\\})`).test(source),
  );
  if (!exported.includes('processor'))
    throw new Error('plugin.js exports no "processor": that is what gets the messages');
  return `${contract}\nworld this-plugin {\n${exported.map((name) => `  export ${name};\n`).join('')}}\n`;
}

/** From the plugin's own folder, or one above it. */
async function loadCompiler(base) {
  for (let folder = base; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', COMPILER);
    if (existsSync(found)) {
      const { exports } = JSON.parse(await readFile(join(found, 'package.json'), 'utf8'));
      return import(pathToFileURL(join(found, exports.import)).href);
    }
    if (folder === dirname(folder)) break;
  }
  throw new Error(`the compiler "${COMPILER}" is not installed; install it with: npm install (in "${base}")`);
}
