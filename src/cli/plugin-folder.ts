import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { UsageFailure } from './usage-failure.js';

/** Where a plugin's author keeps what. */
export interface PluginFolder {
  /** The plugin's name: the folder's. */
  name: string;
  /** As it was typed, for messages. */
  typed: string;
  path: string;
  /** The module that a build leaves. */
  moduleFile: string;
}

export function pluginFolder(typed: string): PluginFolder {
  const path = resolve(typed);
  const name = basename(path);
  return { name, typed, path, moduleFile: join(path, 'build', `${name}.wasm`) };
}

/** Whether the plugin is written in JavaScript, and becomes a component. */
export function isJavaScript({ path }: PluginFolder): boolean {
  return existsSync(join(path, 'plugin.js'));
}

/** Throws unless there is something to compile. */
export function checkHasSource(folder: PluginFolder): void {
  const source = join('assembly', 'index.ts');
  if (isJavaScript(folder) || existsSync(join(folder.path, source))) return;
  const found = existsSync(folder.path) ? `there is no "${source}" in it` : 'there is no such folder';
  throw new UsageFailure(
    'plugin-folder',
    `"${folder.typed}" is not a plugin's folder: ${found} (make one with: weir plugin new my-plugin)`,
  );
}
