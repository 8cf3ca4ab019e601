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
export function writeMetadata(place: MetadataPlace, bytes: Uint8Array): Promise<void> {
  return writePieces(place, [bytes]);
}

/** What `writeMetadata` wrote; null when there is none; 'damaged' when it is not what was written. */
export async function readMetadata(place: MetadataPlace): Promise<Uint8Array | null | 'damaged'> {
  const pieces = await readPieces(place);
  return Array.isArray(pieces) ? (pieces[0] ?? 'damaged') : pieces;
}

/** The same with several pieces, a frame for each: encoded and written one after the other, so that nobody has to wait for long. */
export async function writePieces(
  { disk, path, encryption }: MetadataPlace,
  pieces: readonly Uint8Array[],
): Promise<void> {
  const seed = randomBytes(4).readUInt32LE(0);
  const header = newHeader({ id: 0, base: pieces.length, seed, cipher: cipherOf(encryption), framed: true });
  const codec = new FrameCodec(header, encryption?.key ?? null);
  header.keyCheck = codec.keyCheck;
  const temporary = `${path}.tmp`;
  const file = await disk.open(temporary, 'w+');
  let whole = false;
  try {
    let place = HEADER_BYTES;
    await file.write([encodeHeader(header)], 0);
    for (const piece of pieces) {
      const frame = codec.encode(piece, place);
      await file.write([frame], place);
      place += frame.length;
    }
    await file.sync();
    whole = true;
  } finally {
    await file.close();
    // A disk that is full has no room for half a file either.
    if (!whole) await disk.removeFile(temporary).catch(() => {});
  }
  // Whoever looks sees the old file or the new one.
  await disk.rename(temporary, path);
  await disk.syncFolder(path.slice(0, path.lastIndexOf('/')));
}

/** What `writePieces` wrote. */
export async function readPieces({ disk, path, encryption }: MetadataPlace): Promise<Uint8Array[] | null | 'damaged'> {
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
  const pieces: Uint8Array[] = [];
  for (let at = HEADER_BYTES; pieces.length < header.base; ) {
    const piece = codec.decode(bytes, at, at);
    if (piece === null) return 'damaged';
    pieces.push(piece);
    at += FrameCodec.peek(bytes, at)!.storedBytes;
  }
  return pieces;
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
