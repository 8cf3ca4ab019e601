// Builds the component: AssemblyScript's compiler makes a core module, and the tools of the component model put its types around it.
// `node examples/component/build.mjs`
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';
import asc from 'assemblyscript/asc';

const folder = join(import.meta.dirname, 'assembly');
const contractFile = join(import.meta.dirname, '..', '..', 'plugins', 'wit', 'weir-plugin.wit');
const target = join(import.meta.dirname, 'build', 'readings.wasm');

/** What a core module has to call its functions, by what they are called in AssemblyScript: it has no words for such names. */
const EXPORTS = {
  process: 'weir:plugin/processor@1.0.0#process',
  cabi_post_process: 'cabi_post_weir:plugin/processor@1.0.0#process',
};

class RenamedExports {
  afterCompile(module) {
    for (const [name, exported] of Object.entries(EXPORTS)) {
      module.removeExport(name);
      module.addFunctionExport(`readings/${name}`, exported);
    }
  }
}

async function compileCore() {
  let core = null;
  const stderr = asc.createMemoryStream();
  // A plugin has nothing to import: instead of telling that it aborts, it traps. The runtime `stub` can be told to forget everything.
  const flags = ['--runtime', 'stub', '--use', 'abort=', '-O2', '--outFile', 'readings.wasm'];
  const { error } = await asc.main(['readings.ts', '--baseDir', folder, ...flags], {
    stderr,
    transforms: [RenamedExports],
    writeFile: (_name, contents) => {
      core = contents;
    },
  });
  if (error) throw new Error(stderr.toString() || error.message);
  return core;
}

const witSource = await readFile(contractFile, 'utf8');
const typed = await componentEmbed({ binary: await compileCore(), witSource, world: 'filter' });
const component = await componentNew(typed, []);
await mkdir(dirname(target), { recursive: true });
await writeFile(target, component);
console.log(`built ${relative('', target)}: ${component.length} bytes`);
