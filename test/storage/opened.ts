import { systemClock } from '../../src/base/clock.js';
import { BlockCache } from '../../src/storage/block-cache.js';
import type { Disk } from '../../src/storage/disk.js';
import { type FileLog, type FileLogOptions, openFileLog } from '../../src/storage/file-log.js';
import type { LogListener } from '../../src/storage/message-log.js';

export const silentListener: LogListener = {
  onCommit: () => {},
  onTrouble: () => {},
  onDamage: () => {},
  onRemoved: () => {},
};

export const FOLDER = '/store/log';

/** A file log with small segments, so that tests see many. */
export function openLog(disk: Disk, options: Partial<FileLogOptions> = {}): Promise<FileLog> {
  return openFileLog({
    disk,
    clock: systemClock,
    cache: new BlockCache(256 * 1024),
    folder: FOLDER,
    listener: silentListener,
    sync: 'always',
    syncIntervalMs: 50,
    segmentBytes: 16 * 1024,
    compress: false,
    encryption: null,
    ...options,
  });
}
