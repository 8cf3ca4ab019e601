/**
 * All that `storage/` asks of a disk. Rejections and throws carry the system's `code` (`ENOSPC`, `EIO`, `ENOENT`, …). Paths are
 * absolute, joined by `/`.
 */
export interface Disk {
  /** Opens a file that is there (`r+`), or makes an empty one in place of whatever is there (`w+`). */
  open(path: string, mode: 'r+' | 'w+'): Promise<DiskFile>;
  /** Names of what is in a folder; none when it is not there. */
  list(folder: string): Promise<string[]>;
  /** Makes a folder and those above it; durable when it returns. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is no failure. */
  removeFile(path: string): Promise<void>;
  /** Removes a folder and everything in it. */
  removeFolder(path: string): Promise<void>;
  /** Makes renames, removals and new names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Owns the folder until released or until the process ends; null when another one owns it. */
  lock(folder: string): Promise<DiskLock | null>;
}

export interface DiskFile {
  /** As of opening, plus what was written since. */
  readonly bytes: number;
  /** Writes all of it. */
  write(pieces: readonly Uint8Array[], offset: number): Promise<void>;
  /** Writes all of it; durable when it returns, which says nothing about what was written before. */
  writeDurably(pieces: readonly Uint8Array[], offset: number): Promise<void>;
  /** Makes everything written durable. */
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  /** Fills `into` from `offset`; returns how many bytes there were. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** The same at once. */
  readSync(into: Uint8Array, offset: number): number;
  /** The file has another path now; null: it is about to lose its name, and is still needed until it is closed. */
  moved(path: string | null): void;
  close(): Promise<void>;
}

export interface DiskLock {
  release(): Promise<void>;
}

/** The system's code of what a disk threw, or ''. */
export function errorCode(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
}
