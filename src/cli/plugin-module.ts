import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { Failure } from '../base/failure.js';
import { packageFolder } from './package-info.js';
import { pluginFolder } from './plugin-folder.js';

/** The module file of a plugin that comes with Weir. */
export function bundledPluginFile(name: string): string {
  return join(packageFolder(), 'dist', 'plugins', `${name}.wasm`);
}

function bundledPlugins(): string[] {
  const folder = dirname(bundledPluginFile(''));
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.wasm'))
    .map((file) => basename(file, '.wasm'))
    .sort();
}

/** A module by its path, a plugin's folder (its `build/<folder>.wasm`), or the name of a bundled plugin. */
export function moduleFile(source: string): string {
  const bundled = bundledPluginFile(source);
  if (!existsSync(source)) {
    if (/^[\w-]+$/.test(source) && existsSync(bundled)) return bundled;
    throw new Failure(
      'module-file',
      `no module "${source}": expected a .wasm file, a plugin's folder or a bundled plugin (${bundledPlugins().join(', ')})`,
    );
  }
  if (!statSync(source).isDirectory()) return source;
  const { moduleFile: built } = pluginFolder(source);
  if (existsSync(built)) return built;
  throw new Failure(
    'module-file',
    `"${source}" is not built: there is no "${relative('', built)}" (build it with: weir plugin build ${source})`,
  );
}
