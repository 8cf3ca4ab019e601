import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, Failure } from '../base/failure.js';
import { DEFAULT_BUDGET } from '../sandbox/budget.js';
import { type PreparedModule, prepareModule } from '../sandbox/prepare.js';
import { packageFolder } from './package-info.js';
import { checkFolderName, checkHasSource, type PluginFolder, pluginFolder } from './plugin-folder.js';
import { printJson, printLine } from './print.js';

type Compile = (request: {
  folder: string;
  outFile: string;
}) => Promise<{ bytes: Uint8Array | number; outFile: string }>;

/** The compiler is a package of its own that only plugin authors need. */
function missingCompiler(error: unknown): Failure | null {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes("'assemblyscript'")) return null;
  const { peerDependencies } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8'));
  const version = peerDependencies.assemblyscript;
  return new Failure(
    'compiler-missing',
    `building a plugin needs the package assemblyscript; install it with: npm install --save-dev assemblyscript@${version}`,
    { cause: error },
  );
}

async function compile(folder: PluginFolder): Promise<void> {
  // A script outside of the bundle: `scripts/` compile the bundled plugins with it too.
  const script = pathToFileURL(join(packageFolder(), 'plugins', 'build', 'compile.mjs'));
  try {
    const { compilePlugin }: { compilePlugin: Compile } = await import(script.href);
    await compilePlugin({ folder: folder.path, outFile: folder.moduleFile });
  } catch (error) {
    throw missingCompiler(error) ?? new Failure('compile', describe(error), { cause: error });
  }
}

/** Compiles a plugin's folder and checks the module as a server would at its installation. */
export async function buildFolder(folder: PluginFolder): Promise<PreparedModule> {
  checkFolderName(folder);
  checkHasSource(folder);
  await compile(folder);
  try {
    return prepareModule(readFileSync(folder.moduleFile), DEFAULT_BUDGET.memoryBytesMax);
  } catch (error) {
    throw new Failure('module', `a server would refuse the module: ${describe(error)}`, { cause: error });
  }
}

export async function buildPlugin(typed: string, options: { json?: boolean }): Promise<void> {
  const folder = pluginFolder(typed);
  const { bytes, sha256 } = await buildFolder(folder);
  const file = relative(process.cwd(), folder.moduleFile);
  if (options.json) printJson({ plugin: folder.name, file, bytes, sha256 });
  else printLine(`built ${file}: ${bytes} bytes, accepted by the sandbox`);
}
