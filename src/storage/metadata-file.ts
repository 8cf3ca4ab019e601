import * as zlib from 'node:zlib';
import type { Disk } from './disk.js';
import { errorCode } from './disk.js';

const MAGIC = 0x4d524557; // "WERM"
const HEADER_BYTES = 16;

/**
 * A small file that is replaced as a whole: stream settings, consumer state, the dedupe window. After a crash it holds what it held
 * before or what was written, never something between.
 *
 * ```text
 * magic u32 | format u32 | crc32 u32 of all behind | length u32 | bytes
 * ```
 */
export async function writeMetadata(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, MAGIC, true);
  header.setUint32(4, 1, true);
  header.setUint32(8, zlib.crc32(bytes), true);
  header.setUint32(12, bytes.length, true);
  await replaceFile(disk, path, [new Uint8Array(header.buffer), bytes]);
}

/** What `writeMetadata` wrote; null when there is none; 'damaged' when it is not what was written. */
export async function readMetadata(disk: Disk, path: string): Promise<Uint8Array | null | 'damaged'> {
  const all = await readWhole(disk, path);
  if (all === null) return null;
  if (all.length < HEADER_BYTES) return 'damaged';
  const header = new DataView(all.buffer, all.byteOffset, HEADER_BYTES);
  const bytes = all.subarray(HEADER_BYTES);
  const good =
    header.getUint32(0, true) === MAGIC &&
    header.getUint32(4, true) === 1 &&
    header.getUint32(12, true) === bytes.length &&
    header.getUint32(8, true) === zlib.crc32(bytes);
  return good ? bytes : 'damaged';
}

/** Temporary file, sync, rename, sync of the folder: whoever looks sees the old file or the new one. */
export async function replaceFile(disk: Disk, path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await disk.open(temporary, 'w+');
  try {
    await file.write(pieces, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncFolder(path.slice(0, path.lastIndexOf('/')));
}

/** A whole file, or null when it is not there. */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array | null> {
  try {
    const file = await disk.open(path, 'r+');
    try {
      const bytes = new Uint8Array(file.bytes);
      const length = await file.read(bytes, 0);
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return null;
    throw thrown;
  }
}
