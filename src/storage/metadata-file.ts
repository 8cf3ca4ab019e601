import { randomBytes } from 'node:crypto';
import { Failure } from '../base/failure.js';
import type { Disk } from './disk.js';
import { errorCode } from './disk.js';
import { FrameCodec } from './frame-codec.js';
import { cipherOf, decodeHeader, type Encryption, encodeHeader, HEADER_BYTES, newHeader } from './segment-header.js';

export interface MetadataPlace {
  disk: Disk;
  path: string;
  encryption: Encryption | null;
}

/**
 * Replaces a small file as a whole: stream settings, consumer state, the dedupe window. After a crash it holds what it held before or
 * what was written, never something between. It is one frame behind a header, as in a segment, and encrypted if segments are.
 */
export async function writeMetadata({ disk, path, encryption }: MetadataPlace, bytes: Uint8Array): Promise<void> {
  const seed = randomBytes(4).readUInt32LE(0);
  const header = newHeader({ id: 0, base: 0, seed, cipher: cipherOf(encryption), framed: true });
  const codec = new FrameCodec(header, encryption?.key ?? null);
  header.keyCheck = codec.keyCheck;
  await replaceFile(disk, path, [encodeHeader(header), codec.encode(bytes, HEADER_BYTES)]);
}

/** What `writeMetadata` wrote; null when there is none; 'damaged' when it is not what was written. */
export async function readMetadata({ disk, path, encryption }: MetadataPlace): Promise<Uint8Array | null | 'damaged'> {
  const bytes = await readWhole(disk, path);
  if (bytes === null) return null;
  const header = decodeHeader(bytes);
  if (header === 'damaged' || header === 'newer') return 'damaged';
  const codec = new FrameCodec(header, encryption?.key ?? null);
  if (codec.keyCheck !== header.keyCheck) {
    throw new Failure(
      'STORE_KEY_WRONG',
      `cannot read "${path}": it was encrypted with another key than the configured one`,
    );
  }
  return codec.decode(bytes, HEADER_BYTES, HEADER_BYTES) ?? 'damaged';
}

/** Temporary file, sync, rename, sync of the folder: whoever looks sees the old file or the new one. */
async function replaceFile(disk: Disk, path: string, pieces: readonly Uint8Array[]): Promise<void> {
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
async function readWhole(disk: Disk, path: string): Promise<Uint8Array | null> {
  try {
    const file = await disk.open(path, 'r+');
    try {
      const bytes = new Uint8Array(file.bytes);
      return bytes.subarray(0, await file.read(bytes, 0));
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return null;
    throw thrown;
  }
}
