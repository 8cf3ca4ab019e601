import { randomBytes } from 'node:crypto';
import { crc32 } from './crc32.js';

/** "WEIRLOG" and a line feed: a file that was transferred as text is found out. */
const MAGIC_LOW = 0x52494557;
const MAGIC_HIGH = 0x0a474f4c;
const FORMAT = 1;
const COPY_BYTES = 64;
/** The header is there twice: a damaged one does not cost a segment. */
export const HEADER_BYTES = 2 * COPY_BYTES;
const SALT_BYTES = 16;
const TWO_32 = 2 ** 32;

export const CIPHER = { NONE: 0, AES_256_GCM: 1, CHACHA20_POLY1305: 2 } as const;

export interface Encryption {
  cipher: 'aes-256-gcm' | 'chacha20-poly1305';
  /** 32 bytes. */
  key: Uint8Array;
}

export function cipherOf(encryption: Encryption | null): number {
  if (encryption === null) return CIPHER.NONE;
  return encryption.cipher === 'aes-256-gcm' ? CIPHER.AES_256_GCM : CIPHER.CHACHA20_POLY1305;
}

/**
 * What a segment's file begins with, twice.
 *
 * ```text
 * 0  magic "WEIRLOG\n"   8  format u16   10 cipher u8   11 framed u8   12 generation u32   16 base u64
 * 24 id u32              28 seed u32     32 zero         40 salt        56 key check u32   60 crc32 of the first 60 bytes
 * ```
 */
export interface SegmentHeader {
  id: number;
  /** No message of the segment has a lower sequence. Of small files: the number of frames. */
  base: number;
  /** How often the segment was written anew. */
  generation: number;
  cipher: number;
  /** Whether the records are in frames (frame-codec.ts): where there is encryption or compression. */
  framed: boolean;
  salt: Uint8Array;
  /** `Segment.seed`. */
  seed: number;
  /** Tells a wrong key from damage; 0 without encryption. */
  keyCheck: number;
}

/** The header of a new segment of these settings. */
export function newHeader(parts: Pick<SegmentHeader, 'id' | 'base' | 'seed' | 'cipher' | 'framed'>): SegmentHeader {
  return { ...parts, generation: 0, salt: new Uint8Array(randomBytes(SALT_BYTES)), keyCheck: 0 };
}

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_LOW, true);
  view.setUint32(4, MAGIC_HIGH, true);
  view.setUint16(8, FORMAT, true);
  view.setUint8(10, header.cipher);
  view.setUint8(11, header.framed ? 1 : 0);
  view.setUint32(12, header.generation, true);
  view.setUint32(16, header.base >>> 0, true);
  view.setUint32(20, Math.floor(header.base / TWO_32), true);
  view.setUint32(24, header.id, true);
  view.setUint32(28, header.seed, true);
  bytes.set(header.salt, 40);
  view.setUint32(56, header.keyCheck, true);
  view.setUint32(COPY_BYTES - 4, crc32(bytes, view, 0, COPY_BYTES - 4), true);
  bytes.copyWithin(COPY_BYTES, 0, COPY_BYTES);
  return bytes;
}

/** The header; 'damaged' when both copies are; 'newer' when the format is one that we do not know. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader | 'damaged' | 'newer' {
  if (bytes.length < HEADER_BYTES) return 'damaged';
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  for (let at = 0; at < HEADER_BYTES; at += COPY_BYTES) {
    const end = at + COPY_BYTES - 4;
    if (crc32(bytes, view, at, end) !== view.getUint32(end, true)) continue;
    if (view.getUint32(at, true) !== MAGIC_LOW || view.getUint32(at + 4, true) !== MAGIC_HIGH) continue;
    if (view.getUint16(at + 8, true) !== FORMAT) return 'newer';
    return {
      id: view.getUint32(at + 24, true),
      base: view.getUint32(at + 20, true) * TWO_32 + view.getUint32(at + 16, true),
      generation: view.getUint32(at + 12, true),
      cipher: view.getUint8(at + 10),
      framed: view.getUint8(at + 11) === 1,
      seed: view.getUint32(at + 28, true),
      keyCheck: view.getUint32(at + 56, true),
      salt: bytes.slice(at + 40, at + 40 + SALT_BYTES),
    };
  }
  return 'damaged';
}
