import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { Failure } from '../base/failure.js';
import type { VersionSnapshot } from '../host/snapshot.js';
import { callApi } from './api-client.js';
import { type ConnectionOptions, withOpenConnection } from './connection.js';
import { packageFolder } from './package-info.js';
import { pluginFolder } from './plugin-folder.js';
import { checkTypedName } from './plugin-name.js';
import { printJson, printLine } from './print.js';

export interface InstallOptions extends ConnectionOptions {
  name?: string;
  json?: boolean;
}

export type InstalledVersion = VersionSnapshot & { plugin: string };

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
function moduleFile(source: string): string {
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

/** Installs a module under a name and answers its new version. */
export function installModule(connection: NatsConnection, name: string, wasm: Uint8Array): Promise<InstalledVersion> {
  const payloadBytesMax = connection.info?.max_payload ?? 0;
  if (payloadBytesMax > 0 && wasm.length > payloadBytesMax) {
    throw new Failure(
      'module-size',
      `the module has ${wasm.length} bytes; the server takes messages of ${payloadBytesMax} at most (max_payload)`,
    );
  }
  const sha256 = createHash('sha256').update(wasm).digest('hex');
  return callApi<InstalledVersion>(connection, `PLUGIN.INSTALL.${name}`, wasm, { 'Weir-Sha256': sha256 });
}

/** Says which file a server refuses. */
function refusal(file: string, error: Error): Error {
  if (!(error instanceof Failure) || !/^(api|module)-/.test(error.code)) return error;
  return new Failure(error.code, `cannot install "${file}": ${error.message}`, { cause: error });
}

export async function install(source: string, options: InstallOptions): Promise<void> {
  const file = moduleFile(source);
  const name = options.name ?? basename(file).replace(/\.wasm$/, '');
  checkTypedName('plugin', name);
  const wasm = readFileSync(file);
  const installed = await withOpenConnection(options, (connection) => installModule(connection, name, wasm)).catch(
    (error: Error) => {
      throw refusal(file, error);
    },
  );
  if (options.json) printJson(installed);
  else
    printLine(`installed ${name} version ${installed.version} (${installed.bytes} bytes, sha256 ${installed.sha256})`);
}
