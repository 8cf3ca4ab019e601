import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { deflateRaw, inflateRawSync } from 'node:zlib';
import { crc32 } from './crc32.js';
import { CIPHER, type SegmentHeader } from './segment-header.js';

/**
 * Records in a frame, when they are compressed or encrypted. A frame holds whole records of one block.
 *
 * ```text
 * 0  magic u32   4 body length u32   8 length of the records u32   12 flags u8, zero   16 crc32 u32 of all but this field
 * 20 body:  encrypted: nonce (12), bytes, tag (16)    else: bytes
 * ```
 *
 * The key is derived from the store's key and the segment's salt; what is authenticated beside the body is the header and the frame's
 * place in the file, so that frames cannot be exchanged.
 */
const FRAME_HEADER_BYTES = 20;
const MAGIC = 0x4d524657; // "WFRM"
const COMPRESSED = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** A frame that says it holds more is damaged. */
const RAW_BYTES_MAX = 80 * 1024 * 1024;
const CRC_AT = 16;
const DEFLATE_LEVEL = 1;

/** How the records of one frame lie in the file. */
export interface Frame {
  rawBytes: number;
  storedBytes: number;
}

export class FrameCodec {
  private readonly cipher: 'aes-256-gcm' | 'chacha20-poly1305' | null;
  private readonly key: Uint8Array;
  /** `SegmentHeader.keyCheck` of this key. */
  readonly keyCheck: number;

  /** `key` is the store's, of 32 bytes; needed when the header names a cipher. */
  constructor(header: SegmentHeader, key: Uint8Array | null) {
    this.cipher = header.cipher === CIPHER.NONE ? null : nameOf(header.cipher);
    this.key = key === null ? new Uint8Array(0) : derive(key, header.salt, 'weir segment');
    const check = this.cipher === null || key === null ? null : derive(key, header.salt, 'weir key check');
    this.keyCheck = check === null ? 0 : new DataView(check.buffer).getUint32(0, true);
  }

  /** The frame of these records, to be written at `offset`. */
  encode(records: Uint8Array, offset: number): Uint8Array {
    return this.frame(records, records.length, 0, offset);
  }

  /** The same, compressed if that makes it smaller. Compresses on another thread. */
  async encodeSmall(records: Uint8Array, offset: () => number): Promise<Uint8Array> {
    const small = await new Promise<Uint8Array>((resolve, reject) => {
      deflateRaw(records, { level: DEFLATE_LEVEL }, (error, bytes) => (error ? reject(error) : resolve(bytes)));
    });
    if (small.length >= records.length) return this.encode(records, offset());
    return this.frame(small, records.length, COMPRESSED, offset());
  }

  /** What the header at `at` says, if it could be one: the lengths. */
  static peek(bytes: Uint8Array, at: number): Frame | null {
    if (bytes.length - at < FRAME_HEADER_BYTES) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEADER_BYTES);
    const rawBytes = view.getUint32(8, true);
    const storedBytes = FRAME_HEADER_BYTES + view.getUint32(4, true);
    if (view.getUint32(0, true) !== MAGIC || rawBytes > RAW_BYTES_MAX || storedBytes > bytes.length - at) return null;
    return { rawBytes, storedBytes };
  }

  /** The records of the frame at `bytes[at]`, which is at `offset` in the file; null when it is damaged. */
  decode(bytes: Uint8Array, at: number, offset: number): Uint8Array | null {
    const frame = FrameCodec.peek(bytes, at);
    if (frame === null) return null;
    const whole = bytes.subarray(at, at + frame.storedBytes);
    const view = new DataView(whole.buffer, whole.byteOffset, whole.length);
    if (checksum(whole, view) !== view.getUint32(CRC_AT, true)) return null;
    try {
      let body: Uint8Array = whole.subarray(FRAME_HEADER_BYTES);
      if (this.cipher !== null) body = this.decrypt(whole, body, offset);
      if (view.getUint8(12) & COMPRESSED) body = inflateRawSync(body, { maxOutputLength: frame.rawBytes });
      return body.length === frame.rawBytes ? body : null;
    } catch {
      // The tag does not fit, or the compressed bytes are none.
      return null;
    }
  }

  private frame(body: Uint8Array, rawBytes: number, flags: number, offset: number): Uint8Array {
    const extra = this.cipher === null ? 0 : NONCE_BYTES + TAG_BYTES;
    const whole = new Uint8Array(FRAME_HEADER_BYTES + extra + body.length);
    const view = new DataView(whole.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, whole.length - FRAME_HEADER_BYTES, true);
    view.setUint32(8, rawBytes, true);
    view.setUint8(12, flags);
    if (this.cipher === null) whole.set(body, FRAME_HEADER_BYTES);
    else this.encrypt(whole, body, offset);
    view.setUint32(CRC_AT, checksum(whole, view), true);
    return whole;
  }

  private encrypt(whole: Uint8Array, body: Uint8Array, offset: number): void {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(this.cipher as 'aes-256-gcm', this.key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(authenticated(whole, offset));
    whole.set(nonce, FRAME_HEADER_BYTES);
    whole.set(cipher.update(body), FRAME_HEADER_BYTES + NONCE_BYTES);
    cipher.final();
    whole.set(cipher.getAuthTag(), whole.length - TAG_BYTES);
  }

  private decrypt(whole: Uint8Array, body: Uint8Array, offset: number): Uint8Array {
    const nonce = body.subarray(0, NONCE_BYTES);
    const cipher = createDecipheriv(this.cipher as 'aes-256-gcm', this.key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(authenticated(whole, offset));
    cipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
    const bytes = cipher.update(body.subarray(NONCE_BYTES, body.length - TAG_BYTES));
    cipher.final();
    return bytes;
  }
}

function derive(key: Uint8Array, salt: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, purpose, KEY_BYTES));
}

function nameOf(cipher: number): 'aes-256-gcm' | 'chacha20-poly1305' {
  return cipher === CIPHER.AES_256_GCM ? 'aes-256-gcm' : 'chacha20-poly1305';
}

function authenticated(whole: Uint8Array, offset: number): Uint8Array {
  const bytes = new Uint8Array(CRC_AT + 8);
  bytes.set(whole.subarray(0, CRC_AT));
  new DataView(bytes.buffer).setFloat64(CRC_AT, offset, true);
  return bytes;
}

/** Of the body and of the header before the checksum's place. */
function checksum(whole: Uint8Array, view: DataView): number {
  return (crc32(whole, view, 0, CRC_AT) ^ crc32(whole, view, FRAME_HEADER_BYTES, whole.length)) >>> 0;
}
