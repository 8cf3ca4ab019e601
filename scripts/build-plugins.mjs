// Compiles every folder of plugins/ that has an `assembly/index.ts` into dist/plugins/<name>.wasm.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './ensure.mjs';

export async function buildPlugins() {
  const folder = join(root, 'plugins');
  const out = join(root, 'dist', 'plugins');
  const names = readdirSync(folder).filter((name) => name !== 'sdk' && name !== 'template' && existsSync(join(folder, name, 'assembly', 'index.ts')));
  if (names.length === 0) return;
  mkdirSync(out, { recursive: true });
  const asc = await import('assemblyscript/asc');
  for (const name of names) {
    const { error, stderr } = await asc.main([
      join('plugins', name, 'assembly', 'index.ts'), '--config', 'asconfig.json', '--target', 'release', '--outFile', join('dist', 'plugins', `${name}.wasm`),
    ]);
    if (error) throw new Error(`plugin ${name} does not compile: ${error.message}\n${stderr.toString()}`);
  }
}
