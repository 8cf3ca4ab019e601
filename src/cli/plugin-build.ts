import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, Failure } from '../base/failure.js';
import { readManifest } from '../host/manifest.js';
import type { Manifest } from '../host/manifest-contents.js';
import { type PreparedModule, prepareModule } from '../sandbox/prepare.js';
import { packageFolder } from './package-info.js';
import { checkHasSource, isJavaScript, type PluginFolder, pluginFolder } from './plugin-folder.js';
import { checkTypedName } from './plugin-name.js';
import { embedVectors } from './plugin-vectors.js';
import { printJson, printLine } from './print.js';

type Compile = (request: { folder: string; outFile: string }) => Promise<unknown>;

async function compile(folder: PluginFolder): Promise<void> {
  // A script outside of the bundle: `scripts/` compile the bundled plugins with it too.
  const script = isJavaScript(folder) ? 'componentize.mjs' : 'compile.mjs';
  const scriptUrl = pathToFileURL(join(packageFolder(), 'plugins', 'build', script));
  try {
    const { compilePlugin }: { compilePlugin: Compile } = await import(scriptUrl.href);
    await compilePlugin({ folder: folder.path, outFile: folder.moduleFile });
  } catch (error) {
    // A line each for the compiler's diagnostics.
    const text = describe(error);
    const lines = text.includes('\n') ? `\n${text}` : text;
    throw new Failure('compile', `cannot build "${folder.typed}": ${lines}`, { cause: error });
  }
}

interface BuiltPlugin {
  prepared: PreparedModule;
  manifest: Manifest | null;
}

/** Compiles a plugin's folder, unless another tool did, and checks the module as a server would at its installation. */
export async function buildFolder(folder: PluginFolder): Promise<BuiltPlugin> {
  checkTypedName('plugin', folder.name);
  if (folder.isBuilt) return checkModule(folder);
  checkHasSource(folder);
  await compile(folder);
  const checked = await checkModule(folder);
  return (await embedVectors(checked.prepared, folder)) === 0 ? checked : checkModule(folder);
}

/** As a server would at its installation. */
async function checkModule({ moduleFile }: PluginFolder): Promise<BuiltPlugin> {
  try {
    const prepared = prepareModule(readFileSync(moduleFile));
    return { prepared, manifest: await readManifest(prepared.manifest) };
  } catch (error) {
    throw new Failure('module', `a server would refuse the module: ${describe(error)}`, { cause: error });
  }
}

export async function buildPlugin(typed: string, options: { json?: boolean }): Promise<void> {
  const folder = pluginFolder(typed);
  const { bytes, sha256 } = (await buildFolder(folder)).prepared;
  const file = relative(process.cwd(), folder.moduleFile);
  if (options.json) printJson({ plugin: folder.name, file, bytes, sha256 });
  else printLine(`built ${file}: ${bytes} bytes, accepted by the sandbox`);
}
