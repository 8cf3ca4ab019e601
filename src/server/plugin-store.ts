import { join } from 'node:path';
import type { ServerParts } from './server-parts.js';

/** Lets plugins go on where they were before a restart, when there is a store directory; tells the log what concerns the operator. */
export async function openPluginStore({ host, account, options, logger }: ServerParts): Promise<void> {
  host.events.onProblem = (text) => logger.warn(text);
  host.configure(options.plugins);
  if (options.storeDir === '') return;
  const { FolderPluginStore } = await import('../host/folder-store.js');
  await host.open(await FolderPluginStore.open(join(options.storeDir, 'plugins', account.name)));
}
