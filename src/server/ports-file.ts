import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, Failure } from '../base/failure.js';

/** URLs that the server listens on, by kind; a kind that is off is absent or empty. */
export interface ListenUrls {
  nats?: readonly string[];
  monitoring?: readonly string[];
  cluster?: readonly string[];
  profile?: readonly string[];
  websocket?: readonly string[];
  leafnodes?: readonly string[];
  gateway?: readonly string[];
  mqtt?: readonly string[];
}

/** nats-server's kinds in its order, then further ones. */
const kinds = ['nats', 'monitoring', 'cluster', 'profile', 'websocket', 'leafnodes', 'gateway', 'mqtt'] as const;

/** Where the ports file of this process is: `<folder>/<executable>_<pid>.ports`. */
export function portsFilePath(folder: string, executable: string): string {
  return join(folder, `${executable}_${process.pid}.ports`);
}

/** Writes `{"nats":["nats://127.0.0.1:4222"], …}` with the kinds that are on. Throws a Failure `ports_file`. */
export function writePortsFile(path: string, urls: ListenUrls): void {
  const present = kinds.filter((kind) => (urls[kind]?.length ?? 0) > 0);
  const draft = `${path}.tmp`;
  try {
    writeFileSync(draft, JSON.stringify(Object.fromEntries(present.map((kind) => [kind, urls[kind]]))));
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new Failure('ports_file', `Error writing ports file (${path}): ${describe(error)}`, { cause: error });
  }
}

export function removePortsFile(path: string): void {
  rmSync(path, { force: true });
}
