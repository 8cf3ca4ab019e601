import { closeSync, openSync } from 'node:fs';
import { link, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { DiskLock } from './disk.js';
import { errorCode } from './disk.js';

const NAME = 'lock';
/** A socket's path has room for some hundred bytes. */
const PATH_BYTES_MAX = 90;
const ATTEMPTS = 5;

/**
 * Owns a folder by a listening socket in it: the system closes it when the process ends, however that ends, and it needs no process
 * ids, which mean nothing between containers that share a volume. Null when another one owns the folder.
 */
export async function lockFolder(folder: string): Promise<DiskLock | null> {
  const path = join(folder, NAME);
  const own = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`;
  const short = shortPath(folder, own);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  try {
    await listen(server, short.path(own));
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await linked(own, path)) {
        return { release: () => release(server, path) };
      }
      if (await answers(short.path(path))) break;
      // Nobody listens: its owner is gone. Whoever comes first takes its place.
      await unlink(path).catch(() => {});
    }
    await closeServer(server);
    return null;
  } catch (thrown) {
    await closeServer(server);
    throw thrown;
  } finally {
    await unlink(own).catch(() => {});
    short.close();
  }
}

/** Long paths are reached by way of the folder's descriptor. */
function shortPath(folder: string, longest: string): { path(full: string): string; close(): void } {
  if (Buffer.byteLength(longest) <= PATH_BYTES_MAX || process.platform !== 'linux') {
    return { path: (full) => full, close: () => {} };
  }
  const descriptor = openSync(folder, 'r');
  return {
    path: (full) => `/proc/self/fd/${descriptor}/${full.slice(folder.length + 1)}`,
    close: () => closeSync(descriptor),
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

/** A name is given to one socket only: a second one fails. */
async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (thrown) {
    if (errorCode(thrown) === 'EEXIST') return false;
    throw thrown;
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT', 'ENOTSOCK'].includes(errorCode(error))));
  });
}

async function release(server: Server, path: string): Promise<void> {
  await unlink(path).catch(() => {});
  await closeServer(server);
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
