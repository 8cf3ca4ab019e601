import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { withConfiguration } from './configuration.js';

/** A bundled plugin at work. */
export interface Attached {
  name: string;
  plugin: 'threshold' | 'convert' | 'enrich';
  subject: string;
  config: object;
  tier?: 'worker';
  metering?: 'off';
}

const fileOf = (plugin: string) => resolve('dist/plugins', `${plugin}.wasm`);

/** Why scenarios with these plugins cannot run, or null. */
export function missing(...plugins: Attached['plugin'][]): string | null {
  const file = plugins.map(fileOf).find((path) => !existsSync(path));
  return file === undefined ? null : `${file} is not there`;
}

/** Runs Weir with attachments from a configuration file: `use` gets the arguments that name it. */
export async function withAttachments<T>(attached: Attached[], use: (args: string[]) => Promise<T>): Promise<T> {
  const modules = [...new Set(attached.map(({ plugin }) => plugin))].map((plugin) => [plugin, fileOf(plugin)]);
  const attachments = attached.map(({ name, ...definition }) => [name, definition]);
  const plugins = { modules: Object.fromEntries(modules), attachments: Object.fromEntries(attachments) };
  return withConfiguration(() => `plugins: ${JSON.stringify(plugins)}\n`, use);
}
