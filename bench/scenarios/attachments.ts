import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

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
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const file = join(folder, 'weir.conf');
  const modules = [...new Set(attached.map(({ plugin }) => plugin))].map((plugin) => [plugin, fileOf(plugin)]);
  const attachments = attached.map(({ name, ...definition }) => [name, definition]);
  const plugins = { modules: Object.fromEntries(modules), attachments: Object.fromEntries(attachments) };
  writeFileSync(file, `plugins: ${JSON.stringify(plugins)}\n`);
  try {
    return await use(['-c', file]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
