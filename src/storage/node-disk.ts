import * as fs from 'node:fs';
import { mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Disk, DiskFile, DiskLock } from './disk.js';
import { errorCode } from './disk.js';
import { lockFolder } from './folder-lock.js';

/** Only the owner may look into what is stored. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** The real disk. Everything but `readSync` runs on libuv's threads. */
export const nodeDisk: Disk = {
  async open(path, mode) {
    const flags =
      mode === 'w+' ? fs.constants.O_CREAT | fs.constants.O_TRUNC | fs.constants.O_RDWR : fs.constants.O_RDWR;
    const descriptor = await new Promise<number>((resolve, reject) => {
      fs.open(path, flags, FILE_MODE, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    return new NodeFile(descriptor, fs.fstatSync(descriptor).size);
  },

  async list(folder) {
    try {
      return await readdir(folder);
    } catch (thrown) {
      if (errorCode(thrown) === 'ENOENT') return [];
      throw thrown;
    }
  },

  async makeFolder(path) {
    const made = await mkdir(path, { recursive: true, mode: FOLDER_MODE });
    if (made === undefined) return;
    for (let folder = path; folder.length >= made.length; folder = dirname(folder))
      await nodeDisk.syncFolder(dirname(folder));
  },

  rename,

  async removeFile(path) {
    try {
      await unlink(path);
    } catch (thrown) {
      if (errorCode(thrown) !== 'ENOENT') throw thrown;
    }
  },

  removeFolder: (path) => rm(path, { recursive: true, force: true }),

  async syncFolder(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },

  lock: (folder): Promise<DiskLock | null> => lockFolder(folder),
};

class NodeFile implements DiskFile {
  bytes: number;
  private readonly descriptor: number;

  constructor(descriptor: number, bytes: number) {
    this.descriptor = descriptor;
    this.bytes = bytes;
  }

  async write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    const queue = pieces.filter((piece) => piece.length > 0);
    while (queue.length > 0) {
      const batch = queue.slice(0, PIECES_MAX);
      let written = await this.writeSome(batch, offset);
      offset += written;
      this.bytes = Math.max(this.bytes, offset);
      while (written > 0) {
        if (written < queue[0].length) {
          queue[0] = queue[0].subarray(written);
          break;
        }
        written -= queue.shift()!.length;
      }
    }
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  truncate(bytes: number): Promise<void> {
    this.bytes = bytes;
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.descriptor, bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    let total = 0;
    while (total < into.length) {
      const read = await new Promise<number>((resolve, reject) => {
        fs.read(this.descriptor, into, total, into.length - total, offset + total, (error, bytes) =>
          error ? reject(error) : resolve(bytes),
        );
      });
      if (read === 0) break;
      total += read;
    }
    return total;
  }

  readSync(into: Uint8Array, offset: number): number {
    let total = 0;
    while (total < into.length) {
      const read = fs.readSync(this.descriptor, into, total, into.length - total, offset + total);
      if (read === 0) break;
      total += read;
    }
    return total;
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  private writeSome(pieces: Uint8Array[], offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.writev(this.descriptor, pieces, offset, (error, bytes) => (error ? reject(error) : resolve(bytes)));
    });
  }
}

/** What one `writev` takes. */
const PIECES_MAX = 1024;
