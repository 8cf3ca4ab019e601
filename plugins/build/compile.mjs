// Compiles a plugin's folder to WebAssembly: `weir plugin build`, the build of the bundled plugins and the tests all come through here.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withManifest } from './manifest.mjs';

const pluginsFolder = dirname(dirname(fileURLToPath(import.meta.url)));
/** The SDK's sources, as authors import them: `weir/plugin` is `plugin.ts`. */
export const sdkFolder = join(pluginsFolder, 'sdk', 'assembly');
/** The options of asc, for bundled plugins and authors alike. */
export const optionsFile = join(dirname(pluginsFolder), 'asconfig.json');

/** asc looks for the library `weir` in a folder that is not there: `readSource` answers for it. */
const LIBRARY = 'weir-library';
/** The module asc starts from. It lies in the author's folder only for asc: `readSource` answers with the SDK's `entry.ts`. */
const ENTRY = 'weir-entry';
/** What is compiled besides, by the functions that ask for it. */
const HOOKS = {
  tick: ['onTick'],
  drain: ['onDrain'],
  state: ['onSave', 'onRestore'],
  bytes: ['onSaveBytes', 'onRestoreBytes'],
  table: ['onEntry'],
};

/**
 * Compiles `<folder>/assembly/index.ts` into `outFile` (by default `<folder>/build/<name of the folder>.wasm`). Throws an `Error` whose
 * message holds asc's diagnostics as `file:line:column: text`, one a line.
 */
export async function compilePlugin({ folder, outFile }) {
  const base = resolve(folder);
  const index = join(base, 'assembly', 'index.ts');
  if (!existsSync(index)) throw plainError(`there is no plugin in "${folder}": expected the file ${index}`);
  const entries = entriesFor(await readFile(index, 'utf8')).map((name) => `${name}.ts`);
  const asc = await loadCompiler();
  const diagnostics = [];
  const stderr = asc.createMemoryStream();
  let wasm = null;
  const { error } = await asc.main(
    [...entries, '--baseDir', base, '--config', 'asconfig.json', '--lib', LIBRARY, '--outFile', 'plugin.wasm'],
    {
      readFile: (name, from) => readSource(name, from, base),
      writeFile: (_name, contents) => {
        wasm = contents;
      },
      listFiles: () => [],
      stdout: asc.createMemoryStream(),
      stderr,
      reportDiagnostic: (diagnostic) => diagnostics.push(diagnostic),
    },
  );
  if (error || wasm === null) throw plainError(await explain(diagnostics, base, stderr.toString() || describe(error)));
  refuseImports(wasm);
  const target = outFile === undefined ? join(base, 'build', `${nameOf(base)}.wasm`) : resolve(outFile);
  const module = await withManifest(wasm, base);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, module);
  return { bytes: module.length, outFile: target };
}

/** The modules whose exports are the contract's: an export that is there is a promise that something comes of calling it. */
function entriesFor(source) {
  const has = (name) =>
    new RegExp(`\\bexport\\s+(?:function\\s+${name}\\b|\\{[^}]*\\b${name}\\b[^}]*\\})`).test(source);
  const wanted = Object.entries(HOOKS).filter(([, names]) => names.some(has));
  for (const [, names] of wanted) {
    const missing = names.find((name) => !has(name));
    if (missing !== undefined)
      throw plainError(`assembly/index.ts exports ${names.filter(has)} and no ${missing}: expected both`);
  }
  return [ENTRY, ...wanted.map(([hook]) => `${ENTRY}-${hook}`)];
}

async function loadCompiler() {
  try {
    return await import('assemblyscript/asc');
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw plainError(
      'the AssemblyScript compiler is not installed; install it with: npm install --save-dev assemblyscript@0.28.20',
    );
  }
}

/** asc's view of the disk. Answers null for what is not there, as asc expects. */
async function readSource(name, from, base) {
  if (name === 'asconfig.json') return readText(optionsFile);
  if (name.startsWith(ENTRY)) return readText(join(sdkFolder, name.slice('weir-'.length)));
  if (from === LIBRARY) {
    const found = /^weir\/([\w-]+\.ts)$/.exec(name);
    return found === null ? null : readText(join(sdkFolder, found[1]));
  }
  return readText(resolve(from || base, name));
}

async function readText(file) {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return null;
  }
}

/** The errors among asc's diagnostics, each with its place; what asc said itself when it gave none. */
async function explain(diagnostics, base, otherwise) {
  const errors = diagnostics.filter(({ category }) => category === 3);
  if (errors.length === 0) return otherwise.trim();
  const lines = await Promise.all(errors.map((diagnostic) => line(diagnostic, base)));
  return [...new Set(lines)].join('\n');
}

async function line({ message, code, range }, base) {
  // As asc numbers them: its own below 1000, TypeScript's above.
  const number = code > 0 && code < 100_000 ? `${code < 1_000 ? 'AS' : 'TS'}${code}: ` : '';
  const text = `${number}${message}`;
  const path = range?.source?.normalizedPath;
  if (!path) return text;
  const library = /^~lib\/weir\/(.+)$/.exec(path);
  const file = library === null ? join(base, path) : join(sdkFolder, library[1]);
  const before = ((await readText(file)) ?? '').slice(0, range.start).split('\n');
  return `${library === null ? path : `weir/${library[1]}`}:${before.length}:${before.at(-1).length + 1}: ${text}`;
}

/** A plugin has no imports: what asks for one would be refused on installation, so say it here and say why. */
function refuseImports(wasm) {
  const reasons = {
    'env.seed':
      'Math.random() needs a source of chance; a plugin has none, the same message always gives the same answer',
    'env.Date.now': 'Date.now() needs a clock; use message.timestamp',
    'env.console.log': 'console.log() needs a terminal; use log.info()',
    'env.trace': 'trace() needs a terminal; use log.debug()',
  };
  for (const { module, name } of WebAssembly.Module.imports(new WebAssembly.Module(wasm))) {
    const reason = reasons[`${module}.${name}`];
    throw plainError(
      `the plugin imports "${module}.${name}", and a plugin may import nothing${reason ? `: ${reason}` : ''}`,
    );
  }
}

function nameOf(folder) {
  return folder.split(/[\\/]/).at(-1);
}

function describe(error) {
  return error instanceof Error ? error.message : String(error);
}

/** An author's mistake: its stack would point into this file. */
function plainError(message) {
  const error = new Error(message);
  error.stack = `Error: ${message}`;
  return error;
}
