import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The path of a program that some tests compare with or drive: on PATH or where `go install` puts programs; null when it is not there. */
export function findPeer(name: 'nats' | 'nats-server'): string | null {
  const goFolder = process.env.GOBIN ?? join(process.env.GOPATH ?? join(homedir(), 'go'), 'bin');
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), goFolder]) {
    // A checkout of this project offers a `nats-server` of its own: that one is no judge.
    if (folder === '' || folder.includes('node_modules')) continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return null;
}

/** What a test that needs the program is called when it is skipped. */
export function absent(name: string): string {
  return `skipped: no ${name} on PATH or in GOPATH/bin`;
}
