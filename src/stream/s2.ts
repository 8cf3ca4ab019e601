/**
 * S2 streams, the framing that backups of streams travel in. Written without compression, read with it.
 *
 * ```text
 * ff 06 00 00 "S2sTwO"   then chunks: kind (1) | length (3) | …
 *   00 compressed block    crc (4) | block        01 bytes as they are   crc (4) | bytes
 *   02…7f are errors       80…fe are skipped
 * ```
 */
const MAGIC = Buffer.from([0xff, 0x06, 0x00, 0x00, ...Buffer.from('S2sTwO')]);
const SNAPPY_MAGIC = Buffer.from([0xff, 0x06, 0x00, 0x00, ...Buffer.from('sNaPpY')]);
const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
const RAW_BYTES = 64 * 1024;

/** Kind and length. */
const HEAD_BYTES = 4;

/** What is not an S2 stream. */
export class S2Mistake extends Error {}

/** What an S2 stream begins with. */
export function s2Head(): Uint8Array {
  return MAGIC;
}

/** The bytes as chunks of an S2 stream. */
export function s2Chunks(bytes: Uint8Array): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += RAW_BYTES) {
    const part = bytes.subarray(at, at + RAW_BYTES);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(0x01 | ((part.length + 4) << 8), 0);
    head.writeUInt32LE(maskedCrc(part), 4);
    chunks.push(head, part);
  }
  return Buffer.concat(chunks);
}

/** Takes an S2 stream in pieces, gives what it holds. */
export class S2Reader {
  /** A chunk that did not come in one piece: what is in front of it, then all of it. */
  private part: Buffer = Buffer.alloc(HEAD_BYTES);
  private partUsed = 0;
  private begun = false;

  /** Gives one chunk after the other: a few bytes of each may be 4 MB. They are the piece's or the reader's own. Throws an `S2Mistake`. */
  *push(piece: Uint8Array): Generator<Uint8Array> {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    for (let at = 0; at < bytes.length; ) {
      let chunk: Buffer | null = null;
      const left = bytes.length - at;
      const length = this.partUsed === 0 && left >= HEAD_BYTES ? chunkBytes(bytes, at) : Number.POSITIVE_INFINITY;
      if (length <= left) {
        chunk = bytes.subarray(at, at + length);
        at += length;
      } else {
        at += this.gather(bytes, at);
        chunk = this.gathered();
      }
      const data = chunk === null ? null : this.chunk(chunk[0], chunk);
      if (data !== null) yield data;
    }
  }

  /** Adds to the chunk that comes in pieces, and answers how much that was. */
  private gather(bytes: Buffer, at: number): number {
    const taken = bytes.copy(this.part, this.partUsed, at, at + this.part.length - this.partUsed);
    this.partUsed += taken;
    return taken;
  }

  /** That chunk when all of it is there. */
  private gathered(): Buffer | null {
    if (this.partUsed < this.part.length) return null;
    if (this.partUsed === HEAD_BYTES) {
      const whole = Buffer.alloc(chunkBytes(this.part, 0));
      this.part.copy(whole);
      this.part = whole;
      if (whole.length > HEAD_BYTES) return null;
    }
    const chunk = this.part;
    this.part = Buffer.alloc(HEAD_BYTES);
    this.partUsed = 0;
    return chunk;
  }

  private chunk(kind: number, chunk: Buffer): Uint8Array | null {
    if (kind === 0xff) {
      if (!chunk.equals(MAGIC) && !chunk.equals(SNAPPY_MAGIC)) throw new S2Mistake('unknown stream identifier');
      this.begun = true;
      return null;
    }
    if (!this.begun) throw new S2Mistake('there is no stream identifier');
    if (kind >= 0x80) return null;
    if (kind > 1) throw new S2Mistake(`unknown kind of chunk ${kind}`);
    if (chunk.length < 8) throw new S2Mistake('a chunk has no checksum');
    const body = chunk.subarray(8);
    const data = kind === 1 ? body : decodeBlock(body);
    if (maskedCrc(data) !== chunk.readUInt32LE(4)) throw new S2Mistake('a checksum is wrong');
    return data;
  }
}

/** Of the chunk that begins there, and what is in front of it. */
function chunkBytes(bytes: Buffer, at: number): number {
  const length = bytes.readUIntLE(at + 1, 3);
  if (length > CHUNK_BYTES_MAX + 1024) throw new S2Mistake(`a chunk of ${length} bytes is too long`);
  return HEAD_BYTES + length;
}

/** Decodes one block: the decoded length, then literals and copies of what was decoded before. */
function decodeBlock(block: Buffer): Uint8Array {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    if (at >= block.length || shift > 28) throw new S2Mistake('a block has no length');
    const byte = block[at++];
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > CHUNK_BYTES_MAX) throw new S2Mistake(`a block of ${length} bytes is too long`);
  const out = Buffer.alloc(length);
  const decoder = new BlockDecoder(block, at, out);
  decoder.run();
  return out;
}

class BlockDecoder {
  private readonly block: Buffer;
  private readonly out: Buffer;
  private at: number;
  private to = 0;
  private offset = 0;

  constructor(block: Buffer, at: number, out: Buffer) {
    this.block = block;
    this.at = at;
    this.out = out;
  }

  run(): void {
    while (this.at < this.block.length) {
      const tag = this.block[this.at++];
      if ((tag & 3) === 0) this.literal(tag >> 2);
      else this.copy(tag);
    }
    if (this.to !== this.out.length) throw new S2Mistake('a block is too short');
  }

  private literal(code: number): void {
    const length = (code < 60 ? code : this.number(code - 59)) + 1;
    if (this.at + length > this.block.length || this.to + length > this.out.length)
      throw new S2Mistake('a literal is too long');
    this.block.copy(this.out, this.to, this.at, this.at + length);
    this.at += length;
    this.to += length;
  }

  private copy(tag: number): void {
    let length = (tag >> 2) + 1;
    if ((tag & 3) === 1) {
      length = (tag >> 2) & 7;
      const offset = ((tag & 0xe0) << 3) | this.number(1);
      // S2 repeats the last offset where Snappy would have none.
      if (offset !== 0) this.offset = offset;
      else if (length === 5) length = this.number(1) + 4;
      else if (length === 6) length = this.number(2) + 256;
      else if (length === 7) length = this.number(3) + 65536;
      length += 4;
    } else this.offset = this.number((tag & 3) === 2 ? 2 : 4);
    const { out, to, offset } = this;
    if (offset === 0 || offset > to || to + length > out.length) throw new S2Mistake('a copy is out of range');
    for (let i = 0; i < length; i++) out[to + i] = out[to - offset + i];
    this.to += length;
  }

  private number(bytes: number): number {
    if (this.at + bytes > this.block.length) throw new S2Mistake('a block ends early');
    const number = this.block.readUIntLE(this.at, bytes);
    this.at += bytes;
    return number;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

/** CRC-32C as Snappy's framing masks it. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) >>> 0;
}
