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
    return new NodeFile(path, descriptor, fs.fstatSync(descriptor).size);
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

/** So many files that nobody uses just now stay open: a log may have thousands of segments, and a process only so many descriptors. */
const IDLE_MAX = 256;
/** Those that were not used for one to two rounds of this length are closed. */
const IDLE_ROUND_MS = 5_000;
/** Open files without an operation under way, the one longest unused first. */
const idle = new Set<NodeFile>();
let round = 0;
let isCounting = false;

function countRounds(): void {
  isCounting = true;
  setTimeout(endRound, IDLE_ROUND_MS).unref();
}

function endRound(): void {
  for (const file of idle) {
    // It, and those behind it, were used in this round.
    if (file.round === round) break;
    file.shut();
  }
  round++;
  isCounting = false;
  if (idle.size > 0) countRounds();
}

class NodeFile implements DiskFile {
  bytes: number;
  private path: string | null;
  private descriptor: number;
  /** Another one of the same file, whose writes are durable when they return. */
  private durableDescriptor = CLOSED;
  private users = 0;
  /** A descriptor that is to tell of a failed write must not be closed before the sync. */
  private unsynced = false;
  /** When it was last used. */
  round = 0;

  constructor(path: string, descriptor: number, bytes: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.bytes = bytes;
    this.rest();
  }

  async write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    this.unsynced = true;
    await this.writeAll(pieces, offset, false);
  }

  async writeDurably(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    if (SYNCED_WRITES === undefined) {
      await this.write(pieces, offset);
      await this.sync();
    } else await this.writeAll(pieces, offset, true);
  }

  private async writeAll(pieces: readonly Uint8Array[], offset: number, durably: boolean): Promise<void> {
    const queue = pieces.filter((piece) => piece.length > 0);
    while (queue.length > 0) {
      const batch = queue.slice(0, PIECES_MAX);
      let written = await this.use<number>((descriptor, done) =>
        fs.writev(durably ? this.durable() : descriptor, batch, offset, done),
      );
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

  async sync(): Promise<void> {
    await this.use<void>((descriptor, done) => fs.fdatasync(descriptor, done));
    this.unsynced = false;
  }

  truncate(bytes: number): Promise<void> {
    this.bytes = bytes;
    return this.use<void>((descriptor, done) => fs.ftruncate(descriptor, bytes, done));
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    let total = 0;
    while (total < into.length) {
      const read = await this.use<number>((descriptor, done) =>
        fs.read(descriptor, into, total, into.length - total, offset + total, done),
      );
      if (read === 0) break;
      total += read;
    }
    return total;
  }

  readSync(into: Uint8Array, offset: number): number {
    const descriptor = this.wake();
    try {
      let total = 0;
      while (total < into.length) {
        const read = fs.readSync(descriptor, into, total, into.length - total, offset + total);
        if (read === 0) break;
        total += read;
      }
      return total;
    } finally {
      this.rest();
    }
  }

  moved(path: string | null): void {
    if (path === null) this.wake();
    this.path = path;
  }

  async close(): Promise<void> {
    idle.delete(this);
    this.closeDurable();
    const { descriptor } = this;
    this.descriptor = CLOSED;
    if (descriptor === CLOSED) return;
    await new Promise<void>((resolve, reject) => {
      fs.close(descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Runs one call of `fs` on the descriptor. */
  private use<T>(call: (descriptor: number, done: (error: Error | null, result: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const descriptor = this.wake();
      try {
        call(descriptor, (error, result) => {
          this.rest();
          if (error) reject(error);
          else resolve(result);
        });
      } catch (thrown) {
        this.rest();
        throw thrown;
      }
    });
  }

  private durable(): number {
    if (this.durableDescriptor === CLOSED)
      this.durableDescriptor = fs.openSync(this.path!, fs.constants.O_RDWR | SYNCED_WRITES!);
    return this.durableDescriptor;
  }

  private closeDurable(): void {
    if (this.durableDescriptor !== CLOSED) fs.closeSync(this.durableDescriptor);
    this.durableDescriptor = CLOSED;
  }

  private wake(): number {
    if (this.descriptor === CLOSED) this.descriptor = fs.openSync(this.path!, fs.constants.O_RDWR);
    idle.delete(this);
    this.users++;
    return this.descriptor;
  }

  private rest(): void {
    if (this.users > 0) this.users--;
    if (this.users > 0 || this.descriptor === CLOSED) return;
    this.round = round;
    idle.add(this);
    if (!isCounting) countRounds();
    if (idle.size <= IDLE_MAX) return;
    for (const file of idle) if (file.shut()) return;
  }

  /** Closes the descriptors of a file that nobody uses, until it is used again; false when that must wait for a sync. */
  shut(): boolean {
    if (this.unsynced) return false;
    idle.delete(this);
    this.closeDurable();
    fs.closeSync(this.descriptor);
    this.descriptor = CLOSED;
    return true;
  }
}

const CLOSED = -1;
/**
 * One call of the system in place of two. There is no such thing on Windows, and on macOS it leaves the bytes in the drive's own cache, which
 * only a sync empties there.
 */
const SYNCED_WRITES = process.platform === 'darwin' ? undefined : (fs.constants.O_DSYNC as number | undefined);
/** What one `writev` takes. */
const PIECES_MAX = 1024;
