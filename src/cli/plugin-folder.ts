import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
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
  /** Whether a module was typed, which another tool has built. */
  isBuilt: boolean;
}

export function pluginFolder(typed: string): PluginFolder {
  const path = resolve(typed);
  const name = basename(path);
  return { name, typed, path, moduleFile: join(path, 'build', `${name}.wasm`), isBuilt: false };
}

/** A plugin's folder, or a module: its test cases lie beside it, or beside the folder `build` that it is in. */
export function pluginFolderOrModule(typed: string): PluginFolder {
  if (!typed.endsWith('.wasm')) return pluginFolder(typed);
  const moduleFile = resolve(typed);
  if (!statSync(moduleFile, { throwIfNoEntry: false })?.isFile()) {
    throw new UsageFailure('module-file', `there is no file "${typed}"`);
  }
  const around = dirname(moduleFile);
  const path = basename(around) === 'build' ? dirname(around) : around;
  return { name: basename(typed, '.wasm'), typed, path, moduleFile, isBuilt: true };
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
