import type { Clock } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import { BlockCache } from './block-cache.js';
import type { SyncPolicy } from './committer.js';
import type { Disk, DiskLock } from './disk.js';
import { type FileLog, openFileLog, SEGMENT_BYTES_DEFAULT } from './file-log.js';
import type { LogListener } from './message-log.js';
import { readMetadata, writeMetadata } from './metadata-file.js';
import type { Encryption } from './segment-header.js';

export interface StoreOptions {
  disk: Disk;
  clock: Clock;
  folder: string;
  /** Blocks of all logs together that are kept in memory though they are on disk. */
  cacheBytes?: number;
  encryption?: Encryption | null;
}

export interface StoreLogOptions {
  listener: LogListener;
  sync?: SyncPolicy;
  syncIntervalMs?: number;
  segmentBytes?: number;
  compress?: boolean;
}

const CACHE_BYTES = 64 * 1024 * 1024;
const SYNC_INTERVAL_MS = 120_000;

/** A folder that this process alone owns, and the logs and small files in it. Paths within it are joined by `/`. */
export class Store {
  readonly folder: string;
  private readonly options: StoreOptions;
  private readonly cache: BlockCache;
  private readonly lock: DiskLock;

  private constructor(options: StoreOptions, lock: DiskLock) {
    this.folder = options.folder;
    this.options = options;
    this.cache = new BlockCache(options.cacheBytes ?? CACHE_BYTES);
    this.lock = lock;
  }

  /** Makes the folder if need be, and owns it until `close`. Rejects with STORE_IN_USE when another process does. */
  static async open(options: StoreOptions): Promise<Store> {
    const { disk, folder, encryption } = options;
    if (encryption && encryption.key.length !== 32) {
      throw new Failure('STORE_KEY_LENGTH', `a store's key has 32 bytes; this one has ${encryption.key.length}`);
    }
    await disk.makeFolder(folder);
    const lock = await disk.lock(folder);
    if (lock === null) {
      throw new Failure('STORE_IN_USE', `cannot use the store "${folder}": another running process owns it`);
    }
    return new Store(options, lock);
  }

  /** Opens, or makes, the log in a folder of its own. */
  openLog(path: string, options: StoreLogOptions): Promise<FileLog> {
    const { disk, clock, encryption } = this.options;
    return openFileLog({
      disk,
      clock,
      cache: this.cache,
      folder: this.path(path),
      listener: options.listener,
      sync: options.sync ?? 'always',
      syncIntervalMs: options.syncIntervalMs ?? SYNC_INTERVAL_MS,
      segmentBytes: options.segmentBytes ?? SEGMENT_BYTES_DEFAULT,
      compress: options.compress ?? false,
      encryption: encryption ?? null,
    });
  }

  /** Names of files and folders in a folder. */
  list(path = ''): Promise<string[]> {
    return this.options.disk.list(this.path(path));
  }

  makeFolder(path: string): Promise<void> {
    return this.options.disk.makeFolder(this.path(path));
  }

  async removeFolder(path: string): Promise<void> {
    const full = this.path(path);
    await this.options.disk.removeFolder(full);
    await this.options.disk.syncFolder(full.slice(0, full.lastIndexOf('/')));
  }

  async removeFile(path: string): Promise<void> {
    const full = this.path(path);
    await this.options.disk.removeFile(full);
    await this.options.disk.syncFolder(full.slice(0, full.lastIndexOf('/')));
  }

  /** Replaces a small file as a whole; durable when it resolves. Its folder is there. */
  writeFile(path: string, bytes: Uint8Array): Promise<void> {
    return writeMetadata(this.metadataPlace(path), bytes);
  }

  /** What `writeFile` wrote; null when there is none; 'damaged' when it is not what was written. */
  readFile(path: string): Promise<Uint8Array | null | 'damaged'> {
    return readMetadata(this.metadataPlace(path));
  }

  /** Gives the folder up. Logs are closed before. */
  close(): Promise<void> {
    return this.lock.release();
  }

  private metadataPlace(path: string) {
    const { disk, encryption } = this.options;
    return { disk, path: this.path(path), encryption: encryption ?? null };
  }

  private path(path: string): string {
    return path === '' ? this.folder : `${this.folder}/${path}`;
  }
}
